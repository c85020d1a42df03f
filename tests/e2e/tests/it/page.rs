//! The page of `mef dev` in a real Chromium, as a person uses it.
//!
//! Pictures of every view, light and dark, are kept under the target folder (`pictures/`); the test prints where.

mod accessible;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use mef_e2e::{Browser, Dev, Scheme, Zoom, key, mef, skip};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::story::{secret_of, zoom_folder};

/// A source that runs, and a browser on its page.
struct Desk {
    browser: Browser,
    dev: Dev,
    zoom: Zoom,
    folder: TempDir,
}

impl Desk {
    /// None where there is no browser.
    fn open() -> Option<Self> {
        let browser = browser()?;
        let folder = zoom_folder();
        let dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
        let zoom = Zoom::new(&secret_of(folder.path()));
        browser.open(&format!("http://{}/?token={}", dev.page, dev.token));
        browser.until("the page is open and follows", || {
            browser.text("#connection") == "live" && browser.count("#sources .card") == 1
        });
        Some(Self {
            browser,
            dev,
            zoom,
            folder,
        })
    }

    fn view(&self, name: &str) {
        self.browser.click(&format!("nav a[href='#/{name}']"));
        let seen = format!("#view-{name}:not([hidden])");
        self.browser.until(name, || self.browser.count(&seen) == 1);
    }

    fn deliver(&self, body: &[u8]) {
        let answer = self
            .dev
            .post("/zoom", &self.zoom.headers(body), body)
            .expect("an answer");
        assert_eq!(answer.status, 200);
    }

    fn rows(&self, list: &str) -> u64 {
        self.browser.count(&format!("#{list} [role=option]"))
    }

    /// The browser's window in both schemes.
    fn pictures(&self, name: &str) {
        for (scheme, word) in [(Scheme::Dark, "dark"), (Scheme::Light, "light")] {
            self.browser.prefer(scheme);
            self.browser.picture(&pictures(), &format!("{name}-{word}"));
        }
    }

    /// Nothing went wrong in the page.
    fn is_content(&self) {
        assert_eq!(self.browser.complaints(), Vec::<String>::new());
    }
}

fn browser() -> Option<Browser> {
    match Browser::start() {
        Ok(browser) => Some(browser),
        Err(why) => {
            skip(&why.0);
            None
        }
    }
}

/// `<target>/pictures`.
fn pictures() -> PathBuf {
    let own = std::env::current_exe().expect("the test knows its own path");
    own.ancestors()
        .nth(3)
        .expect("three folders deep")
        .join("pictures")
}

/// A `user.created` that the example's schema refuses.
fn refused(serial: &str) -> Vec<u8> {
    let text = String::from_utf8(Zoom::user_created(serial)).expect("text");
    text.replace("\"type\":1", "\"type\":99").into_bytes()
}

/// A site of somebody else on this machine, which answers everything with this page.
fn other_site(page: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4_096]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close";
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{page}", page.len());
        }
    });
    address
}

