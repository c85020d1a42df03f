//! `mef dev`: set-up text, secrets, reload, the page, and how it ends.

use std::path::Path;

use crate::support::{Dev, Place, example};

const GITHUB: &str = "\
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: github}
spec:
  webhook:
    provider: github
    secrets: [{secretRef: {name: github-webhook, key: secret}}]
";

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_text_says_where_the_source_is_what_to_do_at_the_vendor_and_where_the_secret_is() {
    let place = Place::with(&[
        ("github.yaml", GITHUB),
        ("zoom.yaml", &example("zoom/zoom-source.yaml")),
    ]);
    let dev = Dev::start(&place, &["github.yaml", "zoom.yaml"]);
    let log = dev.log();
    let secrets = place.path().join(".mef/secrets/default");
    for wanted in [
        &format!("http://{}/github", dev.listen),
        &format!("http://{}/zoom", dev.listen),
        "1. ",
        ".mef/secrets/default/github-webhook/secret",
        "A STAND-IN",
        "--secret zoom-webhook/secretToken=@FILE",
        "mef send zoom.yaml user.created",
    ] {
        assert!(log.contains(wanted), "{wanted:?} is not in\n{log}");
    }
    assert!(!log.contains("{url}"), "{log}");
    for secret in ["github-webhook/secret", "zoom-webhook/secretToken"] {
        let path = secrets.join(secret);
        assert_eq!(mode(&path), 0o600, "{secret}");
        let value = std::fs::read_to_string(path).unwrap();
        assert_eq!(value.len(), 64, "{secret}");
        assert!(!log.contains(&value), "the secret is shown:\n{log}");
    }
    assert_eq!(mode(&place.path().join(".mef/dev.json")), 0o600);
    assert_eq!(log.matches(&dev.token).count(), 1, "the token is printed once");
    assert_eq!(dev.stop(), 0);
    assert!(
        !place.path().join(".mef/dev.json").exists(),
        "who is gone is not found"
    );
}

#[test]
fn a_made_secret_stays_and_a_pasted_one_is_taken_while_it_runs() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let file = place.path().join(".mef/secrets/default/zoom-webhook/secretToken");
    let dev = Dev::start(&place, &["zoom.yaml"]);
    let made = std::fs::read(&file).unwrap();
    assert_eq!(dev.stop(), 0);
    let dev = Dev::start(&place, &["zoom.yaml"]);
    assert_eq!(std::fs::read(&file).unwrap(), made);
    assert!(dev.log().contains("A STAND-IN"), "{}", dev.log());
    std::fs::write(&file, "the-vendors-own\r\n").unwrap();
    dev.until("the pasted secret is read", || {
        dev.log().contains("secrets were read again")
    });
    place.write("exact.txt", "the-vendors-own");
    place
        .mef([
            "send",
            "zoom.yaml",
            "user.created",
            "--secret",
            "zoom-webhook=@exact.txt",
        ])
        .exits(0);
    assert_eq!(dev.stop(), 0);
    let dev = Dev::start(&place, &["zoom.yaml"]);
    assert!(
        !dev.log().contains("A STAND-IN") && !dev.log().contains("the-vendors-own"),
        "{}",
        dev.log()
    );
    assert_eq!(dev.stop(), 0);
}

#[test]
fn a_given_secret_is_kept_so_that_send_finds_it() {
    let place = Place::with(&[
        ("zoom.yaml", &example("zoom/zoom-source.yaml")),
        // As an editor or echo leaves it.
        ("token.txt", "given-token\n"),
        ("exact.txt", "given-token"),
    ]);
    let dev = Dev::start(&place, &["zoom.yaml", "--secret", "zoom-webhook=@token.txt"]);
    let kept = place.path().join(".mef/secrets/default/zoom-webhook/secretToken");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "given-token");
    assert_eq!(mode(&kept), 0o600);
    place.mef(["send", "zoom.yaml", "user.created"]).exits(0);
    place
        .mef([
            "send",
            "zoom.yaml",
            "user.created",
            "--secret",
            "zoom-webhook=@exact.txt",
        ])
        .exits(0);
    assert!(!dev.log().contains("given-token"), "{}", dev.log());
}

