//! The built binary in a folder of its own, and what it must print.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mef_pipeline::envelope::conformance::conform;
use serde_json::Value;
use tempfile::TempDir;

/// How long a state may take to come about before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A folder of one test.
pub(crate) struct Place(TempDir);

/// What one run gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// With files in it.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let place = Self::new();
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mef"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn mef<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        self.command(arguments).output().unwrap().into()
    }

    /// With something on stdin.
    pub(crate) fn mef_reads<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        stdin: &str,
    ) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that ends early does not read; that is no failure of the test.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap().into()
    }
}

impl From<std::process::Output> for Run {
    fn from(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Everything it printed.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub(crate) fn says(self, expected: &str) -> Self {
        assert!(
            self.all().contains(expected),
            "{expected:?} is not in\n{}",
            self.all()
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }

    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().for_each(check_mozdef);
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// A running `mef dev`; killed when it goes out of scope.
pub(crate) struct Dev {
    child: Child,
    log: PathBuf,
    pub(crate) listen: String,
    pub(crate) page: String,
    pub(crate) token: String,
}

impl Dev {
    #[track_caller]
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        let log = place.path().join("dev.log");
        let file = std::fs::File::create(&log).unwrap();
        let mut child = place
            .command(
                ["dev", "--listen", "127.0.0.1:0", "--page", "127.0.0.1:0"]
                    .iter()
                    .chain(arguments),
            )
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let word = place.path().join(".mef/dev.json");
        let begun = Instant::now();
        let told: Value = loop {
            if let Some(status) = child.try_wait().unwrap() {
                panic!(
                    "mef dev ended with {status}:\n{}",
                    std::fs::read_to_string(&log).unwrap()
                );
            }
            let own = std::fs::read(&word)
                .ok()
                .and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            if let Some(told) = own.filter(|told| told["pid"] == child.id()) {
                break told;
            }
            assert!(
                begun.elapsed() < DEADLINE,
                "not ready:\n{}",
                std::fs::read_to_string(&log).unwrap()
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        let text = |key: &str| told[key].as_str().unwrap().to_owned();
        let dev = Self {
            child,
            log,
            listen: text("listen"),
            page: text("page"),
            token: text("token"),
        };
        dev.until("it is ready", || dev.get("/readyz", false).0 == 200);
        dev
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for a state.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < DEADLINE, "waited for {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Status and body of a page.
    pub(crate) fn get(&self, path: &str, with_token: bool) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let mut request = agent.get(format!("http://{}{path}", self.page));
        if with_token {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        match request.call() {
            Ok(mut answer) => (
                answer.status().as_u16(),
                answer.body_mut().read_to_string().unwrap(),
            ),
            Err(error) => (0, error.to_string()),
        }
    }

    /// Asks it to stop, and waits for its exit code.
    #[track_caller]
    pub(crate) fn stop(self) -> i32 {
        self.stop_with("-TERM")
    }

    /// The same with another signal.
    #[track_caller]
    pub(crate) fn stop_with(mut self, signal: &str) -> i32 {
        let asked = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(asked.success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(begun.elapsed() < DEADLINE, "it does not stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Compares with `tests/golden/NAME`; with `UPDATE_GOLDEN=1` writes it instead, for a look at the difference in git. Digests
/// of definitions are left out: they change with every preset.
#[track_caller]
pub(crate) fn golden(name: &str, actual: &str) {
    let actual = without_digests(actual);
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    pretty_assertions::assert_eq!(actual, expected, "{} (UPDATE_GOLDEN=1 writes it)", path.display());
}

fn without_digests(text: &str) -> String {
    let mut parts = text.split("definition ");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.chars().take_while(char::is_ascii_hexdigit).count();
        let digest = if digits == 12 { "DIGEST" } else { &part[..digits] };
        masked.push_str(&format!("definition {digest}{}", &part[digits..]));
    }
    masked
}

/// The examples of the repository.
pub(crate) fn example(path: &str) -> String {
    std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../examples")
            .join(path),
    )
    .unwrap()
}

/// Holds a MozDef message that a command printed, byte for byte, against MozDef's ingestion rules.
fn check_mozdef(line: &str) {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        message: &'a serde_json::value::RawValue,
    }
    let Ok(Line { message }) = serde_json::from_str(line) else {
        return;
    };
    if message.get().contains("\"hostname\"") {
        conform(message.get().as_bytes()).unwrap_or_else(|faults| panic!("{faults:?} in {message}"));
    }
}
