//! The page's files, in the program itself: nothing is built and nothing is fetched from elsewhere.

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const ICON: &str = "image/svg+xml";

const INDEX: &str = include_str!("../../../../page/index.html");

const ASSETS: [(&str, &str, &str); 15] = [
    ("page.css", CSS, include_str!("../../../../page/page.css")),
    ("icon.svg", ICON, include_str!("../../../../page/icon.svg")),
    ("page.js", SCRIPT, include_str!("../../../../page/page.js")),
    ("api.js", SCRIPT, include_str!("../../../../page/api.js")),
    ("body.js", SCRIPT, include_str!("../../../../page/body.js")),
    ("copy.js", SCRIPT, include_str!("../../../../page/copy.js")),
    (
        "counters.js",
        SCRIPT,
        include_str!("../../../../page/counters.js"),
    ),
    ("dom.js", SCRIPT, include_str!("../../../../page/dom.js")),
    ("filters.js", SCRIPT, include_str!("../../../../page/filters.js")),
    ("kept.js", SCRIPT, include_str!("../../../../page/kept.js")),
    ("list.js", SCRIPT, include_str!("../../../../page/list.js")),
    ("replay.js", SCRIPT, include_str!("../../../../page/replay.js")),
    (
        "requests.js",
        SCRIPT,
        include_str!("../../../../page/requests.js"),
    ),
    ("sources.js", SCRIPT, include_str!("../../../../page/sources.js")),
    ("words.js", SCRIPT, include_str!("../../../../page/words.js")),
];

pub(super) async fn index() -> Response<Body> {
    file(HTML, INDEX)
}

/// Where browsers look by themselves.
pub(super) async fn icon() -> Response<Body> {
    asset(Path("icon.svg".to_owned())).await
}

pub(super) async fn asset(Path(name): Path<String>) -> Response<Body> {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => file(kind, text),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn file(kind: &'static str, text: &'static str) -> Response<Body> {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}