#[test]
fn a_save_is_taken_and_a_broken_one_is_not() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let dev = Dev::start(&place, &["zoom.yaml"]);
    let definition = || {
        let sent = place.mef([
            "send",
            "zoom.yaml",
            "user.created",
            "--to",
            &format!("http://{}", dev.listen),
            "-o",
            "json",
        ]);
        sent.exits(0).json_lines()[0]["definition"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let old = definition();
    place.write(
        "zoom.yaml",
        &example("zoom/zoom-source.yaml").replace("provider: zoom", "provider: zom"),
    );
    dev.until("the mistake is told", || {
        dev.log().contains("not reloaded") && dev.log().contains("zoom.yaml:")
    });
    place.write(
        "zoom.yaml",
        &format!(
            "{}\n  format: Raw\n",
            example("zoom/zoom-source.yaml").replace("  samples:", "  unused:")
        ),
    );
    dev.until("the next mistake is told", || {
        dev.log().matches("unused").count() > 0
    });
    let sound = example("zoom/zoom-source.yaml").replace("user.presence_status_updated", "user.signed_out");
    let sound: String = sound.split("  # What must come").next().unwrap().to_owned();
    place.write("zoom.yaml", &sound);
    dev.until("the new definition serves", || definition() != old);
    dev.until("it says so", || {
        dev.log().contains(&old) && dev.log().contains(&definition())
    });
    assert_eq!(dev.stop(), 0);
}

#[test]
fn a_source_can_come_while_it_runs() {
    let place = Place::with(&[("sources/zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let dev = Dev::start(&place, &["sources"]);
    place.write("sources/github.yaml", GITHUB);
    dev.until("the new source serves", || {
        dev.log().contains(&format!("http://{}/github", dev.listen))
    });
    place.mef(["send", "sources/github.yaml", "push"]).exits(0);
    let reloaded = || dev.log().matches("reloaded:").count();
    assert_eq!(
        reloaded(),
        1,
        "nothing is said of what is as before\n{}",
        dev.log()
    );
    place.write("sources/github.yaml", &format!("{GITHUB}# nothing new\n"));
    dev.until("it says that it looked", || {
        dev.log()
            .contains("every definition and every secret is the same")
    });
    assert_eq!(reloaded(), 2, "{}", dev.log());
    assert_eq!(dev.stop(), 0);
}

#[test]
fn logs_are_json_lines_and_ctrl_c_is_a_clean_end() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let dev = Dev::start(&place, &["zoom.yaml"]);
    place.mef(["send", "zoom.yaml", "user.created"]).exits(0);
    place
        .mef(["send", "zoom.yaml", "user.created", "--tamper", "body"])
        .exits(1);
    place.write("zoom.yaml", "broken: [\n");
    dev.until("the mistake is told", || dev.log().contains("not reloaded"));
    let file = place.path().join("dev.log");
    let announced = place.path().join(".mef/dev.json");
    assert_eq!(dev.stop_with("-INT"), 0);
    assert!(!announced.exists(), "nobody is sent to a process that is gone");
    let log = std::fs::read_to_string(file).unwrap();
    let logged = log.split_once(".mef/dev.json\n").unwrap().1;
    let lines: Vec<serde_json::Value> = logged
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
        .collect();
    assert!(lines.len() >= 4, "{log}");
    for line in &lines {
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string());
    }
    assert_eq!(
        (&lines[1]["status"], &lines[1]["reason"]),
        (&401.into(), &"mismatch".into())
    );
}

#[test]
fn the_page_asks_for_its_token_and_the_sources_listener_has_none_of_it() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let dev = Dev::start(&place, &["zoom.yaml"]);
    assert_eq!(dev.get("/livez", false).0, 200);
    assert_eq!(dev.get("/metrics", false).0, 401);
    assert_eq!(dev.get("/metrics", true).0, 200);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let control = |host: &str| {
        agent
            .post(format!("http://{host}/control/replay"))
            .send("{}")
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(control(&dev.page), 401);
    assert_eq!(control(&dev.listen), 404);
    assert_eq!(dev.stop(), 0);
}

#[test]
fn a_tunnel_s_url_is_the_one_to_enter_at_the_vendor() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let dev = Dev::start(
        &place,
        &["zoom.yaml", "--public-url", "https://hooks.example.org/"],
    );
    assert!(
        dev.log().contains("enter https://hooks.example.org/zoom as"),
        "{}",
        dev.log()
    );
    place.mef(["send", "zoom.yaml", "user.created"]).exits(0);
}

#[test]
fn sources_are_described_as_json() {
    let place = Place::with(&[("zoom.yaml", &example("zoom/zoom-source.yaml"))]);
    let dev = Dev::start(&place, &["zoom.yaml", "-o", "json"]);
    let log = dev.log();
    let document: String = log.lines().take_while(|line| !line.starts_with("{\"")).collect();
    let described: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(described["sources"][0]["source"], "default/zoom");
    assert_eq!(described["sources"][0]["secrets"][0]["origin"], "standIn");
}
