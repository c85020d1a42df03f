//! Schema documents in, validators over the tape out.

use std::borrow::Cow;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ReferencingError, Registry, Retrieve, Uri, ValidationError, Validator};
use mef_crds::SchemaRule;
use serde_json::{Value, json};

use super::Rule;
use super::dialect::Dialect;
use super::matching::Match;
use crate::definition::{Definition, ResolvedSchema};
use crate::diagnostics::Problem;
use crate::excerpt::shorten;
use crate::json::SchemaTape;
use crate::manifest::position_of_pointer;

/// The name under which a document refers to itself.
const DOCUMENT: &str = "mef:///schema";
/// What relative references are resolved against where a document has no name of its own: ours, and the validator's.
const BASES: [&str; 2] = ["mef:///", "json-schema:///"];

/// Steps one match may take on the engine that can go back; then the event counts as not matching, and says why.
const BACKTRACK_LIMIT: usize = 100_000;

/// Every rule, or every problem of all of them.
pub(super) fn rules(definition: &Definition) -> Result<Vec<Rule>, Vec<Problem>> {
    let mut rules = Vec::new();
    let mut problems = Vec::new();
    let mut registries = Registries::new(&definition.documents);
    for (index, schema) in definition.schemas.iter().enumerate() {
        let field = format!("spec.schemas[{index}]");
        let matches = match &schema.matches {
            None => Ok(None),
            Some(rule) => Match::compile(rule, &format!("{field}.match")).map(Some),
        };
        let inline = match definition.spec.schemas.get(index) {
            Some(SchemaRule { inline, .. }) => inline.as_deref(),
            None => None,
        };
        let validator = compile(schema, &mut registries).map_err(|refusal| match inline {
            Some(text) => refusal.inside(&format!("{field}.inline"), text),
            None => refusal.at_field(&format!("{field}.configMapRef")),
        });
        match (matches, validator) {
            (Ok(matches), Ok(validator)) => rules.push(Rule { matches, validator }),
            (matches, validator) => {
                problems.extend(matches.err().into_iter().flatten());
                problems.extend(validator.err());
            }
        }
    }
    if problems.is_empty() {
        Ok(rules)
    } else {
        Err(problems)
    }
}

/// The documents, each with its references resolved when a rule first points into it; rules that share a document share
/// that work.
struct Registries<'a> {
    documents: &'a [Value],
    resolved: Vec<Option<Registry<'a>>>,
}

impl<'a> Registries<'a> {
    fn new(documents: &'a [Value]) -> Self {
        Self {
            documents,
            resolved: documents.iter().map(|_| None).collect(),
        }
    }

    fn of(&mut self, index: usize, dialect: Dialect) -> Result<&Registry<'a>, Refusal> {
        let entry = &mut self.resolved[index];
        if entry.is_none() {
            let document = dialect.draft.create_resource_ref(&self.documents[index]);
            let registry = Registry::new()
                .retriever(Nothing)
                .draft(dialect.draft)
                .retrieve_known_draft_meta_schemas(false)
                .add(DOCUMENT, document)
                .and_then(|builder| builder.prepare())
                .map_err(|error| reference_refusal(&error))?;
            *entry = Some(registry);
        }
        entry
            .as_ref()
            .ok_or_else(|| Refusal::new("the document is not resolved"))
    }
}

/// What is wrong, before it is known where.
struct Refusal {
    message: String,
    help: Option<String>,
    /// The part of the document that it is about, as a JSON pointer, where that is known.
    pointer: Option<String>,
}

impl Refusal {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            pointer: None,
        }
    }

    fn about(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn at_field(self, field: &str) -> Problem {
        let problem = Problem::error(field, self.message);
        match self.help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }

    /// With the line and column inside the schema's own text.
    fn inside(self, field: &str, text: &str) -> Problem {
        let place = self
            .pointer
            .as_deref()
            .and_then(|pointer| position_of_pointer(text, pointer));
        let problem = self.at_field(field);
        match place {
            Some(place) => problem.at(place.line, place.column),
            None => problem,
        }
    }
}

fn compile(
    schema: &ResolvedSchema,
    registries: &mut Registries<'_>,
) -> Result<Validator<SchemaTape>, Refusal> {
    let Some(document) = registries.documents.get(schema.document) else {
        return Err(Refusal::new(format!(
            "the definition has no document {}",
            schema.document
        )));
    };
    let pointer = schema.pointer.as_deref().unwrap_or_default();
    let Some(part) = document.pointer(pointer) else {
        return Err(Refusal::new(format!(
            "the pointer {pointer:?} leads nowhere in the document"
        )));
    };
    let dialect =
        Dialect::of(document, part).map_err(|message| Refusal::new(message).help(Dialect::KNOWN))?;
    check_schema(part, dialect, pointer)?;
    if pointer.is_empty() {
        let whole = in_dialect(document, dialect);
        return build(&whole, dialect, None).map_err(|error| refusal(&error));
    }
    let registry = registries.of(schema.document, dialect)?;
    let reference = json!({"$schema": dialect.uri(), "$ref": format!("{DOCUMENT}#{}", fragment(pointer))});
    build(&reference, dialect, Some(registry)).map_err(|error| refusal(&error))
}

