//! Our JSON parser against `serde_json`: the same texts are refused, the rest have the same value, and what is written of
//! it is one line of ASCII with the value it came from.

use mef_pipeline::json::{Document, JsonError, Kind, MAX_DEPTH, Node, Value as Owned};
use serde_json::Value;

use crate::oracle::{self, Answer, Sequence};

/// What a sequence says where whitespace is missing behind a value that does not end by itself.
const UNSPACED: &str = "expected whitespace between two values";

/// Members of one object that are looked up again: looking up is linear, and one object could hold thousands.
const LOOKED_UP: usize = 16;

/// Any bytes, as one value and as a sequence of values.
pub fn target(data: &[u8]) {
    value(data);
    sequence(data);
}

fn value(text: &[u8]) {
    let document = Document::parse(text.to_vec());
    if let Err(error) = &document {
        check_place(text, error);
    }
    match (document, oracle::value(text)) {
        (Ok(document), Answer::Accepts(expected)) => check(&document, &expected),
        (Ok(document), Answer::TooDeep) => assert_eq!(depth(document.root()), MAX_DEPTH),
        (Err(_), Answer::Refuses | Answer::TooDeep) => {}
        (Ok(_), Answer::Refuses) => panic!("we read what serde_json refuses"),
        (Err(error), Answer::Accepts(_)) => panic!("we refuse what serde_json reads: {error}"),
    }
}

fn sequence(text: &[u8]) {
    let documents = Document::parse_sequence(text.to_vec());
    if let Err(error) = &documents {
        check_place(text, error);
    }
    match (documents, oracle::sequence(text)) {
        (Ok(documents), Sequence::Values(expected)) => check_all(&documents, &expected),
        (Ok(_), Sequence::TooDeep) | (Err(_), Sequence::Refused | Sequence::TooDeep) => {}
        // The text as a whole is looked at first, and that it is no UTF-8 comes before everything else.
        (Err(error), Sequence::Unspaced(expected, at)) if std::str::from_utf8(text).is_ok() => {
            assert!(error.message.starts_with(UNSPACED), "{error}");
            assert_eq!(error.offset, at, "{error}");
            let before = Document::parse_sequence(text[..at].to_vec()).expect("serde_json reads it");
            check_all(&before, &expected);
        }
        (Err(_), Sequence::Unspaced(..)) => {}
        (Ok(_), answer) => panic!("we read what serde_json refuses: {answer:?}"),
        (Err(error), Sequence::Values(_)) => panic!("we refuse what serde_json reads: {error}"),
    }
}

fn check_all(documents: &[Document], expected: &[Value]) {
    assert_eq!(documents.len(), expected.len());
    for (document, expected) in documents.iter().zip(expected) {
        check(document, expected);
    }
}

/// A place is in the text, and line and column are those of its offset.
fn check_place(text: &[u8], error: &JsonError) {
    let before = text.get(..error.offset).expect("the place lies in the text");
    let lines = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert_eq!(error.line as usize, lines, "{error}");
    assert!(
        (1..=before.len() + 1).contains(&(error.column as usize)),
        "{error}"
    );
}

/// A document has this value, however it is asked.
fn check(document: &Document, expected: &Value) {
    check_node(document.root(), expected);
    assert_eq!(Owned::from(document).to_serde(), *expected, "as a tree");
    assert_eq!(document.shared_bytes(), document.bytes(), "the bytes shared");
    check_text(document, expected);
}

fn check_node(node: Node<'_>, expected: &Value) {
    match (node.kind(), expected) {
        (Kind::Null, Value::Null) => {}
        (Kind::Boolean, Value::Bool(expected)) => assert_eq!(node.as_bool(), Some(*expected)),
        (Kind::Number, Value::Number(_)) => {
            let digits = node.number_text().expect("it is a number");
            assert_eq!(
                serde_json::from_str::<Value>(&digits).ok().as_ref(),
                Some(expected)
            );
        }
        (Kind::String, Value::String(expected)) => {
            assert_eq!(node.as_str().as_deref(), Some(expected.as_str()));
        }
        (Kind::Array, Value::Array(expected)) => {
            assert_eq!(node.len(), expected.len());
            let elements: Vec<_> = node.elements().into_iter().flatten().collect();
            assert_eq!(elements.len(), expected.len());
            for (index, (element, expected)) in elements.into_iter().zip(expected).enumerate() {
                if index < LOOKED_UP {
                    check_same(node.pointer(&format!("/{index}")), element);
                }
                check_node(element, expected);
            }
        }
        (Kind::Object, Value::Object(expected)) => {
            assert_eq!(node.len(), expected.len());
            let members: Vec<_> = node.members().into_iter().flatten().collect();
            assert_eq!(members.len(), expected.len());
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index < LOOKED_UP {
                    let token = name.replace('~', "~0").replace('/', "~1");
                    check_same(node.get(&name), member);
                    check_same(node.pointer(&format!("/{token}")), member);
                }
                check_node(member, expected.get(&*name).expect("serde_json has the name"));
            }
        }
        (kind, expected) => panic!("{kind:?} is {expected} to serde_json"),
    }
}

fn check_same(found: Option<Node<'_>>, expected: Node<'_>) {
    let place = found.expect("what is there is found").bytes().as_ptr();
    assert_eq!(place, expected.bytes().as_ptr(), "another value of the same name");
}

/// What is written is one line of ASCII, has the same value, and is written the same again.
fn check_text(document: &Document, expected: &Value) {
    let (mut copied, mut built) = (Vec::new(), Vec::new());
    document.write_ascii(&mut copied);
    Owned::from(document).write_ascii(&mut built);
    for text in [&copied, &built] {
        assert!(
            text.iter().all(|byte| (0x20..0x7f).contains(byte)),
            "one line of ASCII"
        );
        match oracle::value(text) {
            Answer::Accepts(value) => assert_eq!(value, *expected, "what is written"),
            answer => panic!("what is written is JSON no more: {answer:?}"),
        }
        let again = Document::parse(text.clone()).expect("what is written is read again");
        let mut twice = Vec::new();
        again.write_ascii(&mut twice);
        assert_eq!(twice, *text, "written again");
    }
}

/// How many containers stand in each other.
fn depth(node: Node<'_>) -> usize {
    let elements = node.elements().into_iter().flatten();
    let members = node.members().into_iter().flatten().map(|(_, member)| member);
    let inner = elements.chain(members).map(depth).max().unwrap_or_default();
    inner + usize::from(node.is_array() || node.is_object())
}
