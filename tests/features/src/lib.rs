//! Holds nothing: see its Cargo.toml.
