//! A running `mef dev` of one's own: free ports, a folder of its own, stopped when it goes out of scope.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::mef::mef_binary;

/// How long a state may take to come about before a test fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running `mef dev`.
pub struct Dev {
    child: Child,
    /// The process itself, which is a child of the child when a tracer runs it.
    pid: u32,
    folder: PathBuf,
    /// Where sources listen, as `127.0.0.1:4711`.
    pub listen: String,
    /// Where probes, metrics and the control endpoints listen.
    pub page: String,
    /// What the control endpoints ask for.
    pub token: String,
}

/// What an endpoint answered.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

impl Dev {
    /// Starts `mef dev` for files in `folder`, with its data under `folder/.mef`, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready, with its log.
    #[must_use]
    pub fn start(folder: &Path, files: &[&str]) -> Self {
        Self::start_with(folder, files, &mut Command::new(mef_binary()))
    }

    /// The same under another program (a tracer) whose arguments end with the binary's path.
    ///
    /// # Panics
    /// When it does not become ready, with its log.
    #[must_use]
    pub fn start_with(folder: &Path, files: &[&str], command: &mut Command) -> Self {
        let dev_file = folder.join(".mef/dev.json");
        // A process that was killed leaves the file; the new one's must not be mistaken for it.
        let _ = fs::remove_file(&dev_file);
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("dev.log"))
            .expect("a log file");
        let mut child = command
            .arg("dev")
            .args(files)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--page",
                "127.0.0.1:0",
                "--data",
                ".mef",
            ])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("one more handle"))
            .stderr(log)
            .spawn()
            .expect("mef starts");
        let started = Instant::now();
        let described = loop {
            if let Some(status) = child.try_wait().expect("the child can be asked") {
                panic!("mef dev ended with {status}:\n{}", read_log(folder));
            }
            if let Some(described) = fs::read(&dev_file)
                .ok()
                .and_then(|text| serde_json::from_slice::<Value>(&text).ok())
            {
                break described;
            }
            assert!(
                started.elapsed() < DEADLINE,
                "mef dev is not ready:\n{}",
                read_log(folder)
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        let text = |key: &str| {
            described[key]
                .as_str()
                .unwrap_or_else(|| panic!("{key} is missing in {described}"))
                .to_owned()
        };
        let pid = described["pid"]
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok())
            .expect("dev.json has the pid");
        let dev = Self {
            child,
            pid,
            folder: folder.to_owned(),
            listen: text("listen"),
            page: text("page"),
            token: text("token"),
        };
        dev.until("it is ready", || dev.get("/readyz").status == 200);
        dev
    }

    /// Everything it printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        read_log(&self.folder)
    }

    /// Waits for a state.
    ///
    /// # Panics
    /// When it does not come about, with the log.
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < DEADLINE, "waited for {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Posts to a source.
    #[must_use]
    pub fn post(&self, path: &str, headers: &[(String, String)], body: &[u8]) -> Option<Answer> {
        post(&format!("http://{}{path}", self.listen), headers, body)
    }

    /// Reads one of the pages for probes and metrics.
    ///
    /// # Panics
    /// When it cannot be reached.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        let agent = agent();
        let url = format!("http://{}{path}", self.page);
        let request = agent
            .get(&url)
            .header("authorization", format!("Bearer {}", self.token));
        match request.call() {
            Ok(mut answer) => Answer {
                status: answer.status().as_u16(),
                body: answer.body_mut().read_to_vec().expect("the body can be read"),
            },
            Err(error) => Answer {
                status: 0,
                body: error.to_string().into_bytes(),
            },
        }
    }

    /// Kills it, as a crash would.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ended");
    }

    /// Asks it to stop and waits for its exit code.
    ///
    /// # Panics
    /// When it does not stop in time.
    pub fn stop(mut self) -> i32 {
        terminate(self.pid);
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                return status.code().unwrap_or(-1);
            }
            assert!(
                started.elapsed() < DEADLINE,
                "mef dev does not stop:\n{}",
                self.log()
            );
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

/// Posts once; `None` when no answer came back.
#[must_use]
pub fn post(url: &str, headers: &[(String, String)], body: &[u8]) -> Option<Answer> {
    let agent = agent();
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut answer = request.send(body).ok()?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().read_to_vec().ok()?;
    Some(Answer { status, body })
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}

fn terminate(pid: u32) {
    let status = Command::new("kill")
        .args(["-TERM", &pid.to_string()])
        .status()
        .expect("kill runs");
    assert!(status.success());
}

fn read_log(folder: &Path) -> String {
    fs::read_to_string(folder.join("dev.log")).unwrap_or_default()
}
