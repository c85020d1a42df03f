//! Components of an HTTP message signature (RFC 9421, 2): identifiers as senders and presets write them in, their values of
//! one request out. Host, scheme and path are those of the configured URL; the `Host` header is never looked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfv::{Dictionary, Item, ItemSerializer, List, ListEntry, ListSerializer, Parser, Version};

use super::offer::{SIGNATURE, SIGNATURE_INPUT};
use crate::received::Received;
use crate::verify::value::is_header_name;

/// Fields whose type is known and is a dictionary; `key` makes one of any other.
const DICTIONARIES: [&str; 9] = [
    "accept-signature",
    "cdn-cache-control",
    "content-digest",
    "priority",
    "repr-digest",
    "signature",
    "signature-input",
    "want-content-digest",
    "want-repr-digest",
];
const LISTS: [&str; 4] = ["accept-ch", "cache-status", "client-cert-chain", "proxy-status"];
const ITEMS: [&str; 1] = ["client-cert"];

/// One covered component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    /// The identifier as it stands in the signature base, quotes and parameters included.
    identifier: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Field { name: String, form: Form },
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    QueryParam(String),
}

/// How a field's value is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    /// `sf`: parsed and written anew.
    Strict,
    /// `key`: one member of a dictionary.
    Member(String),
    /// `bs`: each line as a byte sequence.
    Wrapped,
}

/// The text is no component of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidComponent {
    #[error(
        "{0} is no component: expected a header's name in lower case, or a name as @method, with parameters after ;"
    )]
    Syntax(String),
    #[error(
        "{0} is no component of a request: expected @method, @target-uri, @authority, @scheme, @request-target, @path, \
         @query, @query-param or a header's name in lower case"
    )]
    Unknown(String),
    #[error("{component} has the parameter {parameter}, which is not read there")]
    Parameter { component: String, parameter: String },
}

/// A component that has no value in a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoValue {
    #[error("the signature covers {0}, which the request does not have")]
    Absent(String),
    #[error(
        "the signature covers {0}, and the URL under which the sender knows the endpoint is not set (spec.webhook.publicUrl)"
    )]
    NoUrl(String),
    #[error("the signature covers {0}, which stands in the query more than once")]
    Repeated(String),
    #[error("the signature covers {0}, which is no structured field")]
    NotStructured(String),
    #[error("the signature covers {0}, whose structure is not known here")]
    UnknownStructure(String),
}

