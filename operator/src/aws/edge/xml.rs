//! What AWS answers, read. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mef_queue::REASON;
use roxmltree::{Document, Node};

use crate::aws::known::Letter;
use crate::aws::observe::Event;
use crate::aws::refusal::{Kind, Refusal, sort};
use crate::aws::stack::{Failure, Stack, Status};

/// Something that is no answer.
fn malformed(what: &str) -> Refusal {
    Refusal {
        kind: Kind::Unreachable,
        message: format!("AWS answered something else than {what}"),
    }
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    let found = node.children().find(|child| child.tag_name().name() == name)?;
    Some(found.text().unwrap_or_default().to_owned())
}

fn named<'a>(node: Node<'a, 'a>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    node.children()
        .filter(move |child| child.tag_name().name() == name)
}

fn members<'a>(node: Node<'a, 'a>, name: &str) -> Vec<Node<'a, 'a>> {
    let list = child(node, name);
    let members = list.into_iter().flat_map(|list| list.children());
    members
        .filter(|member| member.tag_name().name() == "member")
        .collect()
}

fn pairs(node: Node<'_, '_>, list: &str, key: &str, value: &str) -> BTreeMap<String, String> {
    let found = node.children().find(|child| child.tag_name().name() == list);
    let members = found.into_iter().flat_map(|list| list.children());
    members
        .filter_map(|member| Some((text(member, key)?, text(member, value)?)))
        .collect()
}

fn result<'a>(document: &'a Document<'a>, action: &str) -> Option<Node<'a, 'a>> {
    child(document.root_element(), &format!("{action}Result"))
}

/// The refusal an answer holds.
pub(super) fn refusal(action: &str, http: u16, body: &str) -> Refusal {
    let document = Document::parse(body).ok();
    let error = document.as_ref().and_then(|document| {
        document
            .descendants()
            .find(|node| node.tag_name().name() == "Error")
    });
    let of = |name: &str| error.and_then(|error| text(error, name)).unwrap_or_default();
    let (code, message) = (of("Code"), of("Message"));
    let kind = if http >= 500 {
        Kind::Unreachable
    } else {
        sort(&code, &message)
    };
    let said = if code.is_empty() {
        format!("HTTP {http}")
    } else {
        format!("{code}: {message}")
    };
    Refusal {
        kind,
        message: format!("{action}: {said}"),
    }
}

/// The stack of `DescribeStacks`.
pub(super) fn stack(body: &str) -> Result<Stack, Refusal> {
    let document = Document::parse(body).map_err(|_| malformed("a stack"))?;
    let result = result(&document, "DescribeStacks").ok_or_else(|| malformed("a stack"))?;
    let stack = members(result, "Stacks")
        .into_iter()
        .next()
        .ok_or_else(|| malformed("a stack"))?;
    let word = text(stack, "StackStatus").ok_or_else(|| malformed("a stack's status"))?;
    Ok(Stack {
        id: text(stack, "StackId").ok_or_else(|| malformed("a stack's id"))?,
        status: Status::of(&word),
        word,
        tags: pairs(stack, "Tags", "Key", "Value"),
        outputs: pairs(stack, "Outputs", "OutputKey", "OutputValue"),
        protected: text(stack, "EnableTerminationProtection").as_deref() == Some("true"),
        failure: None,
    })
}

/// A page of `DescribeStackEvents`, and where the next begins.
pub(super) fn events(body: &str) -> Result<(Vec<Event>, Option<String>), Refusal> {
    let document = Document::parse(body).map_err(|_| malformed("events"))?;
    let result = result(&document, "DescribeStackEvents").ok_or_else(|| malformed("events"))?;
    let event = |node: Node<'_, '_>| {
        let of = |name: &str| text(node, name).unwrap_or_default();
        let failure = Failure {
            logical_id: of("LogicalResourceId"),
            kind: of("ResourceType"),
            reason: of("ResourceStatusReason"),
            token: text(node, "ClientRequestToken"),
            at: of("Timestamp").parse::<Timestamp>().unwrap_or_default(),
        };
        failure.of(of("ResourceStatus"))
    };
    let events = members(result, "StackEvents").into_iter().map(event).collect();
    Ok((events, text(result, "NextToken")))
}

