//! The machine and the versions a report is of.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::contestant::Programs;

/// What a reader needs to judge or repeat the figures.
pub(crate) fn about(seed: u64, programs: &Programs) -> BTreeMap<String, String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let line = |path: &str, name: &str| {
        let text = read(path);
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found
            .unwrap_or_default()
            .trim_start_matches(['\t', ' ', ':'])
            .to_owned()
    };
    let build = if cfg!(debug_assertions) {
        "debug: shows that everything runs, and no figure of it means anything"
    } else {
        "release"
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut found = BTreeMap::from(
        [
            ("seed", seed.to_string()),
            ("processor", line("/proc/cpuinfo", "model name")),
            ("processors for the load", cores.to_string()),
            ("memory", line("/proc/meminfo", "MemTotal")),
            ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
            ("load before", read("/proc/loadavg").trim().to_owned()),
            ("mef", env!("CARGO_PKG_VERSION").to_owned()),
            ("build", build.to_owned()),
            (
                "Python's packages",
                include_str!("../peers/requirements.in").replace('\n', " "),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    for (name, program) in &programs.others {
        found.insert(name.clone(), version(program));
    }
    if let Some(python) = &programs.python {
        found.insert("Python".to_owned(), version(&python.join("bin/python")));
    }
    found
}

/// What a program says of itself: the first line, wherever it writes it.
fn version(program: &Path) -> String {
    // nginx knows only the short one, and tells it to stderr.
    let option = if program.ends_with("nginx") {
        "-v"
    } else {
        "--version"
    };
    let Ok(said) = Command::new(program).arg(option).output() else {
        return "does not run".to_owned();
    };
    let said = [said.stdout, said.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    said.lines().next().unwrap_or_default().to_owned()
}
