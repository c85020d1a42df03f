//! What a user would miss if the definitions were wrong.

mod bounds;
mod generated;