/// The attributes of `GetQueueAttributes`.
pub(super) fn attributes(body: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let document = Document::parse(body).map_err(|_| malformed("attributes"))?;
    let result = result(&document, "GetQueueAttributes").ok_or_else(|| malformed("attributes"))?;
    let attributes = result
        .children()
        .filter(|node| node.tag_name().name() == "Attribute");
    Ok(attributes
        .filter_map(|node| Some((text(node, "Name")?, text(node, "Value")?)))
        .collect())
}

/// The tags of `ListQueueTags`.
pub(super) fn tags(body: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let document = Document::parse(body).map_err(|_| malformed("tags"))?;
    let result = result(&document, "ListQueueTags").ok_or_else(|| malformed("tags"))?;
    let tags = named(result, "Tag");
    Ok(tags
        .filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value")?)))
        .collect())
}

/// The messages of `ReceiveMessage`, without their bodies.
pub(super) fn letters(body: &str) -> Result<Vec<Letter>, Refusal> {
    let document = Document::parse(body).map_err(|_| malformed("messages"))?;
    let result = result(&document, "ReceiveMessage").ok_or_else(|| malformed("messages"))?;
    let messages = named(result, "Message");
    let letter = |message: Node<'_, '_>| {
        let sent = named(message, "Attribute")
            .find(|one| text(*one, "Name").as_deref() == Some("SentTimestamp"))
            .and_then(|one| text(one, "Value")?.parse::<i64>().ok());
        let reason = named(message, "MessageAttribute")
            .find(|one| text(*one, "Name").as_deref() == Some(REASON))
            .and_then(|one| text(child(one, "Value")?, "StringValue"));
        Some(Letter {
            id: text(message, "MessageId")?,
            reason,
            sent_at: sent.and_then(|sent| Timestamp::from_millisecond(sent).ok()),
        })
    };
    Ok(messages.filter_map(letter).collect())
}

/// When the oldest message came, by the newest point of `GetMetricStatistics`.
pub(super) fn oldest(body: &str) -> Result<Option<Timestamp>, Refusal> {
    let document = Document::parse(body).map_err(|_| malformed("a metric"))?;
    let result = result(&document, "GetMetricStatistics").ok_or_else(|| malformed("a metric"))?;
    let points = members(result, "Datapoints").into_iter();
    let points = points.filter_map(|point| {
        let at = text(point, "Timestamp")?.parse::<Timestamp>().ok()?;
        let age = text(point, "Maximum")?.parse::<f64>().ok()?;
        Some((at, age))
    });
    let newest = points.max_by_key(|(at, _)| *at);
    Ok(newest.and_then(|(at, age)| at.checked_sub(SignedDuration::try_from_secs_f64(age).ok()?).ok()))
}

/// The account of `GetCallerIdentity`.
pub(super) fn account(body: &str) -> Result<String, Refusal> {
    let document = Document::parse(body).map_err(|_| malformed("an identity"))?;
    let result = result(&document, "GetCallerIdentity");
    result
        .and_then(|result| text(result, "Account"))
        .ok_or_else(|| malformed("an identity"))
}

/// Key, secret, token and end of `AssumeRole`.
pub(super) fn credentials(body: &str) -> Result<(String, String, String, Timestamp), Refusal> {
    let document = Document::parse(body).map_err(|_| malformed("credentials"))?;
    let result = result(&document, "AssumeRole");
    let found = result.and_then(|result| child(result, "Credentials"));
    let of = |name: &str| {
        found
            .and_then(|found| text(found, name))
            .ok_or_else(|| malformed("credentials"))
    };
    let end = of("Expiration")?.parse().map_err(|_| malformed("credentials"))?;
    Ok((
        of("AccessKeyId")?,
        of("SecretAccessKey")?,
        of("SessionToken")?,
        end,
    ))
}
