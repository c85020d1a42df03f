//! A secret that a sender tells on first use, through the binary: kept for its owner alone, told and not shown, and never
//! replaced by another that somebody tells.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Dev, Place};

const NOTION: &str = "\
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: notion}
spec:
  webhook:
    provider: notion
    secrets: [{secretRef: {name: notion, key: token}}]
";
const TOLD: &str = "secret_Told-On-First-Use_0123456789";

/// The answer to somebody who tells a secret.
fn tell(dev: &Dev, secret: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let body = format!(r#"{{"verification_token":"{secret}"}}"#);
    let request = agent
        .post(format!("http://{}/notion", dev.listen))
        .header("content-type", "application/json");
    request.send(body).unwrap().status().as_u16()
}

#[test]
fn a_secret_told_on_first_use_is_kept_for_its_owner_and_proves_what_comes_after_it() {
    let place = Place::with(&[("notion.yaml", NOTION)]);
    let dev = Dev::start(&place, &["notion.yaml"]);
    let file = place.path().join(".mef/secrets/default/notion/token");
    assert!(!file.exists(), "a secret that is told is not made up");
    assert_eq!(tell(&dev, "too short"), 400);
    assert!(!file.exists(), "what no sender tells is not kept");

    assert_eq!(tell(&dev, TOLD), 200);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), TOLD);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "only its owner can read it");
    let log = dev.log();
    for wanted in [
        "default/notion: a secret was told, and is in use as notion/token",
        ".mef/secrets/default/notion/token",
        "kubectl create secret generic notion --from-file=token=",
        "somebody else told it",
    ] {
        assert!(log.contains(wanted), "{wanted:?} is not in\n{log}");
    }
    // Shown once, at a terminal: this output is a file, where it would stay.
    assert!(!log.contains(TOLD), "the secret is shown:\n{log}");

    // Refused before the secret is in use, and no handshake any more afterwards.
    let status = tell(&dev, "secret_Of-Somebody-Else_0123456789");
    assert!([400, 401].contains(&status), "{status}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), TOLD);

    let event = ["send", "notion.yaml", "page.created"];
    dev.until("the secret that was told is in use", || {
        place.mef(event).code == 0
    });
    assert_eq!(dev.stop(), 0);
    let dev = Dev::start(&place, &["notion.yaml"]);
    place.mef(event).exits(0);
    assert!(!dev.log().contains(TOLD), "the secret is shown:\n{}", dev.log());
}
