//! Prints the CustomResourceDefinitions; `make generate` writes them to `crds/*.yaml`.
fn main() {}
