//! Both laws in numbers, per source, read from the very counters a scrape shows.

use std::collections::BTreeMap;

use prometheus_client::encoding::text::encode;

use super::Metrics;

/// How often the counters are read at most until they agree: a request between two of its steps is off by one for less
/// time than one reading takes.
const READINGS: usize = 5;

/// The counts of one source since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Laws {
    /// Requests: the whole is what was received; `in-flight` is one of the parts.
    pub requests: Terms,
    /// Events of accepted requests: the whole is what was parsed.
    pub events: Terms,
}

/// A whole and its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// The whole.
    pub whole: u64,
    /// Its parts by result and reason, as the labels of the metrics.
    pub parts: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Whether the parts are the whole.
    pub adds_up: bool,
}

impl Laws {
    /// The counts of a source that nobody has asked anything yet.
    #[must_use]
    pub fn nothing_yet() -> Self {
        let nothing = || Terms {
            adds_up: true,
            ..Terms::default()
        };
        Self {
            requests: nothing(),
            events: nothing(),
        }
    }
}

impl Terms {
    fn sum(&self) -> u64 {
        self.parts.values().flat_map(BTreeMap::values).sum()
    }

    fn part(&mut self, result: &'static str, reason: &str, count: u64) {
        let reasons = self.parts.entry(result).or_default();
        reasons.insert(reason.to_owned(), count);
    }
}

impl Metrics {
    pub(super) fn register_laws(&mut self) {
        let lawful = &mut self.lawful;
        lawful.register("received", "", self.received.clone());
        lawful.register("requests", "", self.requests.clone());
        lawful.register("in_flight", "", self.in_flight.clone());
        lawful.register("parsed", "", self.parsed.clone());
        lawful.register("events", "", self.events.clone());
    }

    /// The counts of every source that was asked anything, by `namespace/name`. While requests are under way a reading may
    /// fall between two steps of one; then it is read again, a few times.
    #[must_use]
    pub fn laws(&self) -> BTreeMap<String, Laws> {
        let mut laws = self.read_laws();
        for _ in 1..READINGS {
            if laws
                .values()
                .all(|laws| laws.requests.adds_up && laws.events.adds_up)
            {
                break;
            }
            laws = self.read_laws();
        }
        laws
    }

    /// Requests to a path of no source.
    #[must_use]
    pub fn unrouted(&self) -> u64 {
        self.unrouted.get()
    }

    fn read_laws(&self) -> BTreeMap<String, Laws> {
        let mut text = String::new();
        // Written to memory: it does not fail, and an empty text would be an empty map.
        let _ = encode(&mut text, &self.lawful);
        let mut all: BTreeMap<String, Laws> = BTreeMap::new();
        for (name, labels, count) in text.lines().filter_map(series) {
            let Some(source) = label(labels, "source") else {
                continue;
            };
            let of = all.entry(source.to_owned()).or_default();
            let result = label(labels, "result").and_then(result_word);
            let reason = label(labels, "reason").unwrap_or("none");
            match (name, result) {
                ("received_total", _) => of.requests.whole = count,
                ("in_flight", _) => of.requests.part("in-flight", "none", count),
                ("requests_total", Some(result)) => of.requests.part(result, reason, count),
                ("parsed_total", _) => of.events.whole = count,
                ("events_total", Some(result)) => of.events.part(result, reason, count),
                _ => {}
            }
        }
        for laws in all.values_mut() {
            for terms in [&mut laws.requests, &mut laws.events] {
                terms.adds_up = terms.sum() == terms.whole;
            }
        }
        all
    }
}

/// `name{labels} count`.
fn series(line: &str) -> Option<(&str, &str, u64)> {
    let (series, count) = line.rsplit_once(' ')?;
    let (name, labels) = series.strip_suffix('}')?.split_once('{')?;
    Some((name, labels, count.parse().ok()?))
}

/// The value of `name="value"`. Sources are names of Kubernetes and the others words of ours: none needs an escape.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|label| {
        let value = label.strip_prefix(name)?.strip_prefix("=\"")?;
        value.strip_suffix('"')
    })
}

/// The parts of both laws. A word that is none of them would make a law not add up, for everybody to see.
fn result_word(word: &str) -> Option<&'static str> {
    const WORDS: [&str; 8] = [
        "challenged",
        "rejected",
        "accepted",
        "unavailable",
        "delivered",
        "duplicate",
        "dead_lettered",
        "filtered",
    ];
    WORDS.into_iter().find(|known| *known == word)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mef_pipeline::dead_letter::DeadReason;
    use mef_pipeline::pipeline::RejectReason;

    use crate::metrics::{EventResult, Metrics, RequestResult};

    #[test]
    fn the_laws_are_those_of_the_counters() {
        let metrics = Arc::new(Metrics::new());
        let source = metrics.source("default/zoom".into());
        source.begin().end(RequestResult::Accepted);
        source.begin().end(RequestResult::Rejected(RejectReason::Stale));
        let under_way = source.begin();
        source.events(&[
            EventResult::Delivered,
            EventResult::DeadLettered(DeadReason::Schema),
        ]);
        let laws = metrics.laws().remove("default/zoom").expect("it was asked");
        assert_eq!(
            (laws.requests.whole, laws.requests.adds_up),
            (3, true),
            "{laws:?}"
        );
        assert_eq!(laws.requests.parts["rejected"]["stale"], 1);
        assert_eq!(laws.requests.parts["in-flight"]["none"], 1);
        assert_eq!((laws.events.whole, laws.events.adds_up), (2, true));
        assert_eq!(laws.events.parts["dead_lettered"]["schema"], 1);
        drop(under_way);
        let laws = metrics.laws().remove("default/zoom").expect("it was asked");
        assert!(laws.requests.adds_up, "{laws:?}");
        metrics.received.get_or_create(&source.source).inc();
        assert!(
            !metrics.laws()["default/zoom"].requests.adds_up,
            "a request is lost"
        );
    }
}
