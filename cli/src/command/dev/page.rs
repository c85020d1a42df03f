//! The page of `mef dev`: what the sources do, for the person at this machine.
//!
//! Comes in: requests of a browser on the page's listener. Goes out: three kinds of files (`cli/page/`), and JSON:
//!
//! | method and path | answers |
//! |---|---|
//! | `GET /?token=…` | the session's cookie, and the way to `/` |
//! | `GET /`, `GET /assets/…` | the page |
//! | `GET /page/state` | sources with set-up, challenge, both laws, depths; what is wrong with the files |
//! | `GET /page/requests` | the last requests, newest first: `before`, `limit` (500), and the filters `source`, `text`, `outcome`, `reason`, `since`, `until` |
//! | `GET /page/request?number=` | one request: stages, events, messages, and itself for `mef explain` |
//! | `GET /page/live` | server-sent events: `requests` (the same filters), `counters`, `changed`, `missed`; resumable |
//! | `GET /page/kept?lane=` | messages of the queue (`events`) or dead letters (`dead`), newest first: `offset`, `limit` (500), and the filters |
//! | `GET /page/message?lane=&source=&id=` | one of them, with the places in the body that are wrong |
//! | `POST /page/replay` | a replay, dry or real, as one JSON line per letter |
//!
//! Every answer asks for the session or the bearer token and is for this machine alone; see [`access`]. What is shown has
//! passed the redaction, and nothing of a request that did not prove itself is there to be shown.

mod access;
mod answer;
mod assets;
mod body;
mod captured;
mod filter;
mod kept;
mod kind;
mod lane;
mod live;
mod message;
mod replay;
mod requests;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use mef_receiver::{Observer, Receiver};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::access::Access;
use super::bench::AtWork;
use super::standing::Standing;
use crate::data::DataFolder;
use crate::failure::Outcome;
use crate::running::Running;
use crate::secrets::random_token;

/// Pages that may follow at once.
const MAX_FOLLOWERS: usize = 16;

/// The largest order of a replay: a few hundred ids.
const MAX_ORDER_BYTES: usize = 256 * 1_024;

/// What the page shows and works on.
pub(super) struct Page {
    pub(super) receiver: Arc<Receiver>,
    pub(super) observer: Arc<Observer>,
    pub(super) standing: Arc<Standing>,
    pub(super) running: Running,
    pub(super) data: DataFolder,
    pub(super) shutdown: CancellationToken,
}

/// The page at work.
#[derive(Clone)]
struct Desk {
    page: Arc<Page>,
    followers: Arc<Semaphore>,
    /// Tells this process from the one before it: request numbers begin anew.
    life: Arc<str>,
}

impl Desk {
    /// The source with this id, as its files describe it.
    fn source(&self, id: &str) -> Option<AtWork> {
        let sources = self.page.standing.sources();
        sources.iter().find(|at_work| at_work.source.id() == id).cloned()
    }
}

/// Everything the page answers. It guards itself.
pub(super) fn router(page: Page) -> Outcome<Router> {
    let access = Arc::new(Access::new(&page.running)?);
    let desk = Desk {
        page: Arc::new(page),
        followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
        life: random_token()?.chars().take(12).collect::<String>().into(),
    };
    let router = Router::new()
        .route("/", get(assets::index))
        .route("/favicon.ico", get(assets::icon))
        .route("/assets/{name}", get(assets::asset))
        .route("/page/state", get(state::state))
        .route("/page/requests", get(requests::list))
        .route("/page/request", get(requests::one))
        .route("/page/live", get(live::live))
        .route("/page/kept", get(kept::list))
        .route("/page/message", get(message::one))
        .route("/page/replay", post(replay::replay))
        .layer(DefaultBodyLimit::max(MAX_ORDER_BYTES))
        .with_state(desk)
        .route_layer(from_fn_with_state(access, access::guard));
    Ok(router)
}
