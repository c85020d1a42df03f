//! The MD5 sums that SQS's clients compare: of the body, and of the attributes in SQS's own binary form. Not for security.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

/// The kind of a value in the sum: a string.
const STRING: u8 = 1;

/// MD5 of the body, in hex.
pub(super) fn of_body(body: &[u8]) -> String {
    hex(Md5::digest(body).as_slice())
}

/// MD5 of string attributes in the order of their names: length and bytes of name, of type, the kind, and length and bytes
/// of the value.
pub(super) fn of_attributes(attributes: &BTreeMap<&str, &str>) -> String {
    let mut bytes = Vec::new();
    for (name, value) in attributes {
        for text in [name, "String"] {
            add(&mut bytes, text);
        }
        bytes.push(STRING);
        add(&mut bytes, value);
    }
    hex(Md5::digest(&bytes).as_slice())
}

fn add(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{of_attributes, of_body};

    #[test]
    fn sums_are_those_of_sqs() {
        // RFC 1321, and an example computed with the algorithm of the SQS developer guide by an independent program.
        assert_eq!(of_body(b"message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        let attributes = [("mef-event-id", "0123"), ("mef-source", "default/zoom")].into();
        assert_eq!(of_attributes(&attributes), "e4cbac4850a215946710ebdeb3658d1c");
    }
}
