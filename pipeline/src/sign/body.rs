//! Proof that stands in the body: a JSON body with `null` where a value belongs in, the body with the value there out.
//! Every other byte stays as it is, and a value that is already there is never replaced.

use bytes::Bytes;

use crate::json::{Document, Node};

/// The body with the JSON text `value` at each place a pointer leads to (`*` stands for every element). `None` where the
/// body is no JSON, or where something else than `null` stands there, or nothing.
pub(super) fn fill(body: &Bytes, pointer: &str, value: &[u8]) -> Option<Bytes> {
    let document = Document::parse(body.clone()).ok()?;
    let mut nodes = vec![document.root()];
    for segment in pointer.split('/').skip(1) {
        nodes = nodes.into_iter().flat_map(|node| step(node, segment)).collect();
    }
    if nodes.is_empty() || !nodes.iter().all(|node| node.is_null()) {
        return None;
    }
    let start = document.bytes().as_ptr().addr();
    let mut filled = Vec::with_capacity(body.len() + nodes.len() * value.len());
    let mut done = 0;
    for node in nodes {
        let at = node.bytes().as_ptr().addr() - start;
        filled.extend_from_slice(document.bytes().get(done..at)?);
        filled.extend_from_slice(value);
        done = at + node.bytes().len();
    }
    filled.extend_from_slice(document.bytes().get(done..)?);
    Some(filled.into())
}

fn step<'a>(node: Node<'a>, segment: &str) -> Vec<Node<'a>> {
    if segment == "*" {
        return node.elements().into_iter().flatten().collect();
    }
    node.pointer(&format!("/{segment}")).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, pointer: &str, expected: Option<&str>) {
        let filled = fill(&Bytes::copy_from_slice(body.as_bytes()), pointer, b"\"x\"");
        assert_eq!(filled.as_deref(), expected.map(str::as_bytes));
    }

    #[test]
    fn only_null_is_filled_and_every_other_byte_stays() {
        check(
            "{ \"a\": null, \"b\":1.0 }",
            "/a",
            Some("{ \"a\": \"x\", \"b\":1.0 }"),
        );
        check(
            r#"{"v":[{"c":null,"d":null},{"d":2,"c": null}]}"#,
            "/v/*/c",
            Some(r#"{"v":[{"c":"x","d":null},{"d":2,"c": "x"}]}"#),
        );
        check("null", "", Some("\"x\""));
        check(r#"{"a":"y"}"#, "/a", None);
        check(r#"{"v":[{"c":null},{"c":"y"}]}"#, "/v/*/c", None);
        check(r#"{"b":null}"#, "/a", None);
        check("a=null", "/a", None);
    }
}
