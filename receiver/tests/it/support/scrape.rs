//! Metrics as a scraper reads them.

use std::collections::BTreeMap;

/// One scrape: series by name and labels as printed.
#[derive(Debug)]
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    pub(crate) fn read(text: &str) -> Self {
        assert!(
            text.ends_with("# EOF\n"),
            "no OpenMetrics text, it lacks its end: {text}"
        );
        let series = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').expect("a name and a value");
                (name.to_owned(), value.parse().expect("a number"))
            })
            .collect();
        Self(series)
    }

    /// The sum of all series of this name that carry all these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.0
            .iter()
            .filter(|(series, _)| {
                let rest = series.strip_prefix(name);
                rest.is_some_and(|rest| {
                    (rest.is_empty() || rest.starts_with('{'))
                        && labels
                            .iter()
                            .all(|(key, value)| rest.contains(&format!("{key}=\"{value}\"")))
                })
            })
            .map(|(_, value)| *value as u64)
            .sum()
    }

    pub(crate) fn requests(&self, result: &str, reason: &str) -> u64 {
        self.sum("mef_requests_total", &[("result", result), ("reason", reason)])
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Both laws, for all sources together.
    pub(crate) fn assert_laws(&self) {
        let received = self.sum("mef_requests_received_total", &[]);
        let ended = self.sum("mef_requests_total", &[]);
        let in_flight = self.sum("mef_requests_in_flight", &[]);
        assert_eq!(received, ended + in_flight, "requests do not add up: {self:#?}");
        let parsed = self.sum("mef_events_parsed_total", &[]);
        let became = self.sum("mef_events_total", &[]);
        assert_eq!(parsed, became, "events do not add up: {self:#?}");
    }
}
