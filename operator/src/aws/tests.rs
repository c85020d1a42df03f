//! The decision held against a scripted AWS, and against its tables.

#[path = "../../../tests/bed/cloudformation/cloud.rs"]
#[allow(dead_code, reason = "the wire server uses the rest")]
mod cloud;
mod edge;
mod model;
mod own_credentials;
pub(super) mod rendering;
mod table;
#[path = "../../../tests/bed/cloudformation/wire.rs"]
#[allow(dead_code, reason = "tests of the whole operator use the rest")]
mod wire;
mod world;
