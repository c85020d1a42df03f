//! A real Chromium, driven over WebDriver: what the page's tests do is what a person's browser does.
//!
//! The protocol is a dozen JSON calls (W3C WebDriver), spoken here by the HTTP client that the tests have already: the
//! crates for it bring a second HTTP client, or a licence that this project does not take.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a state may take to come about before a test fails.
const DEADLINE: Duration = Duration::from_secs(30);

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys as WebDriver names them.
pub mod key {
    /// Tab.
    pub const TAB: &str = "\u{e004}";
    /// Return.
    pub const ENTER: &str = "\u{e007}";
    /// Arrow down.
    pub const DOWN: &str = "\u{e015}";
    /// End.
    pub const END: &str = "\u{e010}";
    /// Home.
    pub const HOME: &str = "\u{e011}";
}

/// Why there is no browser here.
#[derive(Debug)]
pub struct NoBrowser(pub String);

/// One browser window with an empty profile; closed when it goes out of scope.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: TempDir,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark ink on light ground.
    Light,
    /// The other way round.
    Dark,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    /// Why there is none on this machine.
    ///
    /// # Panics
    /// When it is there and does not start.
    pub fn start() -> Result<Self, NoBrowser> {
        let driver = find(&["chromedriver"])?;
        let browser = find(&["chromium", "chromium-browser", "google-chrome"])?;
        let profile = TempDir::new().expect("a temporary folder");
        let mut child = Command::new(driver)
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let port = port_of(&mut child);
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1440,900",
            // A name that a stranger's DNS points to this machine.
            "--host-resolver-rules=MAP rebound.example 127.0.0.1",
        ];
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        let wish = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {
                "binary": browser,
                "args": arguments.iter().copied().chain([profile_argument.as_str()]).collect::<Vec<_>>(),
            },
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let url = format!("http://127.0.0.1:{port}/session");
        let value = call(&agent, "POST", &url, Some(&wish)).unwrap_or_else(|error| {
            let _ = child.kill();
            panic!("the browser does not start: {error}")
        });
        let id = value["sessionId"].as_str().expect("a session id").to_owned();
        Ok(Self {
            driver: child,
            session: format!("{url}/{id}"),
            agent,
            _profile: profile,
        })
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        call(&self.agent, method, &format!("{}{path}", self.session), body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Goes to a URL and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.call("POST", "/url", Some(&json!({ "url": url })));
    }

    /// The address of the page.
    #[must_use]
    pub fn address(&self) -> String {
        self.call("GET", "/url", None)
            .as_str()
            .expect("an address")
            .to_owned()
    }

    /// Runs a script's body in the page, with `arguments`; it may `await` and must `return` what is wanted.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let body = format!(
            "const done = arguments[arguments.length - 1]; const given = Array.from(arguments).slice(0, -1); \
             (async function () {{ {script} }}).apply(null, given).then((value) => done({{value: value ?? null}}), \
             (error) => done({{error: String(error)}}));"
        );
        let value = self.call(
            "POST",
            "/execute/async",
            Some(&json!({"script": body, "args": arguments})),
        );
        assert!(value.get("error").is_none(), "{}\n{script}", value["error"]);
        value["value"].clone()
    }

    /// What an element shows, by a CSS selector; empty where it is not there or not shown.
    #[must_use]
    pub fn text(&self, selector: &str) -> String {
        let script = "const found = document.querySelector(arguments[0]); return found && found.innerText;";
        self.run(script, &[json!(selector)])
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// How many elements fit a CSS selector.
    #[must_use]
    pub fn count(&self, selector: &str) -> u64 {
        let script = "return document.querySelectorAll(arguments[0]).length;";
        self.run(script, &[json!(selector)]).as_u64().expect("a number")
    }

    /// Clicks an element as a person does: it must be there, and seen.
    pub fn click(&self, selector: &str) {
        self.until(&format!("{selector} is there"), || self.count(selector) > 0);
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/click"), Some(&json!({})));
    }

    /// Types into an element.
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.call(
            "POST",
            &format!("/element/{element}/value"),
            Some(&json!({ "text": text })),
        );
    }

    /// Presses keys wherever the focus is.
    pub fn press(&self, keys: &[&str]) {
        let actions: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        let body = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.call("POST", "/actions", Some(&body));
    }

    fn element(&self, selector: &str) -> String {
        let wish = json!({"using": "css selector", "value": selector});
        let value = self.call("POST", "/element", Some(&wish));
        value[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// Waits for a state of the page.
    ///
    /// # Panics
    /// When it does not come about, with what the page shows.
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(
                started.elapsed() < DEADLINE,
                "waited for {what}\n{}\n{:?}",
                self.text("body"),
                self.complaints()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the browser complained about since it was asked last: errors of scripts, refused resources.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", Some(&json!({"type": "browser"})));
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .filter_map(|entry| entry["message"].as_str().map(str::to_owned))
            .collect()
    }

    /// Makes the page believe that the person prefers this.
    pub fn prefer(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": value}]}),
        );
    }

    /// Makes the window this wide, in CSS pixels; none: as it was.
    pub fn width(&self, pixels: Option<u32>) {
        let metrics =
            json!({"width": pixels.unwrap_or(0), "height": 0, "deviceScaleFactor": 0, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// A call of the browser's own protocol.
    fn devtools(&self, command: &str, parameters: &Value) {
        self.call(
            "POST",
            "/goog/cdp/execute",
            Some(&json!({"cmd": command, "params": parameters})),
        );
    }

    /// The cookies of the page, as the browser keeps them.
    #[must_use]
    pub fn cookies(&self) -> Vec<Value> {
        self.call("GET", "/cookie", None)
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Keeps a picture of the window, and says where.
    pub fn picture(&self, folder: &Path, name: &str) {
        let value = self.call("GET", "/screenshot", None);
        let bytes = STANDARD
            .decode(value.as_str().expect("a picture"))
            .expect("base64");
        fs::create_dir_all(folder).expect("a folder for pictures");
        let path = folder.join(format!("{name}.png"));
        fs::write(&path, bytes).expect("the picture is written");
        println!("picture: {}", path.display());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; the driver alone would leave it behind.
        let _ = call(&self.agent, "DELETE", &self.session, None);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn find(names: &[&str]) -> Result<PathBuf, NoBrowser> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            NoBrowser(format!(
                "no {} here; tests/bed/tools installs it",
                names.join(" or ")
            ))
        })
}

/// The driver chooses a free port and says which.
fn port_of(child: &mut Child) -> u16 {
    let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    for line in lines.map_while(Result::ok) {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().expect("a port");
        }
    }
    panic!("chromedriver does not say its port")
}

fn call(agent: &ureq::Agent, method: &str, url: &str, body: Option<&Value>) -> Result<Value, String> {
    let sent = match (method, body) {
        ("GET", _) => agent.get(url).call(),
        ("DELETE", _) => agent.delete(url).call(),
        (_, body) => {
            let text = body.map(Value::to_string).unwrap_or_default();
            agent
                .post(url)
                .header("content-type", "application/json")
                .send(text)
        }
    };
    let mut answer = sent.map_err(|error| error.to_string())?;
    let succeeded = answer.status().is_success();
    let text = answer
        .body_mut()
        .with_config()
        .limit(64 * 1_024 * 1_024)
        .read_to_string()
        .map_err(|error| error.to_string())?;
    let mut value: Value = serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))?;
    let value = value["value"].take();
    if succeeded {
        Ok(value)
    } else {
        Err(format!("{}: {}", value["error"], value["message"]))
    }
}
