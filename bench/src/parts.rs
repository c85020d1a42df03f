//! What an event must cost at least, in memory, without HTTP: each part alone over the same bodies.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mef_pipeline::json::Document;
use serde_json::{Value, json};

use crate::corpus::{Case, Corpus, key, pointer};
use crate::sources::zoom_schema;

/// Records made durable at once, by the row's name.
const SYNCED: [(&str, usize); 4] = [
    ("fsync-only, 1 at once", 1),
    ("fsync-only, 8 at once", 8),
    ("fsync-only, 64 at once", 64),
    ("fsync-only, 256 at once", 256),
];

/// Nanoseconds per event, by part: of one core, and where something is made durable, of waiting too.
pub(crate) fn measure(
    corpus: &Corpus,
    cases: &[Case],
    folder: &Path,
    long: Duration,
) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let key = key();
    let validators = validators(corpus)?;
    let values: Vec<Value> = cases
        .iter()
        .map(|case| serde_json::from_slice(&case.body))
        .collect::<Result<_, _>>()?;
    let mut found = BTreeMap::new();
    found.insert(
        "hmac-only",
        each(cases, long, |case| {
            std::hint::black_box(ring::hmac::sign(&key, &case.body));
        }),
    );
    found.insert(
        "scan-only",
        each(cases, long, |case| {
            let scanned: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&case.body);
            std::hint::black_box(scanned.is_ok());
        }),
    );
    found.insert(
        "tape-only",
        each(cases, long, |case| {
            std::hint::black_box(Document::parse(bytes::Bytes::copy_from_slice(&case.body)).is_ok());
        }),
    );
    found.insert(
        "value-only",
        each(cases, long, |case| {
            let parsed: Result<Value, _> = serde_json::from_slice(&case.body);
            std::hint::black_box(parsed.is_ok());
        }),
    );
    let mut place = 0;
    found.insert(
        "schema-only",
        each(cases, long, |case| {
            let value = &values[place];
            place = (place + 1) % values.len();
            std::hint::black_box(
                validators
                    .get(case.event.as_str())
                    .is_some_and(|validator| validator.is_valid(value)),
            );
        }),
    );
    let mut file = File::create(folder.join("append"))?;
    let mut failed = None;
    found.insert(
        "append-only",
        each(cases, long, |case| {
            if let Err(error) = file.write_all(&case.body) {
                failed = Some(error);
            }
        }),
    );
    failed.map_or(Ok(()), |error| Err(error).context("appending"))?;
    for (name, batch) in SYNCED {
        found.insert(name, 1e9 / fsynced(cases, folder, batch, long)?);
    }
    Ok(found)
}

/// Records per second, written and made durable `batch` at a time.
pub(crate) fn fsynced(cases: &[Case], folder: &Path, batch: usize, long: Duration) -> anyhow::Result<f64> {
    let mut file = File::create(folder.join("fsync"))?;
    let begun = Instant::now();
    let (mut written, mut records) = (Vec::new(), 0_u32);
    let mut next = cases.iter().cycle();
    while begun.elapsed() < long {
        written.clear();
        for case in next.by_ref().take(batch.max(1)) {
            written.extend_from_slice(&case.body);
            records += 1;
        }
        file.write_all(&written)?;
        file.sync_data()?;
    }
    Ok(f64::from(records) / begun.elapsed().as_secs_f64())
}

fn each(cases: &[Case], long: Duration, mut work: impl FnMut(&Case)) -> f64 {
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < long {
        for case in cases {
            work(case);
            count += 1;
        }
    }
    begun.elapsed().as_nanos() as f64 / f64::from(count)
}

fn validators(corpus: &Corpus) -> anyhow::Result<BTreeMap<&str, jsonschema::Validator>> {
    let small = jsonschema::validator_for(&zoom_schema()).map_err(|error| anyhow::anyhow!("{error}"))?;
    // Zoom's have no name.
    let mut found = BTreeMap::from([("", small)]);
    for alternative in corpus.schema["oneOf"].as_array().into_iter().flatten() {
        let Some((event, place)) = pointer(alternative) else {
            continue;
        };
        let document = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$ref": format!("#{place}"),
            "definitions": corpus.schema["definitions"],
        });
        let validator =
            jsonschema::validator_for(&document).map_err(|error| anyhow::anyhow!("{event}: {error}"))?;
        found.insert(event, validator);
    }
    Ok(found)
}
