//! Which source a path belongs to. A table is made whole and swapped whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Method};
use mef_pipeline::secret::KeyRing;
use mef_pipeline::source::Source;
use mef_queue::Queue;

/// One source at work: its compiled definition, its secrets, its queue.
#[derive(Clone)]
pub struct Route {
    source: Arc<Source>,
    keys: Arc<KeyRing>,
    queue: Arc<dyn Queue>,
    facts: Arc<Facts>,
}

/// What every request asks of a source, taken from it once.
struct Facts {
    id: Arc<str>,
    path: String,
    methods: Vec<Method>,
    allow: HeaderValue,
    definition: Option<HeaderValue>,
    max_body_bytes: usize,
    ack_budget: Duration,
    /// What the preset says of requests, as text in lower case.
    words: String,
}

impl Route {
    /// Puts a source to work. Only a compiled source can be, so a broken definition never serves.
    #[must_use]
    pub fn new(source: Arc<Source>, keys: Arc<KeyRing>, queue: Arc<dyn Queue>) -> Self {
        let names = source.methods();
        let facts = Arc::new(Facts {
            id: source.id().into(),
            path: source.path(),
            allow: HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("POST")),
            methods: names
                .iter()
                .filter_map(|name| Method::from_bytes(name.as_bytes()).ok())
                .collect(),
            definition: HeaderValue::from_str(source.digest()).ok(),
            max_body_bytes: source.max_body_bytes(),
            ack_budget: source.ack_budget(),
            words: words(&source),
        });
        Self {
            source,
            keys,
            queue,
            facts,
        }
    }

    /// `namespace/name` of the source.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.facts.id
    }

    /// The compiled source.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Its secrets.
    #[must_use]
    pub fn keys(&self) -> &Arc<KeyRing> {
        &self.keys
    }

    /// Its queue.
    #[must_use]
    pub fn queue(&self) -> &Arc<dyn Queue> {
        &self.queue
    }

    pub(crate) fn label(&self) -> Arc<str> {
        self.facts.id.clone()
    }

    pub(crate) fn takes(&self, method: &Method) -> bool {
        self.facts.methods.contains(method)
    }

    pub(crate) fn allow(&self) -> HeaderValue {
        self.facts.allow.clone()
    }

    pub(crate) fn definition(&self) -> Option<HeaderValue> {
        self.facts.definition.clone()
    }

    pub(crate) fn max_body_bytes(&self) -> usize {
        self.facts.max_body_bytes
    }

    pub(crate) fn ack_budget(&self) -> Duration {
        self.facts.ack_budget
    }

    /// Whether the definition reads or keeps a header of this name (in lower case).
    pub(crate) fn speaks_of(&self, header: &str) -> bool {
        // A series of headers is named once, with `{n}` for the number.
        let series = header.trim_end_matches(|character: char| character.is_ascii_digit());
        self.names(header) || (series != header && self.names(&format!("{series}{{n}}")))
    }

    fn names(&self, header: &str) -> bool {
        let part_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let words = self.facts.words.as_bytes();
        self.facts.words.match_indices(header).any(|(at, found)| {
            let before = at.checked_sub(1).and_then(|before| words.get(before));
            let behind = words.get(at + found.len());
            ![before, behind]
                .into_iter()
                .flatten()
                .any(|byte| part_of_name(*byte))
        })
    }
}

/// The parts of a preset that name headers, as one text: a header that is read stands in it by its name.
fn words(source: &Source) -> String {
    let preset = source.preset();
    let parts = serde_json::json!([
        preset.verification,
        preset.challenges,
        preset.keep_headers,
        preset.event,
        preset.vendor_key,
    ]);
    parts.to_string().to_ascii_lowercase()
}

/// All sources at work, by path.
#[derive(Clone, Default)]
pub struct Table {
    by_path: HashMap<String, Arc<Route>>,
}

/// Why routes do not make a table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Two sources want one path.
    #[error(
        "the path {path:?} is claimed by both {first} and {second}; set spec.webhook.path of one of them to another"
    )]
    PathTaken {
        /// The path.
        path: String,
        /// The source that has it.
        first: String,
        /// The source that wants it too.
        second: String,
    },
    /// One source stands there twice.
    #[error("the source {0} is defined twice; rename or remove one of the two definitions")]
    SourceTwice(String),
}

impl Table {
    /// A table of these routes.
    ///
    /// # Errors
    /// When two routes claim one path, or one source stands there twice.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Result<Self, TableError> {
        let mut table = Self::default();
        for route in routes {
            if table.by_id(route.id()).is_some() {
                return Err(TableError::SourceTwice(route.id().to_owned()));
            }
            if let Some(first) = table.find(&route.facts.path) {
                return Err(TableError::PathTaken {
                    path: route.facts.path.clone(),
                    first: first.id().to_owned(),
                    second: route.id().to_owned(),
                });
            }
            table.by_path.insert(route.facts.path.clone(), Arc::new(route));
        }
        Ok(table)
    }

    /// The source at a path: exactly this path, no prefix, nothing decoded.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Arc<Route>> {
        self.by_path.get(path)
    }

    /// The source with this id (`namespace/name`).
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<Route>> {
        self.routes().find(|route| route.id() == id)
    }

    /// Every source, in no order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.by_path.values()
    }

    /// This table with other secrets for one source; `None` when there is no such source.
    pub(crate) fn with_keys(&self, id: &str, keys: &Arc<KeyRing>) -> Option<Self> {
        let mut route = Route::clone(self.by_id(id)?);
        route.keys = keys.clone();
        let mut table = self.clone();
        table.by_path.insert(route.facts.path.clone(), Arc::new(route));
        Some(table)
    }
}
