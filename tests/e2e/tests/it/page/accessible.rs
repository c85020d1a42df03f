//! The page by keyboard, at four times the size, and as axe judges it.

use std::path::Path;
use std::process::Command;

use mef_e2e::repository;

use super::*;

#[test]
fn everybody_can_use_it() {
    let Some(desk) = Desk::open() else { return };
    let browser = &desk.browser;
    desk.deliver(&Zoom::user_created("one"));
    desk.deliver(&refused("two"));
    let mut violations = Vec::new();
    for view in ["sources", "requests", "dead", "queue", "counters"] {
        desk.view(view);
        let list = format!("#view-{view}:not([hidden]) [role=option]");
        if !["sources", "counters"].contains(&view) {
            browser.click(&list);
            browser.until("it is open", || {
                browser.count(&format!("#view-{view} .detail h3")) > 0
            });
        }
        if view == "dead" {
            browser.click("#letter .actions button");
            browser.until("the dry run is done", || {
                browser.count("#replay[data-state=done]") == 1
            });
        }
        tab_reaches_everything(browser, view);
        // At four times the size nothing needs to be scrolled sideways (WCAG 1.4.10).
        browser.width(Some(360));
        let sideways = browser.run("return document.documentElement.scrollWidth - innerWidth;", &[]);
        assert!(
            sideways.as_i64().is_some_and(|pixels| pixels <= 0),
            "{view}: {sideways} pixels too wide"
        );
        browser.picture(&pictures(), &format!("{view}-narrow"));
        browser.width(None);
        for scheme in [Scheme::Light, Scheme::Dark] {
            browser.prefer(scheme);
            violations.extend(judge(browser, view, scheme));
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    browser.prefer(Scheme::Light);
    desk.is_content();
}

/// Everything that can be used is reached by Tab, in the order in which it stands there.
fn tab_reaches_everything(browser: &Browser, view: &str) {
    let wanted = browser.run(
        "document.activeElement.blur(); window.scrollTo(0, 0);
         const usable = 'a[href], button, input, select, summary, [tabindex=\"0\"]';
         const all = [...document.querySelectorAll(usable)].filter((element) => element.checkVisibility());
         all.forEach((element, index) => { element.dataset.stop = index; });
         document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex');
         return all.length;",
        &[],
    );
    let wanted = wanted.as_u64().expect("a number");
    let mut reached = Vec::new();
    for _ in 0..wanted {
        browser.press(&[key::TAB]);
        let stop = browser.run(
            "const focused = document.activeElement;
             const style = getComputedStyle(focused);
             return [focused.dataset.stop ?? focused.outerHTML.slice(0, 200), style.outlineStyle !== 'none'];",
            &[],
        );
        assert_eq!(
            stop[1], true,
            "{view}: where the focus is cannot be seen: {}",
            stop[0]
        );
        reached.push(stop[0].as_str().unwrap_or_default().to_owned());
    }
    let expected: Vec<String> = (0..wanted).map(|stop| stop.to_string()).collect();
    assert_eq!(reached, expected, "{view}");
}

/// What axe says.
fn judge(browser: &Browser, view: &str, scheme: Scheme) -> Vec<String> {
    let Some(axe) = axe() else { return Vec::new() };
    browser.run(&axe, &[]);
    let violations = browser.run(
        "const result = await window.axe.run(document, {resultTypes: ['violations']});
         return result.violations.flatMap(({id, nodes}) =>
           nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));",
        &[],
    );
    let violations: Vec<String> = serde_json::from_value(violations).expect("sentences");
    let place = |violation| format!("{view} {scheme:?}: {violation}");
    violations.into_iter().map(place).collect()
}

/// The script of axe-core, as `tests/bed/axe` fetches it.
fn axe() -> Option<String> {
    let fetched = Command::new(repository().join("tests/bed/axe")).output().ok()?;
    let path = String::from_utf8_lossy(&fetched.stdout).trim().to_owned();
    if !fetched.status.success() || !Path::new(&path).is_file() {
        skip(&format!(
            "no axe-core: {}",
            String::from_utf8_lossy(&fetched.stderr)
        ));
        return None;
    }
    fs::read_to_string(path).ok()
}
