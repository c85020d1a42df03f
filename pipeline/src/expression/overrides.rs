//! What a transform says about the envelope: the fields under `%mozdef` and `%cloudevents`.

use jiff::Timestamp;
use mef_crds::Severity;
use vrl::value::{ObjectMap, Value};

use crate::dead_letter::Detail;

/// The fields under `%mozdef`.
pub(super) const MOZDEF_FIELDS: &[&str] = &[
    "category",
    "hostname",
    "processname",
    "severity",
    "source",
    "summary",
    "tags",
    "timestamp",
];

/// The fields under `%cloudevents`.
pub(super) const CLOUDEVENTS_FIELDS: &[&str] = &["subject", "type"];

/// The envelope's fields a transform has set. `null` leaves a field as it would be without the transform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    pub(crate) category: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) processname: Option<String>,
    pub(crate) severity: Option<Severity>,
    pub(crate) source: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) cloudevents_type: Option<String>,
    pub(crate) cloudevents_subject: Option<String>,
}

impl Overrides {
    /// Reads them from what a program left under `%`.
    pub(super) fn read(metadata: &Value) -> Result<Self, Detail> {
        let mut overrides = Self::default();
        let mozdef = Fields::of(metadata, "mozdef", MOZDEF_FIELDS)?;
        overrides.category = mozdef.text("category")?;
        overrides.hostname = mozdef.text("hostname")?;
        overrides.processname = mozdef.text("processname")?;
        overrides.source = mozdef.text("source")?;
        overrides.summary = mozdef.text("summary")?;
        overrides.severity = mozdef.severity("severity")?;
        overrides.tags = mozdef.texts("tags")?;
        overrides.timestamp = mozdef.timestamp("timestamp")?;
        let cloudevents = Fields::of(metadata, "cloudevents", CLOUDEVENTS_FIELDS)?;
        overrides.cloudevents_type = cloudevents.text("type")?;
        overrides.cloudevents_subject = cloudevents.text("subject")?;
        Ok(overrides)
    }
}

/// One object under `%`.
struct Fields<'a> {
    name: &'static str,
    members: Option<&'a ObjectMap>,
}

impl<'a> Fields<'a> {
    fn of(metadata: &'a Value, name: &'static str, known: &[&str]) -> Result<Self, Detail> {
        let members = match metadata.as_object().and_then(|object| object.get(name)) {
            None | Some(Value::Null) => None,
            Some(Value::Object(members)) => Some(members),
            Some(other) => {
                return Err(Detail::message(format!(
                    "%{name} must be an object, and the transform left {}",
                    article(other)
                )));
            }
        };
        if let Some(unknown) = members
            .into_iter()
            .flat_map(ObjectMap::keys)
            .find(|key| !known.contains(&key.as_str()))
        {
            return Err(Detail::message(format!(
                "%{name}.{} sets nothing; known are {}",
                unknown.as_str(),
                known.join(", ")
            )));
        }
        Ok(Self { name, members })
    }

    fn get(&self, field: &str) -> Option<&'a Value> {
        self.members?.get(field).filter(|value| !value.is_null())
    }

    fn wrong(&self, field: &str, value: &Value, expected: &str) -> Detail {
        Detail::message(format!(
            "%{}.{field} must be {expected}, and the transform left {}",
            self.name,
            article(value)
        ))
    }

    fn text(&self, field: &str) -> Result<Option<String>, Detail> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        match value.to_str() {
            Some("") | None => Err(self.wrong(field, value, "a string that is not empty")),
            Some(text) => Ok(Some(text.to_owned())),
        }
    }

    fn texts(&self, field: &str) -> Result<Option<Vec<String>>, Detail> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let texts = value.as_array().and_then(|elements| {
            elements
                .iter()
                .map(|element| element.to_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        texts
            .map(Some)
            .ok_or_else(|| self.wrong(field, value, "a list of strings"))
    }

    fn severity(&self, field: &str) -> Result<Option<Severity>, Detail> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let severity = match value.to_str() {
            Some("DEBUG") => Severity::Debug,
            Some("INFO") => Severity::Info,
            Some("NOTICE") => Severity::Notice,
            Some("WARNING") => Severity::Warning,
            Some("ERROR") => Severity::Error,
            Some("CRITICAL") => Severity::Critical,
            Some("ALERT") => Severity::Alert,
            Some("EMERGENCY") => Severity::Emergency,
            _ => {
                let expected = "one of DEBUG, INFO, NOTICE, WARNING, ERROR, CRITICAL, ALERT and EMERGENCY";
                return Err(self.wrong(field, value, expected));
            }
        };
        Ok(Some(severity))
    }

    fn timestamp(&self, field: &str) -> Result<Option<Timestamp>, Detail> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let expected =
            "a timestamp (parse_timestamp, from_unix_timestamp) or a string as 2026-01-02T03:04:05Z";
        let time = match value {
            Value::Timestamp(time) => Timestamp::new(
                time.timestamp(),
                i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
            )
            .ok(),
            other => other.to_str().and_then(|text| text.parse().ok()),
        };
        time.filter(crate::envelope::is_writable)
            .map(Some)
            .ok_or_else(|| self.wrong(field, value, expected))
    }
}

/// The value for a sentence: a short text as it is, anything else by its kind.
fn article(value: &Value) -> String {
    match value.to_str() {
        Some(text) if text.chars().count() <= 40 => format!("{text:?}"),
        Some(_) => "a long string".to_owned(),
        None => match value {
            Value::Integer(integer) => integer.to_string(),
            Value::Boolean(truth) => truth.to_string(),
            other => format!("a value of kind {}", other.kind_str()),
        },
    }
}