/// The schema with the name of the draft in place of one that only says how formats are meant.
fn in_dialect(schema: &Value, dialect: Dialect) -> Cow<'_, Value> {
    if !dialect.asserts_formats {
        return Cow::Borrowed(schema);
    }
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), dialect.uri().into());
    }
    Cow::Owned(schema)
}

/// Builds on the linear engine, and where a pattern needs more than it has, on the bounded one.
fn build(
    schema: &Value,
    dialect: Dialect,
    registry: Option<&Registry<'_>>,
) -> Result<Validator<SchemaTape>, ValidationError<'static>> {
    let mut options = jsonschema::options_for::<SchemaTape>()
        .with_draft(dialect.draft)
        .with_retriever(Nothing)
        .should_validate_formats(dialect.asserts_formats);
    if !dialect.asserts_formats {
        options = options
            .without_content_encoding_support("base64")
            .without_content_media_type_support("application/json");
    }
    if let Some(registry) = registry {
        options = options.with_registry(registry);
    }
    let linear = options.clone().with_pattern_options(PatternOptions::regex());
    let bounded = PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_LIMIT);
    linear
        .build(schema)
        .or_else(|_| options.with_pattern_options(bounded).build(schema))
}

/// Nothing is fetched: a schema is its document.
struct Nothing;

impl Retrieve for Nothing {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("nothing is fetched".into())
    }
}

/// Holds a schema against its draft's own schema.
fn check_schema(part: &Value, dialect: Dialect, pointer: &str) -> Result<(), Refusal> {
    use jsonschema::Draft;
    let result = match dialect.draft {
        Draft::Draft4 => jsonschema::draft4::meta::validate(part),
        Draft::Draft6 => jsonschema::draft6::meta::validate(part),
        Draft::Draft7 => jsonschema::draft7::meta::validate(part),
        Draft::Draft201909 => jsonschema::draft201909::meta::validate(part),
        _ => jsonschema::draft202012::meta::validate(part),
    };
    result.map_err(|error| invalid_schema(&error, pointer))
}

fn invalid_schema(error: &ValidationError<'_>, pointer: &str) -> Refusal {
    let place = error.instance_path().as_str();
    refused_by_its_draft(error, place, pointer).about(format!("{pointer}{place}"))
}

fn refused_by_its_draft(error: &ValidationError<'_>, place: &str, pointer: &str) -> Refusal {
    let value = error.instance().to_string();
    let value = shorten(&value, 80);
    let at = if place.is_empty() && pointer.is_empty() {
        "the schema".to_owned()
    } else {
        format!("at {pointer}{place}: {value}")
    };
    if place == "/type" || place.ends_with("/type") {
        return Refusal::new(format!("{at} is not a type")).help(
            "the types are array, boolean, integer, null, number, object and string, or a list of them",
        );
    }
    let reason = error
        .masked_with(if place.is_empty() { "it" } else { "the value" })
        .to_string();
    Refusal::new(format!(
        "{at} is not valid JSON Schema: {}",
        shorten(&reason, 200)
    ))
}

fn refusal(error: &ValidationError<'_>) -> Refusal {
    let place = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Referencing(error) => reference_refusal(error),
        ValidationErrorKind::Format { format } if format == "regex" => {
            let value = error.instance().to_string();
            Refusal::new(format!("{} is not a regular expression", shorten(&value, 120)))
                .help("patterns are ECMA 262 regular expressions, as in JavaScript; try it there")
        }
        _ => {
            let reason = error.to_string();
            let at = if place.is_empty() {
                String::new()
            } else {
                format!("at {place}: ")
            };
            Refusal::new(format!("{at}{}", shorten(&reason, 240)))
        }
    }
}

fn reference_refusal(error: &ReferencingError) -> Refusal {
    match error {
        ReferencingError::Unretrievable { uri, .. } => Refusal::new(format!(
            "$ref to {:?} leaves the document, and nothing is fetched",
            shorten(
                BASES
                    .iter()
                    .find_map(|base| uri.strip_prefix(base))
                    .unwrap_or(uri),
                200
            )
        ))
        .help("copy that schema into this document, as under $defs, and write $ref: \"#/$defs/NAME\""),
        ReferencingError::PointerToNowhere { pointer } => {
            Refusal::new(format!("$ref to \"#{}\" leads nowhere", shorten(pointer, 200)))
                .help("the part it names must stand in the same document; mind upper and lower case")
        }
        other => Refusal::new(format!(
            "$ref cannot be resolved: {}",
            shorten(&other.to_string(), 240)
        )),
    }
}

/// A JSON pointer as the fragment of a URI (RFC 6901, 6).
fn fragment(pointer: &str) -> String {
    let mut fragment = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                fragment.push(char::from(byte));
            }
            _ => {
                use std::fmt::Write;
                let _ = write!(fragment, "%{byte:02X}");
            }
        }
    }
    fragment
}
