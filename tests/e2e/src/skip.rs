//! Tests that cannot run here say so; in CI that is a failure.

/// Says why a test does not run here.
///
/// # Panics
/// Under `CI`: a test that silently stops running is the same as no test.
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "skipped, which CI does not accept: {reason}"
    );
    eprintln!("SKIPPED: {reason}");
}
