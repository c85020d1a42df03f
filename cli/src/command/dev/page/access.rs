//! Who may see the page: the person at this machine who has the token that `mef dev` printed.
//!
//! - The listener is loopback only, and `Host` must name it: a name that a stranger's DNS points here (DNS rebinding) is
//!   refused before anything else.
//! - `/?token=…` is exchanged for a cookie that scripts cannot read and that is never sent with a request of another site.
//!   The cookie holds a secret of its own, because cookies go to every port of a host; the token stays in `mef`'s hands.
//! - A request that says it comes from another page (`Origin`, `Sec-Fetch-Site`) is refused; one that changes something
//!   must say where it comes from.
//! - The bearer token opens the API too: no page can make a browser send it.
//! - Every answer forbids other sites to frame, cache or read it, and the page to load or run anything but its own files.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse;
use mef_pipeline::secret::Secret;
use subtle::ConstantTimeEq;

use crate::failure::Outcome;
use crate::running::Running;
use crate::secrets::random_token;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Nothing but the page's own files; no text becomes markup or script (`require-trusted-types-for`).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const PROTECTION: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    (OPENER_POLICY, "same-origin"),
    (RESOURCE_POLICY, "same-origin"),
];

const OPENING: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>mef dev</title>\
    <link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">\
    <meta http-equiv=\"refresh\" content=\"0;url=/\"><p><a href=\"/\">Open the page</a></p></html>";

/// What opens the page.
pub(super) struct Access {
    /// The names of this listener, as `Host` has them.
    hosts: [String; 2],
    cookie: String,
    session: Secret,
    token: Secret,
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stranger {
    Host,
    Site,
    Token,
    NoSession,
}

impl Access {
    pub(super) fn new(running: &Running) -> Outcome<Self> {
        let port = running.page.rsplit(':').next().unwrap_or_default();
        Ok(Self {
            hosts: [running.page.clone(), format!("localhost:{port}")],
            // Two `mef dev` on one machine share a host, and so their cookies.
            cookie: format!("mef-page-{port}"),
            session: Secret::new(random_token()?),
            token: Secret::new(running.token.clone()),
        })
    }

    /// Whether a request may be answered; `Ok(true)`: it brings the token in its URL.
    fn judge(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap) -> Result<bool, Stranger> {
        let host = single(headers, &HOST).unwrap_or_default();
        if !self.hosts.iter().any(|own| own == host) {
            return Err(Stranger::Host);
        }
        let bearer = single(headers, &AUTHORIZATION)
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|given| same(given, &self.token));
        let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
        let own_origin = |origin: &[u8]| origin.strip_prefix(b"http://") == Some(host.as_bytes());
        if !origin.is_none_or(own_origin) {
            return Err(Stranger::Site);
        }
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if !reads && origin.is_none() && !bearer {
            return Err(Stranger::Site);
        }
        if path == "/" {
            // Whoever follows a link to the page comes from somewhere; what it opens is the page alone, in no frame.
            if let Some(given) = query.strip_prefix("token=") {
                return if same(given, &self.token) {
                    Ok(true)
                } else {
                    Err(Stranger::Token)
                };
            }
        } else if !matches!(
            single(headers, &SEC_FETCH_SITE),
            None | Some("same-origin" | "none")
        ) {
            return Err(Stranger::Site);
        }
        if bearer || self.has_session(headers) {
            Ok(false)
        } else {
            Err(Stranger::NoSession)
        }
    }

    fn has_session(&self, headers: &HeaderMap) -> bool {
        let cookies = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(name, value)| name == self.cookie && same(value, &self.session))
    }

    /// The way to the page without the token in its address.
    fn open(&self) -> Response<Body> {
        let cookie = format!(
            "{}={}; Path=/; HttpOnly; SameSite=Strict",
            self.cookie,
            String::from_utf8_lossy(self.session.expose())
        );
        let mut response = html(StatusCode::OK, OPENING.to_owned());
        if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
            cookie.set_sensitive(true);
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }
}

/// Stands before every route of the page.
pub(super) async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response<Body> {
    let (uri, headers) = (request.uri(), request.headers());
    let query = uri.query().unwrap_or_default();
    let mut response = match access.judge(request.method(), uri.path(), query, headers) {
        Ok(true) => access.open(),
        Ok(false) => next.run(request).await,
        Err(stranger) => stranger.answer(),
    };
    for (name, value) in PROTECTION {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Stranger {
    fn answer(self) -> Response<Body> {
        let (status, sentence) = match self {
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "This page answers to 127.0.0.1 and localhost only.",
            ),
            Self::Site => (
                StatusCode::FORBIDDEN,
                "This page answers to itself only, not to other sites.",
            ),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "This token is not the one of the running mef dev. Open the URL that it printed when it started; it is \
                 another after each start.",
            ),
            Self::NoSession => (
                StatusCode::UNAUTHORIZED,
                "Open the URL that mef dev printed when it started: it holds the token that opens this page.",
            ),
        };
        html(
            status,
            format!(
                "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>mef dev: not opened</title>\
                 <h1>mef dev</h1><p>{sentence}</p></html>"
            ),
        )
    }
}

fn html(status: StatusCode, text: String) -> Response<Body> {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    (status, [(CONTENT_TYPE, kind)], text).into_response()
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() {
        return None;
    }
    first.to_str().ok()
}

/// In a time that does not depend on where they differ.
fn same(given: &str, secret: &Secret) -> bool {
    !secret.is_empty() && bool::from(given.as_bytes().ct_eq(secret.expose()))
}

#[cfg(test)]
mod tests;
