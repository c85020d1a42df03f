//! What a stack is to be in, its document out. Pure.
//!
//! One plain document per source: no conditions, no parameters, no intrinsic where the value is known. So there is one hash for
//! state, token and drift, and the golden files can be read. A logical id never depends on what may change in a source, or the
//! change would be a deletion; the one exception, a REST API's deployment, is meant.

mod alarms;
mod function;
mod http;
mod queues;
pub mod resource;
mod rest;
pub mod value;

use std::collections::BTreeMap;

use serde::Serialize;

use self::resource::{Properties, Resource};
use self::value::{Tag, Text};
use super::wanted::{Api, Wanted};

/// The version of what is rendered: it stands in a tag, so that an operator knows the work of another one.
pub const VERSION: &str = "1";
/// The stage of either API. It is part of the URL that senders are given.
pub const STAGE: &str = "v1";
/// CloudFormation takes no larger document inline:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>.
pub const LARGEST: usize = 51_200;

/// A document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Template {
    #[serde(rename = "AWSTemplateFormatVersion")]
    format: &'static str,
    description: &'static str,
    resources: BTreeMap<String, Resource>,
    outputs: BTreeMap<&'static str, Output>,
}

/// What others are told of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    value: Text,
}

impl Template {
    /// Its resources by logical id.
    #[must_use]
    pub fn resources(&self) -> &BTreeMap<String, Resource> {
        &self.resources
    }

    /// The text that is sent and hashed: the shortest, always the same.
    ///
    /// # Errors
    /// Never for what [`template`] makes; serde has no other signature.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// The resources of a document as they are gathered.
#[derive(Default)]
struct Resources(BTreeMap<String, Resource>);

impl Resources {
    fn add(&mut self, id: impl Into<String>, properties: Properties) -> &mut Resource {
        self.0.entry(id.into()).or_insert(properties.into())
    }
}

/// The document of a stack.
#[must_use]
pub fn template(wanted: &Wanted) -> Template {
    let mut resources = Resources::default();
    queues::add(&mut resources, wanted);
    function::add(&mut resources, wanted);
    let url = match wanted.front.api {
        Api::Rest => rest::add(&mut resources, wanted),
        Api::Http => http::add(&mut resources, wanted),
    };
    alarms::add(&mut resources, wanted);
    Template {
        format: "2010-09-09",
        description: "An event source of MozDef Event Framework. Made and changed by its operator: change the EventSource instead.",
        resources: resources.0,
        outputs: outputs(url),
    }
}

fn outputs(url: Text) -> BTreeMap<&'static str, Output> {
    [
        ("QueueUrl", Text::reference("EventQueue")),
        ("QueueArn", Text::attribute("EventQueue", "Arn")),
        ("DeadLetterQueueUrl", Text::reference("DeadLetterQueue")),
        ("DeadLetterQueueArn", Text::attribute("DeadLetterQueue", "Arn")),
        ("FunctionName", Text::reference("Function")),
        ("LogGroupName", Text::reference("LogGroup")),
        ("WebhookUrl", url),
    ]
    .into_iter()
    .map(|(name, value)| (name, Output { value }))
    .collect()
}

/// The tags of a resource.
fn tags(wanted: &Wanted) -> Vec<Tag> {
    let tags = wanted.tags.iter();
    tags.map(|(key, value)| Tag {
        key: key.clone(),
        value: value.clone(),
    })
    .collect()
}

/// The URL below a custom domain, or that of the API itself.
fn url(wanted: &Wanted, api: &str) -> Text {
    let path = &wanted.route.path;
    match &wanted.front.domain {
        Some((name, Some(base))) => format!("https://{name}/{base}{path}").into(),
        Some((name, None)) => format!("https://{name}{path}").into(),
        None => {
            let (region, suffix) = (&wanted.place.region, wanted.place.url_suffix());
            Text::sub(format!(
                "https://${{{api}}}.execute-api.{region}.{suffix}/{STAGE}{path}"
            ))
        }
    }
}