impl Component {
    /// A component as presets write it: a name, with parameters after `;`, in quotes or without.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidComponent> {
        let quoted = if text.starts_with('"') {
            text.to_owned()
        } else {
            let (name, parameters) = text.split_at(text.find(';').unwrap_or(text.len()));
            format!("\"{name}\"{parameters}")
        };
        let item: Item = Parser::new(&quoted)
            .with_version(Version::Rfc8941)
            .parse()
            .map_err(|_| InvalidComponent::Syntax(format!("{text:?}")))?;
        Self::of(&item)
    }

    /// A component as a sender's list holds it.
    pub(super) fn of(item: &Item) -> Result<Self, InvalidComponent> {
        let identifier = ItemSerializer::new()
            .bare_item(&item.bare_item)
            .parameters(&item.params)
            .finish();
        let name = item
            .bare_item
            .as_string()
            .ok_or_else(|| InvalidComponent::Syntax(identifier.clone()))?
            .as_str();
        let what = match name {
            "@query-param" => {
                let mut parameters = item.params.iter();
                match (parameters.next(), parameters.next()) {
                    (Some((key, value)), None) if key.as_str() == "name" => value
                        .as_string()
                        .map(|name| What::QueryParam(name.as_str().to_owned())),
                    _ => None,
                }
                .ok_or_else(|| InvalidComponent::Syntax(identifier.clone()))?
            }
            _ if name.starts_with('@') => {
                if let Some((parameter, _)) = item.params.first() {
                    return Err(parameter_error(&identifier, parameter.as_str()));
                }
                derived(name).ok_or_else(|| InvalidComponent::Unknown(identifier.clone()))?
            }
            _ if is_header_name(name) && name == name.to_ascii_lowercase() => What::Field {
                name: name.to_owned(),
                form: form(item, &identifier)?,
            },
            _ => return Err(InvalidComponent::Syntax(identifier)),
        };
        Ok(Self { identifier, what })
    }

    /// The identifier as it stands in the signature base.
    pub(crate) fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Whether it stands for the body: the whole `content-digest`.
    pub(crate) fn covers_body(&self) -> bool {
        self.content_digest() == Some(None)
    }

    /// Whether it is a signature, or what one covers.
    pub(super) fn is_of_signatures(&self) -> bool {
        matches!(&self.what, What::Field { name, .. } if [SIGNATURE, SIGNATURE_INPUT].contains(&name.as_str()))
    }

    /// Whether it holds every signature of a message, so that one over it would have to cover itself.
    pub(crate) fn holds_every_signature(&self) -> bool {
        match &self.what {
            What::Field { name, form } => name == SIGNATURE && !matches!(form, Form::Member(_)),
            _ => false,
        }
    }

    /// Whether its value is made of the configured URL.
    pub(crate) fn needs_url(&self) -> bool {
        matches!(self.what, What::TargetUri | What::Authority | What::Scheme)
    }

    /// Whether a signature over this one covers the other too.
    pub(super) fn covers(&self, required: &Self) -> bool {
        let whole = matches!(self.what, What::TargetUri | What::RequestTarget);
        match required.what {
            What::Path | What::Query if whole => true,
            What::Authority | What::Scheme if self.what == What::TargetUri => true,
            _ => self == required,
        }
    }

    /// Where it is `content-digest`: the one algorithm it is about, or none for the whole field.
    pub(super) fn content_digest(&self) -> Option<Option<&str>> {
        match &self.what {
            What::Field { name, form } if name == "content-digest" => Some(match form {
                Form::Member(key) => Some(key),
                Form::Plain | Form::Strict | Form::Wrapped => None,
            }),
            _ => None,
        }
    }

    /// Its value in a request.
    pub(super) fn value(&self, received: &Received, public_url: Option<&str>) -> Result<Vec<u8>, NoValue> {
        let url = public_url.and_then(Url::parse);
        let no_url = || NoValue::NoUrl(self.identifier.clone());
        let path = || match &url {
            Some(url) => url.path.clone(),
            None if received.path.is_empty() => "/".to_owned(),
            None => received.path.clone(),
        };
        let with_query = |mut text: String| {
            if !received.query.is_empty() {
                text.push('?');
                text.push_str(&received.query);
            }
            text
        };
        let text = match &self.what {
            What::Field { name, form } => return self.field(name, form, received),
            What::Method => received.method.clone(),
            What::TargetUri => {
                let url = url.as_ref().ok_or_else(no_url)?;
                with_query(format!("{}://{}{}", url.scheme, url.authority, url.path))
            }
            What::Authority => url.ok_or_else(no_url)?.authority,
            What::Scheme => url.ok_or_else(no_url)?.scheme,
            What::RequestTarget => with_query(path()),
            What::Path => path(),
            What::Query => format!("?{}", received.query),
            What::QueryParam(name) => {
                let mut values = form_urlencoded::parse(received.query.as_bytes())
                    .filter(|(key, _)| percent_encoded(key) == *name)
                    .map(|(_, value)| percent_encoded(&value));
                let value = values
                    .next()
                    .ok_or_else(|| NoValue::Absent(self.identifier.clone()))?;
                if values.next().is_some() {
                    return Err(NoValue::Repeated(self.identifier.clone()));
                }
                value
            }
        };
        Ok(text.into_bytes())
    }

    fn field(&self, name: &str, form: &Form, received: &Received) -> Result<Vec<u8>, NoValue> {
        let lines: Vec<&[u8]> = received.headers.all(name).map(<[u8]>::trim_ascii).collect();
        // An end of line would let one value pass for two components.
        if lines.is_empty() || lines.iter().any(|line| line.contains(&b'\n')) {
            return Err(NoValue::Absent(self.identifier.clone()));
        }
        let joined = lines.join(&b", "[..]);
        let not_structured = || NoValue::NotStructured(self.identifier.clone());
        let parser = || Parser::new(&joined).with_version(Version::Rfc8941);
        let written = match form {
            Form::Plain => return Ok(joined),
            Form::Wrapped => {
                let wrapped: Vec<String> = lines
                    .iter()
                    .map(|line| format!(":{}:", STANDARD.encode(line)))
                    .collect();
                Some(wrapped.join(", "))
            }
            Form::Member(key) => {
                let members: Dictionary = parser().parse().map_err(|_| not_structured())?;
                let member = members
                    .get(key.as_str())
                    .ok_or_else(|| NoValue::Absent(self.identifier.clone()))?;
                written([member])
            }
            Form::Strict if DICTIONARIES.contains(&name) => {
                let members: Dictionary = parser().parse().map_err(|_| not_structured())?;
                let mut serializer = sfv::DictSerializer::new();
                serializer.members(&members);
                serializer.finish()
            }
            Form::Strict if LISTS.contains(&name) => {
                let members: List = parser().parse().map_err(|_| not_structured())?;
                written(&members)
            }
            Form::Strict if ITEMS.contains(&name) => {
                let item: Item = parser().parse().map_err(|_| not_structured())?;
                written([&ListEntry::Item(item)])
            }
            Form::Strict => return Err(NoValue::UnknownStructure(self.identifier.clone())),
        };
        Ok(written.unwrap_or_default().into_bytes())
    }
}

