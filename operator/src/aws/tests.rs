//! The decision held against a scripted AWS, and against its tables.

#[path = "../../../tests/bed/cloudformation/cloud.rs"]
#[allow(dead_code, reason = "the wire server uses the rest")]
mod cloud;
mod model;
mod rendering;
mod table;
mod world;
