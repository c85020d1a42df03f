//! Event ids: the same delivery gives the same ids again, and no two events share one.
//!
//! In come the source, the vendor's keys and the items' bytes; out go SHA-256 digests in hexadecimal. Consumers drop what
//! they have seen by this id, so an id that is too coarse loses events. In doubt there is a duplicate, never a loss: the
//! bytes count unless the vendor says (and the preset cites) that its key is unique per event.

use std::collections::HashMap;

use ring::digest::{Context, SHA256};

use crate::hex;

/// What one request's events have in common.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// `namespace/name` of the source.
    pub source: &'a str,
    /// The vendor's key of the request, where it has one.
    pub vendor_key: Option<&'a str>,
    /// The preset says that the vendor's key is unique per event and the same on a redelivery.
    pub unique: bool,
    /// The definition can make several events of one body. The request's key alone then does not tell them apart.
    pub splits: bool,
}

/// What makes one event of a request.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The vendor's key of the item, where bodies are split.
    pub vendor_key: Option<&'a str>,
    /// The item's bytes as received.
    pub bytes: &'a [u8],
}

/// The ids of a request's events, in their order. Equal items (a batch may hold the same line twice) differ by how many
/// equal ones came before, so that each is delivered.
#[must_use]
pub fn event_ids(delivery: Delivery<'_>, items: &[Identity<'_>]) -> Vec<String> {
    let mut seen: HashMap<[u8; 32], u64> = HashMap::new();
    items
        .iter()
        .map(|item| {
            let key_is_enough = delivery.unique
                && if delivery.splits {
                    item.vendor_key.is_some()
                } else {
                    delivery.vendor_key.is_some()
                };
            let mut frame = Frame::new("event");
            frame.text(Some(delivery.source));
            frame.text(delivery.vendor_key);
            frame.text(item.vendor_key);
            frame.field((!key_is_enough).then_some(item.bytes));
            let identity = frame.finish();
            let ordinal = seen.entry(identity).or_default();
            let mut frame = Frame::new("ordinal");
            frame.field(Some(&identity));
            frame.field(Some(&ordinal.to_be_bytes()));
            *ordinal += 1;
            hex::encode(&frame.finish())
        })
        .collect()
}

/// The id of a whole request, for a dead letter that could not be split into items.
#[must_use]
pub fn request_id(source: &str, vendor_key: Option<&str>, body: &[u8]) -> String {
    let mut frame = Frame::new("request");
    frame.text(Some(source));
    frame.text(vendor_key);
    frame.field(Some(body));
    hex::encode(&frame.finish())
}

/// SHA-256 in hexadecimal, as `bodySha256` has it.
#[must_use]
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(ring::digest::digest(&SHA256, bytes).as_ref())
}

/// Fields with their length before them, so that no two different lists of fields are the same bytes.
struct Frame(Context);

impl Frame {
    fn new(purpose: &str) -> Self {
        let mut frame = Self(Context::new(&SHA256));
        frame.text(Some(purpose));
        frame
    }

    fn text(&mut self, text: Option<&str>) {
        self.field(text.map(str::as_bytes));
    }

