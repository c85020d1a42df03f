//! End to end, from outside: the built binary, real requests, the disk, other people's tools.

mod crash;
mod docs;
mod laws;
mod secrets;
mod story;
mod sync;
mod tidy;
mod vectors;
