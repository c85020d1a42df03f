//! Every sender that publishes keys, as `tests/bed/senders.py` plays it.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mef_e2e::repository;
use serde_json::{Map, Value};
use tempfile::TempDir;

/// Where pods look names up: the bridge.
pub(super) const NAMESERVER: &str = "10.244.0.1";
/// Where every name leads: an address of the internet, or it would not be called. It is on the bridge alone.
const ADDRESS: &str = "11.254.254.254";

pub(super) struct Senders {
    child: Child,
    folder: TempDir,
    published: RefCell<Map<String, Value>>,
}

impl Senders {
    /// An error is a reason to skip.
    pub(super) fn start() -> Result<Self, String> {
        let cache = std::env::var("MEF_CACHE")
            .unwrap_or_else(|_| format!("{}/.cache/mef", std::env::var("HOME").expect("a home")));
        let python = Path::new(&cache).join("vectors/bin/python");
        if !python.exists() {
            return Err(format!(
                "{} is missing: `make tools` installs it",
                python.display()
            ));
        }
        let address = ["address", "replace", &format!("{ADDRESS}/32"), "dev", "mef0"];
        let added = Command::new("ip").args(address).status().expect("ip runs");
        assert!(added.success(), "ip {address:?}");
        let folder = TempDir::new().expect("a temporary folder");
        let mut child = Command::new(python)
            .arg(repository().join("tests/bed/senders.py"))
            .arg(ADDRESS)
            .arg(folder.path())
            .arg(NAMESERVER)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("errors")).expect("a writable folder"))
            .spawn()
            .expect("Python starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        output.read_line(&mut line).expect("it says that it is ready");
        assert_eq!(
            line,
            "ready\n",
            "{}",
            fs::read_to_string(folder.path().join("errors")).unwrap_or_default()
        );
        let log = folder.path().join("log");
        std::thread::spawn(move || {
            let mut file = fs::File::create(log).expect("a writable folder");
            // It ends with the process.
            let _ = std::io::copy(&mut output, &mut file);
        });
        Ok(Self {
            child,
            folder,
            published: RefCell::default(),
        })
    }

    /// The authority that vouches for them.
    pub(super) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What a caller of this address finds; "" is everybody else.
    pub(super) fn publish(&self, caller: &str, keys: &Value) {
        let mut published = self.published.borrow_mut();
        published.insert(caller.to_owned(), keys.clone());
        let (part, whole) = (
            self.folder.path().join("part"),
            self.folder.path().join("keys.json"),
        );
        fs::write(&part, Value::Object(published.clone()).to_string()).expect("a writable folder");
        fs::rename(part, whole).expect("a writable folder");
    }

    /// Who fetched what.
    pub(super) fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log + &fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default()
    }
}

impl Drop for Senders {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