    fn field(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.0.update(&[0]),
            Some(bytes) => {
                self.0.update(&[1]);
                self.0.update(&(bytes.len() as u64).to_be_bytes());
                self.0.update(bytes);
            }
        }
    }

    fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ZOOM: Delivery<'_> = Delivery {
        source: "security/zoom",
        vendor_key: Some("delivery-1"),
        unique: false,
        splits: false,
    };

    fn item(bytes: &[u8]) -> Identity<'_> {
        Identity {
            vendor_key: None,
            bytes,
        }
    }

    fn one(delivery: Delivery<'_>, identity: Identity<'_>) -> String {
        event_ids(delivery, &[identity]).remove(0)
    }

    #[test]
    fn a_redelivery_has_the_same_id() {
        let id = one(ZOOM, item(b"{}"));
        assert_eq!(id, one(ZOOM, item(b"{}")));
        assert_eq!(id.len(), 64);
        assert!(
            id.bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        );
    }

    /// Ids written down, so that a release that changes them (and doubles what is under way) is noticed.
    #[test]
    fn ids_stay_what_they_were_in_earlier_releases() {
        assert_eq!(one(ZOOM, item(b"{\"event\":\"a\"}")), GOLDEN_EVENT);
        assert_eq!(request_id("security/zoom", None, b"not json"), GOLDEN_REQUEST);
    }
    const GOLDEN_EVENT: &str = "1d5e15d53a4fc9bcbe8f7cd955e79b03d01b464017ff795aa6aade2339c4a9b4";
    const GOLDEN_REQUEST: &str = "fc9f7bfba7f497d6da5cb8afbc5c214ba26101939a9f05d51e69fdd83f1dcee7";

    #[test]
    fn everything_that_tells_events_apart_is_in_the_id() {
        let other_source = Delivery {
            source: "security/zoo",
            ..ZOOM
        };
        let no_key = Delivery {
            vendor_key: None,
            ..ZOOM
        };
        let empty_key = Delivery {
            vendor_key: Some(""),
            ..ZOOM
        };
        let keyed = Identity {
            vendor_key: Some("i"),
            bytes: b"{}",
        };
        let ids = BTreeSet::from([
            one(ZOOM, item(b"{}")),
            one(ZOOM, item(b"{ }")),
            one(ZOOM, keyed),
            one(other_source, item(b"{}")),
            one(no_key, item(b"{}")),
            one(empty_key, item(b"{}")),
            request_id(ZOOM.source, ZOOM.vendor_key, b"{}"),
        ]);
        assert_eq!(ids.len(), 7);
    }

    #[test]
    fn fields_cannot_run_into_each_other() {
        let a = Delivery {
            source: "a",
            vendor_key: Some("bc"),
            ..ZOOM
        };
        let b = Delivery {
            source: "ab",
            vendor_key: Some("c"),
            ..ZOOM
        };
        assert_ne!(one(a, item(b"x")), one(b, item(b"x")));
    }

    #[test]
    fn equal_items_of_one_request_are_all_delivered_and_keep_their_ids() {
        let items = [item(b"1"), item(b"2"), item(b"1"), item(b"1")];
        let splits = Delivery { splits: true, ..ZOOM };
        let ids = event_ids(splits, &items);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4);
        assert_eq!(ids, event_ids(splits, &items));
    }

    #[test]
    fn the_bytes_are_left_out_only_where_the_vendors_key_is_cited_as_unique_and_is_there() {
        let unique = Delivery { unique: true, ..ZOOM };
        let keyless = Delivery {
            vendor_key: None,
            ..unique
        };
        let splits = Delivery {
            splits: true,
            ..unique
        };
        let same = |delivery, key| {
            let a = Identity {
                vendor_key: key,
                bytes: b"{}",
            };
            let b = Identity {
                vendor_key: key,
                bytes: b"{ }",
            };
            one(delivery, a) == one(delivery, b)
        };
        assert!(same(unique, None), "the key of the request is enough");
        assert!(!same(ZOOM, None), "the key is not cited as unique");
        assert!(!same(keyless, None), "the key is missing");
        assert!(!same(splits, None), "the request's key does not tell items apart");
        assert!(same(splits, Some("item-1")), "the item's key is enough");
    }

    #[test]
    fn two_items_with_the_same_unique_key_in_one_request_are_both_delivered() {
        let splits = Delivery {
            splits: true,
            unique: true,
            ..ZOOM
        };
        let items = [
            Identity {
                vendor_key: Some("k"),
                bytes: b"1",
            },
            Identity {
                vendor_key: Some("k"),
                bytes: b"2",
            },
        ];
        let ids = event_ids(splits, &items);
        assert_ne!(ids[0], ids[1]);
    }
}
