//! The built binary, run as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The root of the checkout.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the checkout is there")
}

/// The path of `mef`, built first when its sources changed. With `MEF_BUILT` the run that built this test has built it too:
/// `cargo test --workspace` does, and asking for it alone would compile most crates again with other features.
///
/// # Panics
/// When it does not build.
pub fn mef_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if std::env::var_os("MEF_BUILT").is_none() {
            let build = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--package", "mef"])
                .current_dir(repository())
                .status()
                .expect("cargo runs");
            assert!(build.success(), "cargo build --package mef failed");
        }
        // This test's own executable is <target>/debug/deps/<name>-<hash>.
        let own = std::env::current_exe().expect("the test knows its own path");
        own.ancestors()
            .nth(2)
            .expect("it is two folders deep")
            .join("mef")
    })
}

/// What one run of `mef` gave.
#[derive(Debug)]
pub struct Run {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed as data.
    pub stdout: String,
    /// What it printed about it.
    pub stderr: String,
}

impl Run {
    /// Itself, when it exited with this code.
    ///
    /// # Panics
    /// When it did not, with everything it printed.
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Its standard output as one JSON value per line.
    ///
    /// # Panics
    /// When a line is no JSON.
    #[must_use]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        self.stdout
            .lines()
            .filter(|line| !line.is_empty())
            .map(parse)
            .collect()
    }

    /// Its standard output as one JSON document.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

/// Runs `mef` with these arguments in a folder, and waits.
///
/// # Panics
/// When it cannot be started.
pub fn mef<A: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Run {
    Command::new(mef_binary())
        .args(arguments)
        .current_dir(folder)
        .env_remove("MEF_DATA")
        .stdin(Stdio::null())
        .output()
        .expect("mef starts")
        .into()
}
