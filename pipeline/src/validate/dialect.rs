//! Which JSON Schema a document is written in, told by its `$schema`, and whether formats count in it.

use jsonschema::Draft;
use serde_json::Value;

/// The dialects in which `format` refuses values.
const ASSERTING: [(&str, Draft); 2] = [
    (
        "https://json-schema.org/draft/2020-12/meta/format-assertion",
        Draft::Draft202012,
    ),
    (
        "https://json-schema.org/draft/2019-09/meta/format",
        Draft::Draft201909,
    ),
];

/// A draft and what it does with formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) draft: Draft,
    pub(super) asserts_formats: bool,
}

impl Dialect {
    /// The dialect of the part that is the schema, else of the whole document, else 2020-12.
    pub(super) fn of(document: &Value, part: &Value) -> Result<Self, String> {
        let Some(name) = part.get("$schema").or_else(|| document.get("$schema")) else {
            return Ok(Self {
                draft: Draft::Draft202012,
                asserts_formats: false,
            });
        };
        let Some(uri) = name.as_str() else {
            return Err(format!("$schema must be a text, not {name}"));
        };
        let uri = uri.trim_end_matches('#');
        if let Some((_, draft)) = ASSERTING.iter().find(|(name, _)| *name == uri) {
            return Ok(Self {
                draft: *draft,
                asserts_formats: true,
            });
        }
        match Draft::from_schema_uri(uri) {
            Draft::Unknown => Err(format!("$schema {uri:?} is unknown, and nothing is fetched")),
            draft => Ok(Self {
                draft,
                asserts_formats: false,
            }),
        }
    }

    /// What `$schema` may be, for help texts.
    pub(super) const KNOWN: &str = "draft-04, -06 and -07 are http://json-schema.org/draft-07/schema# and so on, the later ones https://json-schema.org/draft/2019-09/schema and https://json-schema.org/draft/2020-12/schema";

    /// The draft's own name, which the validator knows.
    pub(super) fn uri(self) -> &'static str {
        match self.draft {
            Draft::Draft4 => "http://json-schema.org/draft-04/schema#",
            Draft::Draft6 => "http://json-schema.org/draft-06/schema#",
            Draft::Draft7 => "http://json-schema.org/draft-07/schema#",
            Draft::Draft201909 => "https://json-schema.org/draft/2019-09/schema",
            _ => "https://json-schema.org/draft/2020-12/schema",
        }
    }
}
