//! The queues as SQS would name them: two per source at work.

use std::sync::Arc;

use mef_queue::name::QueueNames;
use mef_queue::{Lane, Queue, Settings};
use mef_receiver::queue_settings::settings;
use mef_receiver::{Route, Table};

use super::protocol::Fault;

/// The account in names and URLs: nobody's.
pub(super) const ACCOUNT: &str = "000000000000";

/// One lane of a source.
pub(super) struct NamedQueue {
    /// As SQS names it.
    pub(super) name: String,
    /// The dead letters of an events queue.
    pub(super) dead: Option<String>,
    /// The events queue of dead letters.
    pub(super) events: Option<String>,
    pub(super) lane: Lane,
    route: Arc<Route>,
}

impl NamedQueue {
    /// `namespace/name`.
    pub(super) fn source(&self) -> &str {
        self.route.id()
    }

    pub(super) fn queue(&self) -> &Arc<dyn Queue> {
        self.route.queue()
    }

    pub(super) fn settings(&self) -> Settings {
        settings(self.route.source())
    }
}

/// Every queue.
pub(super) fn all(table: &Table) -> Vec<NamedQueue> {
    let mut found = Vec::new();
    for route in table.routes() {
        let definition = route.source().definition();
        let chosen = definition
            .spec
            .queue
            .as_ref()
            .and_then(|queue| queue.name.as_deref());
        let names = chosen.map_or_else(
            || QueueNames::of(&definition.namespace, &definition.name),
            QueueNames::chosen,
        );
        for lane in [Lane::Events, Lane::Dead] {
            let (name, dead, events) = match lane {
                Lane::Events => (names.events.clone(), Some(names.dead.clone()), None),
                Lane::Dead => (names.dead.clone(), None, Some(names.events.clone())),
            };
            found.push(NamedQueue {
                name,
                dead,
                events,
                lane,
                route: route.clone(),
            });
        }
    }
    found
}

/// A queue by its name.
pub(super) fn by_name(table: &Table, name: &str) -> Result<NamedQueue, Fault> {
    let all = all(table);
    let mut known: Vec<String> = all.iter().map(|queue| queue.name.clone()).collect();
    known.sort();
    all.into_iter()
        .find(|queue| queue.name == name)
        .ok_or_else(|| Fault::no_such_queue(&known))
}

/// A queue by its URL, of which the last word is the name: a client may have come by another host.
pub(super) fn by_url(table: &Table, url: Option<&str>) -> Result<NamedQueue, Fault> {
    let url = url.ok_or_else(|| Fault::missing("QueueUrl"))?;
    by_name(table, url.rsplit('/').next().unwrap_or_default())
}
