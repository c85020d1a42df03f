//! The payload of an event, wherever it comes from: the document as received, or what a transform left.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::writer::ObjectWriter;
use crate::expression::{Event, MESSAGE, Payload};
use crate::json::{Node, Value as Json};
use crate::redact::Redactor;

/// The key of our own facts in `details`.
pub(super) const MEF: &str = "mef";

/// Writes the payload alone.
pub(super) fn write(event: &Event, redactor: &Redactor, out: &mut Vec<u8>) {
    let start = out.len();
    match event.payload() {
        Payload::Unchanged => event.valid().item().document().write_ascii(out),
        Payload::Changed(value) => value.write_ascii(out),
    }
    redact(out, start, redactor);
}

/// Writes the payload as an object with our own facts under `mef`. A payload that is no object stands under `message`.
/// A member of the payload that is called `mef` is handed to `facts`, already written, to go beneath ours.
pub(super) fn write_with_facts(
    event: &Event,
    redactor: &Redactor,
    out: &mut Vec<u8>,
    facts: impl FnOnce(&mut ObjectWriter<'_>, Option<&[u8]>),
) {
    let members = Members::of(event);
    let original = members.get(MEF).map(|member| {
        let mut written = Vec::new();
        member.write(&mut written);
        redact(&mut written, 0, redactor);
        written
    });
    if original.is_none() && members.are_the_payload() {
        // The usual case: the object's bytes as they are, and ours before its closing brace.
        write(event, redactor, out);
        out.pop();
        out.push(b',');
        write_facts(out, original.as_deref(), facts);
        return;
    }
    let start = out.len();
    let mut object = ObjectWriter::begin(out);
    members.each(|name, member| {
        if name != MEF {
            member.write(object.name(name));
        }
    });
    object.end();
    redact(out, start, redactor);
    out.pop();
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_facts(out, original.as_deref(), facts);
}

/// Writes a value that may hold something of the sender's.
pub(super) fn write_value(value: &Json, redactor: &Redactor, out: &mut Vec<u8>) {
    let start = out.len();
    value.write_ascii(out);
    redact(out, start, redactor);
}

/// Writes `"mef":{…}}`: the last member, and the end of the object around it.
fn write_facts(
    out: &mut Vec<u8>,
    original: Option<&[u8]>,
    facts: impl FnOnce(&mut ObjectWriter<'_>, Option<&[u8]>),
) {
    out.extend_from_slice(b"\"mef\":");
    let mut object = ObjectWriter::begin(out);
    facts(&mut object, original);
    object.end();
    out.push(b'}');
}

/// A text member of the payload, where it is an object and has it.
pub(super) fn text<'a>(event: &'a Event, name: &str) -> Option<Cow<'a, str>> {
    match Members::of(event).get(name)? {
        Member::Node(node) => node.as_str(),
        Member::Tree(Json::String(text)) => Some(Cow::Borrowed(text)),
        Member::Tree(_) => None,
    }
}

fn redact(out: &mut Vec<u8>, start: usize, redactor: &Redactor) {
    let clean = match redactor.json(out.get(start..).unwrap_or_default()) {
        Cow::Borrowed(_) => return,
        Cow::Owned(clean) => clean,
    };
    out.truncate(start);
    out.extend_from_slice(&clean);
}

/// The payload as members of an object.
enum Members<'a> {
    Node(Node<'a>),
    Tree(&'a BTreeMap<String, Json>),
    /// No object; it becomes the one member `message`.
    Message(Member<'a>),
}

#[derive(Clone, Copy)]
enum Member<'a> {
    Node(Node<'a>),
    Tree(&'a Json),
}

impl<'a> Members<'a> {
    fn of(event: &'a Event) -> Self {
        match event.payload() {
            Payload::Unchanged => {
                let root = event.valid().item().document().root();
                if root.is_object() {
                    Self::Node(root)
                } else {
                    Self::Message(Member::Node(root))
                }
            }
            Payload::Changed(Json::Object(members)) => Self::Tree(members),
            Payload::Changed(other) => Self::Message(Member::Tree(other)),
        }
    }

    /// Whether the payload as it is written is these members, and there are some.
    fn are_the_payload(&self) -> bool {
        match self {
            Self::Node(node) => !node.is_empty(),
            Self::Tree(members) => !members.is_empty(),
            Self::Message(_) => false,
        }
    }

    fn get(&self, name: &str) -> Option<Member<'a>> {
        match self {
            Self::Node(node) => node.get(name).map(Member::Node),
            Self::Tree(members) => members.get(name).map(Member::Tree),
            Self::Message(member) => (name == MESSAGE).then_some(*member),
        }
    }

    fn each(&self, mut visit: impl FnMut(&str, Member<'a>)) {
        match self {
            Self::Node(node) => {
                for (name, member) in node.members().into_iter().flatten() {
                    visit(&name, Member::Node(member));
                }
            }
            Self::Tree(members) => {
                for (name, member) in *members {
                    visit(name, Member::Tree(member));
                }
            }
            Self::Message(member) => visit(MESSAGE, *member),
        }
    }
}

impl Member<'_> {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Node(node) => node.write_ascii(out),
            Self::Tree(value) => value.write_ascii(out),
        }
    }
}
