//! The command line from outside: the built binary, its exit codes, and what it prints where.

mod bad_input;
mod check;
mod dev;
mod explain;
mod general;
mod presets;
mod reading;
mod replay;
mod send;
mod support;
