//! What users of the engine would miss.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod definitions;
mod manifests;
mod oracles;
mod overlays;
mod presets;
mod provider_facts;
mod replay;
mod samples;