fn written<'m>(members: impl IntoIterator<Item = &'m ListEntry>) -> Option<String> {
    let mut serializer = ListSerializer::new();
    serializer.members(members);
    serializer.finish()
}

fn derived(name: &str) -> Option<What> {
    Some(match name {
        "@method" => What::Method,
        "@target-uri" => What::TargetUri,
        "@authority" => What::Authority,
        "@scheme" => What::Scheme,
        "@request-target" => What::RequestTarget,
        "@path" => What::Path,
        "@query" => What::Query,
        _ => return None,
    })
}

/// At most one of `sf`, `key` and `bs`: two of them contradict each other. `req` and `tr` are of responses and trailers.
fn form(item: &Item, identifier: &str) -> Result<Form, InvalidComponent> {
    let mut form = Form::Plain;
    for (parameter, value) in &item.params {
        let error = || parameter_error(identifier, parameter.as_str());
        let found = match (parameter.as_str(), value.as_boolean()) {
            ("sf", Some(true)) => Form::Strict,
            ("bs", Some(true)) => Form::Wrapped,
            ("key", None) => Form::Member(value.as_string().ok_or_else(error)?.as_str().to_owned()),
            _ => return Err(error()),
        };
        form = match (form, found) {
            (Form::Plain, found) => found,
            // A member of a dictionary is always written anew.
            (Form::Strict, member @ Form::Member(_)) | (member @ Form::Member(_), Form::Strict) => member,
            _ => return Err(error()),
        };
    }
    Ok(form)
}

fn parameter_error(component: &str, parameter: &str) -> InvalidComponent {
    InvalidComponent::Parameter {
        component: component.to_owned(),
        parameter: parameter.to_owned(),
    }
}

/// As RFC 9421, 2.2.8 writes names and values of the query.
fn percent_encoded(text: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace('+', "%20")
}

/// The configured URL, normalised as RFC 9421, 2.2 asks.
struct Url {
    scheme: String,
    authority: String,
    path: String,
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let authority = uri.authority()?;
        let host = authority.host().to_ascii_lowercase();
        let default = if scheme == "http" { 80 } else { 443 };
        let authority = match authority.port_u16() {
            Some(port) if port != default => format!("{host}:{port}"),
            _ => host,
        };
        let path = match uri.path() {
            "" => "/".to_owned(),
            path => path.to_owned(),
        };
        Some(Self {
            scheme,
            authority,
            path,
        })
    }
}