#[test]
fn a_first_visit_asks_for_the_token_and_other_sites_are_refused() {
    let Some(browser) = browser() else { return };
    let folder = zoom_folder();
    let dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
    let page = format!("http://{}", dev.page);
    browser.open(&format!("{page}/"));
    assert!(browser.text("body").contains("Open the URL that mef dev printed"));
    browser.open(&format!("{page}/?token=guessed"));
    assert!(browser.text("body").contains("This token is not the one"));
    assert_eq!(browser.count("#sources"), 0);

    browser.open(&format!("{page}/?token={}", dev.token));
    browser.until("the page is open", || browser.count("#sources .card") == 1);
    assert_eq!(
        browser.address(),
        format!("{page}/"),
        "the token is not left in the address"
    );
    let cookies = browser.cookies();
    assert_eq!(
        (&cookies[0]["httpOnly"], &cookies[0]["sameSite"]),
        (&json!(true), &json!("Strict"))
    );
    assert_eq!(browser.run("return document.cookie;", &[]), "");
    browser.until("it follows", || browser.text("#connection") == "live");
    let complaints = browser.complaints();
    assert!(
        complaints.iter().all(|line| line.contains("401")),
        "only the two first visits were refused: {complaints:?}"
    );

    // A name that leads here is not this page's, whoever has the token.
    let port = dev.page.rsplit(':').next().expect("a port").to_owned();
    browser.open(&format!("http://rebound.example:{port}/?token={}", dev.token));
    assert!(
        browser
            .text("body")
            .contains("answers to 127.0.0.1 and localhost only")
    );

    // Another port is another site's page, and yet the browser sends it the same cookies.
    let _ = mef(folder.path(), ["send", "zoom-source.yaml", "user.created-sso"]).exits(0);
    let other = other_site("<!doctype html><title>other</title><iframe></iframe>");
    browser.open(&format!("http://{other}/"));
    let tried = browser.run(
        "const page = arguments[0];
         const tell = (work) => work.then((answer) => answer.type + ' ' + answer.status, () => 'refused');
         const order = JSON.stringify({source: 'default/zoom', dryRun: false});
         const send = {method: 'POST', mode: 'no-cors', credentials: 'include', body: order};
         const streamed = new Promise((done) => {
           const source = new EventSource(page + '/page/live', {withCredentials: true});
           source.onopen = () => done('open');
           source.onerror = () => done('refused');
         });
         const frame = document.querySelector('iframe');
         const framed = new Promise((done) => { frame.onload = done; frame.src = page + '/'; });
         await framed;
         let inside = 'refused';
         try { inside = frame.contentWindow.document.title; } catch {}
         return [
           await tell(fetch(page + '/page/state', {credentials: 'include'})),
           await tell(fetch(page + '/page/replay', send)),
           await streamed,
           inside,
         ];",
        &[json!(page)],
    );
    assert_eq!(tried, json!(["refused", "refused", "refused", "refused"]));
    let framed = browser.complaints();
    assert!(
        framed.iter().any(|line| line.contains("frame-ancestors")),
        "{framed:?}"
    );
    let state: Value = serde_json::from_slice(&dev.get("/page/state").body).expect("JSON");
    assert_eq!(state["counts"]["default/zoom"]["dead"], 1, "nothing was replayed");
    assert_eq!(dev.stop(), 0);
}

