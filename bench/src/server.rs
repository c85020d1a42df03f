//! A server under test as a process of its own, on a core of its own, and what the system says it used.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;

/// Where servers under test run; the load has the other core.
const FIRST_CORE: [&str; 3] = ["taskset", "-c", "0"];

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// What a server says of itself.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
pub(crate) struct Counters {
    /// Allocations so far.
    pub(crate) allocations: u64,
    /// How often data was made durable.
    pub(crate) syncs: u64,
    /// Messages taken, by the SQS that takes everything.
    pub(crate) messages: u64,
    /// Events and dead letters that the receiver's own queue holds.
    pub(crate) kept: (u64, u64),
}

impl Server {
    /// Starts one, pinned to the first core.
    pub(crate) fn start(contestant: &str, schema: &Path, rules: usize) -> anyhow::Result<Self> {
        Self::start_with(contestant, schema, rules, &[])
    }

    /// Starts the receiver as a pod is: with the definition of one source.
    pub(crate) fn pod(definition: &Path) -> anyhow::Result<Self> {
        let options = ["--definition".as_ref(), definition.as_os_str()];
        Self::begin(&FIRST_CORE, "mef", &options)
    }

    /// The same, with more options.
    pub(crate) fn start_with(
        contestant: &str,
        schema: &Path,
        rules: usize,
        options: &[&str],
    ) -> anyhow::Result<Self> {
        let rules = rules.to_string();
        let mut all = vec![
            "--schema".as_ref(),
            schema.as_os_str(),
            "--rules".as_ref(),
            rules.as_ref(),
        ];
        all.extend(options.iter().map(|option| -> &OsStr { option.as_ref() }));
        Self::begin(&FIRST_CORE, contestant, &all)
    }

    /// Starts the SQS that takes everything, beside the load: what it costs is nobody's.
    pub(crate) fn sqs() -> anyhow::Result<Self> {
        Self::begin(&["taskset", "-c", "1"], "sqs", &[])
    }

    /// Starts one under another program, as taskset or valgrind.
    pub(crate) fn begin(under: &[&str], contestant: &str, options: &[&OsStr]) -> anyhow::Result<Self> {
        let (program, arguments) = under.split_first().context("a program")?;
        let mut child = Command::new(program)
            .args(arguments)
            .arg(std::env::current_exe()?)
            .args(["serve", contestant])
            .args(options)
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{program} does not run (taskset is of util-linux)"))?;
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let port: u16 = line
            .trim()
            .parse()
            .with_context(|| format!("{contestant} did not start"))?;
        Ok(Self {
            child,
            stdin,
            stdout,
            address: ([127, 0, 0, 1], port).into(),
        })
    }

    /// Lets it end by itself.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        drop(self.stdin.take());
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "a server ended with {status}");
        Ok(())
    }

    /// Asks it for its counters.
    pub(crate) fn counters(&mut self) -> anyhow::Result<Counters> {
        let stdin = self.stdin.as_mut().context("its stdin is closed")?;
        writeln!(stdin, "counters")?;
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Time on a processor so far, of all its threads, in nanoseconds (the first number of `schedstat`).
    pub(crate) fn cpu(&self) -> anyhow::Result<u64> {
        cpu_of(self.child.id())
    }

    /// Memory in MB (1,048,576 bytes): `VmRSS:` what it has now, `VmHWM:` the most it ever had.
    pub(crate) fn memory(&self, line: &str) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(self.proc("status"))?;
        let kilobytes = text.lines().find_map(|text| text.strip_prefix(line));
        let kilobytes = kilobytes.with_context(|| format!("no {line}"))?;
        Ok(kilobytes.trim().trim_end_matches(" kB").parse::<f64>()? / 1_024.0)
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }
}

/// Time on a processor so far, of all threads of a process, in nanoseconds.
pub(crate) fn cpu_of(process: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(sum)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