#[test]
fn from_set_up_to_a_replay_without_leaving_the_page() {
    let Some(desk) = Desk::open() else { return };
    let Desk {
        browser,
        dev,
        zoom,
        folder,
    } = &desk;
    // Set-up: the URL in the steps, the secret's file, and a challenge that was never seen, and then was.
    let card = browser.text("#sources .card");
    let url = format!("http://{}/zoom", dev.listen);
    for wanted in [
        &format!("enter {url} as the event notification endpoint URL"),
        "marketplace.zoom.us",
        ".mef/secrets/default/zoom-webhook/secretToken",
        "never seen",
    ] {
        assert!(card.contains(wanted), "{wanted:?} is not in {card}");
    }
    let secret = String::from_utf8(secret_of(folder.path())).expect("text");
    assert!(!card.contains(&secret), "the secret is shown");
    desk.pictures("sources");
    let challenge =
        br#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#;
    desk.deliver(challenge);
    browser.until("the challenge is told", || {
        browser.text("[data-challenge]").contains("answered at")
    });

    // Events appear by themselves, within a second: half of them sooner than that, on a machine with other work.
    desk.view("requests");
    let mut times: Vec<Duration> = (0..7)
        .map(|number| {
            let before = desk.rows("requests");
            let begun = Instant::now();
            desk.deliver(&Zoom::user_created(&format!("timed-{number}")));
            browser.until("the event is there", || desk.rows("requests") > before);
            begun.elapsed()
        })
        .collect();
    times.sort();
    println!("from sending to being seen: {times:?}");
    assert!(times[3] < Duration::from_secs(1), "{times:?}");
    browser.press(&[key::TAB]);
    browser.run("document.getElementById('requests').focus();", &[]);
    browser.until("one is chosen", || {
        browser
            .text("#request")
            .contains("The message in the queue".to_uppercase().as_str())
    });
    let stages = browser.text("#request .stages");
    for stage in [
        "receive",
        "challenge",
        "verify",
        "parse",
        "validate",
        "filter",
        "transform",
        "envelope",
        "deliver",
    ] {
        assert!(stages.contains(stage), "{stage} is not in {stages}");
    }
    assert!(browser.text("#request .code").contains("zoom_host"));

    // A forged one is told by its reason alone.
    let forged = Zoom::user_created("forged");
    let mut headers = zoom.headers(&forged);
    headers[2].1 = "v0=00".to_owned();
    assert_eq!(
        dev.post("/zoom", &headers, &forged).expect("an answer").status,
        401
    );
    browser.until("it is there", || browser.text("#requests").contains("rejected"));

    // A dead letter, and where in its body the mistake is.
    desk.deliver(&refused("late"));
    browser.until("it is told", || browser.text("#count-dead") == "1");
    desk.pictures("requests");
    desk.view("dead");
    browser.click("#dead [role=option]");
    browser.until("it is open", || browser.count("#letter mark") == 1);
    assert_eq!(browser.text("#letter mark"), "99");
    assert!(browser.text("#letter .marked-note").contains("not one of 1 or 2"));
    desk.pictures("dead-letter");

    // A mistake in the correction is said; then the correction is tried, and done.
    let file = folder.path().join("zoom-source.yaml");
    let source = fs::read_to_string(&file).expect("the source");
    fs::write(&file, source.replace("provider: zoom", "provider: zom")).expect("it is written");
    browser.until("the mistake is told", || {
        browser.text("#problems").contains("did you mean \"zoom\"?")
    });
    fs::write(&file, source.replace("enum: [1, 2]", "enum: [1, 2, 99]")).expect("it is written");
    browser.until("the mistake is gone", || browser.count("#problems[hidden]") == 1);
    browser.click("#letter .actions button:first-child");
    browser.until("the dry run is done", || {
        browser.count("#replay[data-state=done]") == 1
    });
    assert!(
        browser
            .text("#replay .replay-status")
            .contains("1 would be delivered")
    );
    assert!(browser.text("#replay .removed").contains("dead letter: schema"));
    assert!(
        browser
            .text("#replay .diff")
            .contains("\"hostname\": \"zoom_host\"")
    );
    assert_eq!(browser.text("#count-dead"), "1", "a dry run changes nothing");
    desk.pictures("dry-run");
    browser.click("#letter .actions button:last-child");
    browser.until("the replay is done", || {
        browser
            .text("#replay .replay-status")
            .starts_with("1 letter: 1 delivered")
    });
    browser.until("what is gone is closed", || {
        browser.text("#letter h2") == "Nothing chosen"
    });
    browser.until("no dead letter is left", || {
        browser.text("#count-dead") == "0" && desk.rows("dead") == 0
    });
    desk.view("queue");
    browser.until("the events are in the queue", || desk.rows("queue") == 8);

    // Both laws.
    desk.view("counters");
    let equations = browser.run(
        "return [...document.querySelectorAll('.equation')].map((line) => line.innerText.replace(/\\s+/g, ' '));",
        &[],
    );
    assert_eq!(
        equations,
        json!([
            "10 received = 1 challenged + 1 rejected + 8 accepted + 0 unavailable + 0 in flight ✓ adds up",
            "8 parsed = 7 delivered + 0 duplicate + 1 dead-lettered + 0 filtered ✓ adds up"
        ])
    );
    desk.pictures("counters");
    desk.is_content();
}

#[test]
fn what_a_sender_writes_is_text_and_nothing_else() {
    let Some(desk) = Desk::open() else { return };
    let browser = &desk.browser;
    let hostile = "<script>window.taken=1</script><img src=x onerror=window.taken=1>\u{202e}gpj.exe";
    let text = |kind: &str| {
        let mut event: Value = serde_json::from_slice(&Zoom::user_created("hostile")).expect("JSON");
        event["payload"]["object"]["first_name"] = json!(hostile);
        event["payload"]["object"]["type"] = json!(kind);
        event["event"] = json!("user.created");
        event["payload"][hostile] = json!({"</pre><script>window.taken=1</script>": 1});
        event.to_string().into_bytes()
    };
    desk.deliver(&text(hostile));
    let mut shown: Value = serde_json::from_slice(&Zoom::user_created("kind")).expect("JSON");
    shown["event"] = json!(hostile);
    desk.deliver(shown.to_string().as_bytes());
    desk.deliver(format!("no JSON: {hostile}").as_bytes());
    let check = |place: &str| {
        let found = browser.run(
            "const place = document.querySelector(arguments[0]);
             return [window.taken ?? null, place.querySelectorAll('script, img, iframe, object, embed').length,
                     place.innerText.includes('<script>window.taken=1</script>'), place.innerText.includes('U+202E'),
                     place.textContent.includes('\\u202e')];",
            &[json!(place)],
        );
        assert_eq!(found, json!([null, 0, true, true, false]), "{place}");
    };
    desk.view("requests");
    browser.until("they are there", || desk.rows("requests") == 3);
    check("#requests");
    browser.run(
        "const row = [...document.querySelectorAll('#requests [role=option]')].find((row) => row.innerText.includes('U+202E')); row.click();",
        &[],
    );
    browser.until("it is open", || browser.count("#request .stages") > 0);
    check("#request");
    desk.view("dead");
    browser.until("they are there", || desk.rows("dead") == 2);
    for number in [1, 2] {
        browser.run(
            "document.querySelectorAll('#dead [role=option]')[arguments[0] - 1].click();",
            &[json!(number)],
        );
        browser.until("it is open", || browser.text("#letter").contains("U+202E"));
        check("#letter");
    }
    desk.is_content();
}

#[test]
fn ten_thousand_events_and_the_page_stays_usable() {
    let Some(desk) = Desk::open() else { return };
    let browser = &desk.browser;
    desk.view("requests");
    let count = 10_000;
    thread::scope(|scope| {
        for sender in 0..4 {
            let (dev, zoom) = (&desk.dev, &desk.zoom);
            scope.spawn(move || {
                for number in 0..count / 4 {
                    let serial = format!("{sender}-{number}");
                    let body = if number % 50 == 0 {
                        refused(&serial)
                    } else {
                        Zoom::user_created(&serial)
                    };
                    let answer = dev.post("/zoom", &zoom.headers(&body), &body).expect("an answer");
                    assert_eq!(answer.status, 200);
                }
            });
        }
    });
    browser.until("all are told", || {
        browser.text("#requests-foot").starts_with("10,000 requests")
    });
    let nodes = browser.count("*");
    assert!(nodes < 3_000, "{nodes} elements");
    browser.until("the dead ones are counted", || {
        browser.text("#count-dead") == "200"
    });
    // From one end to the other, and what is there is there.
    browser.run("document.getElementById('requests').focus();", &[]);
    for (pressed, position) in [(key::END, "10000"), (key::HOME, "1"), (key::DOWN, "2")] {
        browser.press(&[pressed]);
        let chosen = format!("#requests [role=option][aria-selected=true][aria-posinset='{position}']");
        browser.until("the row is chosen", || browser.count(&chosen) == 1);
        let active = browser.run(
            "const list = document.getElementById('requests');
             return document.getElementById(list.getAttribute('aria-activedescendant')).getAttribute('aria-posinset');",
            &[],
        );
        assert_eq!(active, position);
    }
    browser.until("the row is open", || browser.count("#request .stages") > 0);
    assert!(browser.count("*") < 3_000);
    // A search over all of them.
    browser.type_into("#view-requests-text", "3-2499");
    browser.until("one is found", || desk.rows("requests") == 1);
    browser.click("#view-requests form button");
    browser.until("the search is over", || desk.rows("requests") > 10);
    // Frames come while more arrive: the page never stands still for long.
    let longest = thread::scope(|scope| {
        let more = scope.spawn(|| {
            (0..300).for_each(|number| desk.deliver(&Zoom::user_created(&format!("more-{number}"))));
        });
        let longest = browser.run(
            "let longest = 0, last = performance.now();
             for (let frame = 0; frame < 120; frame += 1) {
               await new Promise(requestAnimationFrame);
               const now = performance.now();
               longest = Math.max(longest, now - last);
               last = now;
             }
             return longest;",
            &[],
        );
        more.join().expect("they were taken");
        longest.as_f64().expect("milliseconds")
    });
    println!("{nodes} elements for {count} events; the longest frame while more came took {longest:.0} ms");
    assert!(longest < 1_000.0, "{longest} ms");
    browser.until("all of them are counted", || {
        browser.text("#count-requests") == "10,300"
    });
    desk.view("dead");
    browser.until("the letters are there", || {
        browser
            .text("#dead-foot")
            .starts_with("200 dead letters: 200 schema")
    });
    desk.pictures("ten-thousand");
    // All of them at once, after a question.
    let file = desk.folder.path().join("zoom-source.yaml");
    let source = fs::read_to_string(&file).expect("the source");
    fs::write(&file, source.replace("enum: [1, 2]", "enum: [1, 2, 99]")).expect("it is written");
    browser.click("#dead-actions > button.primary");
    browser.click("dialog[open] button.primary");
    browser.until("all are replayed", || {
        browser
            .text("#replay .replay-status")
            .starts_with("200 letters: 200 delivered, 0 failed again")
    });
    browser.until("none is left", || {
        browser.text("#count-dead") == "0" && desk.rows("dead") == 0
    });
    desk.is_content();
}
