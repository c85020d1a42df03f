//! A captured request and its secret → the ways of signing that fit. Every candidate is judged by the engine itself, so that
//! what is found here is what verifies later. Bounded: so many headers, times and ids, and the templates below.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mef_crds::{Encoding, Hash, KeyEncoding, KeyedSignature, SignatureSource, TimeUnit, TokenScheme};
use mef_pipeline::received::Received;
use mef_pipeline::time;

use super::wanted::{Places, Proof};

/// What senders sign, in the order in which it is tried.
const TEMPLATES: [&str; 16] = [
    "{body}",
    "{ts}.{body}",
    "{ts}:{body}",
    "{ts}{body}",
    "{body}{ts}",
    "{body}.{ts}",
    "{ts}\n{body}",
    "v0:{ts}:{body}",
    "v1:{ts}:{body}",
    "{id}.{ts}.{body}",
    "{id}{ts}{body}",
    "{id}.{body}",
    "{url}{body}",
    "{method}{url}{body}",
    "{method}{url}{body}{ts}",
    "{ts}{method}{url}{body}",
];

const MAX_SIGNATURES: usize = 16;
const MAX_PLACES: usize = 4;
const MAX_VALUE_CHARACTERS: usize = 512;
const MAX_PREFIX_CHARACTERS: usize = 64;

/// One way in which the request may have been signed.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) proof: Proof,
    pub(super) places: Places,
}

/// A value that has the length of a hash.
struct Signature {
    source: SignatureSource,
    encoding: Encoding,
    hash: Hash,
    /// Where the time stands, when it is in the same value.
    time: Option<(String, TimeUnit)>,
}

/// All candidates. `only` is the one header that may hold the proof, `knows_url` whether the public URL is known.
pub(super) fn candidates(
    received: &Received,
    secret: &[u8],
    only: Option<&str>,
    knows_url: bool,
) -> Vec<Candidate> {
    let headers: Vec<(&str, &str)> = received
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)))
        .filter(|(_, value)| value.len() <= MAX_VALUE_CHARACTERS)
        .collect();
    let of_proof: Vec<_> = headers
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only.eq_ignore_ascii_case(name)))
        .collect();
    let mut found: Vec<Candidate> = of_proof.iter().flat_map(|(name, _)| tokens(name)).collect();
    let times: Vec<_> = headers
        .iter()
        .filter_map(|(name, value)| sent(name, value))
        .take(MAX_PLACES)
        .collect();
    let ids: Vec<_> = headers
        .iter()
        .filter(|(name, _)| is_id(name))
        .take(MAX_PLACES)
        .collect();
    let ids: Vec<_> = ids.iter().map(|(name, _)| format!("header:{name}")).collect();
    let signatures = of_proof.iter().flat_map(|(name, value)| signatures(name, value));
    for signature in signatures.take(MAX_SIGNATURES) {
        let times: Vec<_> = signature.time.iter().chain(&times).collect();
        for sign in TEMPLATES
            .iter()
            .filter(|sign| knows_url || !sign.contains("{url}"))
        {
            for places in places(sign, &times, &ids) {
                found.extend(keys(secret).into_iter().map(|key| Candidate {
                    proof: Proof::Hmac {
                        hash: signature.hash,
                        key,
                        sign: (*sign).to_owned(),
                        signature: Box::new(signature.source.clone()),
                        encoding: signature.encoding,
                    },
                    places: places.clone(),
                }));
            }
        }
    }
    found
}

fn tokens(name: &str) -> impl Iterator<Item = Candidate> {
    let schemes = [
        None,
        Some(TokenScheme::Bearer),
        Some(TokenScheme::Basic),
        Some(TokenScheme::Splunk),
    ];
    let from = format!("header:{}", name.to_ascii_lowercase());
    schemes.into_iter().map(move |scheme| Candidate {
        proof: Proof::Token {
            from: from.clone(),
            scheme,
        },
        places: Places::default(),
    })
}

/// Every way to fill in what a template needs; none where the request has no such value.
fn places(sign: &str, times: &[&(String, TimeUnit)], ids: &[String]) -> Vec<Places> {
    let times: Vec<Option<(String, TimeUnit)>> = if sign.contains("{ts}") {
        times.iter().map(|time| Some((*time).clone())).collect()
    } else {
        vec![None]
    };
    let ids: Vec<Option<String>> = if sign.contains("{id}") {
        ids.iter().cloned().map(Some).collect()
    } else {
        vec![None]
    };
    let pairs = times
        .iter()
        .flat_map(|timestamp| ids.iter().map(move |id| (timestamp, id)));
    pairs
        .map(|(timestamp, id)| Places {
            timestamp: timestamp.clone(),
            id: id.clone(),
        })
        .collect()
}

/// The ways in which the secret's text can be a key.
fn keys(secret: &[u8]) -> Vec<KeyEncoding> {
    let mut keys = vec![KeyEncoding::Utf8];
    let text = std::str::from_utf8(secret).unwrap_or_default();
    if hexadecimal(text).is_some_and(|key| !key.is_empty()) {
        keys.push(KeyEncoding::Hex);
    }
    if let Some(rest) = text.strip_prefix("whsec_") {
        keys.extend(base64(rest).map(|_| KeyEncoding::Whsec));
    } else {
        keys.extend(
            base64(text)
                .filter(|key| !key.is_empty())
                .map(|_| KeyEncoding::Base64),
        );
    }
    keys
}

fn signatures(name: &str, value: &str) -> Vec<Signature> {
    let from = format!("header:{}", name.to_ascii_lowercase());
    let ends = value
        .char_indices()
        .filter(|(_, character)| "=, :".contains(*character));
    let ends = ends
        .map(|(at, _)| at + 1)
        .filter(|at| *at <= MAX_PREFIX_CHARACTERS);
    let mut found = Vec::new();
    for at in std::iter::once(0).chain(ends) {
        let (prefix, rest) = value.split_at_checked(at).unwrap_or((value, ""));
        if let Some((encoding, hash)) = looks(rest) {
            found.push(Signature {
                source: SignatureSource {
                    from: Some(from.clone()),
                    prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
                    ..SignatureSource::default()
                },
                encoding,
                hash,
                time: None,
            });
        }
    }
    found.extend(keyed(&from, value));
    found
}

/// `t=1767323045,v1=<hex>`.
fn keyed(from: &str, value: &str) -> Vec<Signature> {
    let separator = if value.contains(';') { ";" } else { "," };
    let pairs: Vec<(&str, &str)> = value
        .split(separator)
        .filter_map(|pair| pair.trim().split_once('='))
        .collect();
    if pairs.len() < 2 {
        return Vec::new();
    }
    let time = pairs.iter().find_map(|(key, value)| Some((*key, unit(value)?)));
    let of_pair = |(key, value): &(&str, &str)| {
        let (encoding, hash) = looks(value)?;
        Some(Signature {
            source: SignatureSource {
                from: Some(from.to_owned()),
                keyed: Some(KeyedSignature {
                    pair: separator.to_owned(),
                    eq: "=".to_owned(),
                    signature: (*key).to_owned(),
                    timestamp: time.map(|(key, _)| key.to_owned()),
                }),
                ..SignatureSource::default()
            },
            encoding,
            hash,
            time: time.map(|(_, unit)| ("sig.ts".to_owned(), unit)),
        })
    };
    pairs.iter().filter_map(of_pair).collect()
}

/// How a text of a hash's length is written, and which hash has that length.
fn looks(text: &str) -> Option<(Encoding, Hash)> {
    let of_length = |bytes: usize| match bytes {
        20 => Some(Hash::Sha1),
        32 => Some(Hash::Sha256),
        64 => Some(Hash::Sha512),
        _ => None,
    };
    let in_hex = hexadecimal(text).and_then(|bytes| Some((Encoding::Hex, of_length(bytes.len())?)));
    in_hex.or_else(|| base64(text).and_then(|bytes| Some((Encoding::Base64, of_length(bytes.len())?))))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [&STANDARD, &URL_SAFE]
        .into_iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(text).ok())
}

fn sent(name: &str, value: &str) -> Option<(String, TimeUnit)> {
    Some((format!("header:{}", name.to_ascii_lowercase()), unit(value)?))
}

/// How a time of these years is written: seconds have ten digits, milliseconds thirteen.
fn unit(value: &str) -> Option<TimeUnit> {
    let unit = match (value.len(), value.bytes().all(|byte| byte.is_ascii_digit())) {
        (10, true) => TimeUnit::Seconds,
        (13, true) => TimeUnit::Milliseconds,
        (_, true) => return None,
        _ => TimeUnit::Iso8601,
    };
    time::parse(value, unit).ok().map(|_| unit)
}

fn is_id(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("-id") || name.ends_with("_id") || name == "id" || name.ends_with("-delivery")
}

/// The candidate in words, for people.
pub(super) fn words(candidate: &Candidate) -> String {
    match &candidate.proof {
        Proof::Token { from, scheme } => {
            let scheme = scheme
                .map(|scheme| format!(" after the word {scheme:?}"))
                .unwrap_or_default();
            format!("the secret itself in {from}{scheme}")
        }
        Proof::Hmac {
            hash,
            key,
            sign,
            signature,
            encoding,
        } => {
            let from = signature.from.as_deref().unwrap_or_default();
            let prefix = signature
                .prefix
                .as_ref()
                .map(|prefix| format!(" after {prefix:?}"));
            let pair = signature
                .keyed
                .as_ref()
                .map(|keyed| format!(" as {:?}", keyed.signature));
            let part = prefix.or(pair).unwrap_or_default();
            let time = candidate.places.timestamp.as_ref();
            let time = time.map(|(from, unit)| format!(", {{ts}} from {from} in {unit:?}"));
            let id = candidate
                .places
                .id
                .as_ref()
                .map(|id| format!(", {{id}} from {id}"));
            format!(
                "HMAC with {hash:?} of {sign:?}, in {encoding:?} in {from}{part}, the key written as {key:?}{}{}",
                time.unwrap_or_default(),
                id.unwrap_or_default()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use mef_crds::{Encoding, Hash, TimeUnit};

    use super::{looks, signatures, unit};

    #[test]
    fn a_signature_is_known_by_its_length() {
        let hex = "ab".repeat(32);
        assert_eq!(looks(&hex), Some((Encoding::Hex, Hash::Sha256)));
        assert_eq!(
            looks("2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
            Some((Encoding::Base64, Hash::Sha1))
        );
        assert_eq!(looks("application/json"), None);
    }

    #[test]
    fn a_prefix_is_cut_off_and_pairs_are_taken_apart() {
        let hex = "ab".repeat(32);
        let found = signatures("X-Sig", &format!("sha256={hex}"));
        assert_eq!(found[0].source.prefix.as_deref(), Some("sha256="));
        assert_eq!(found[0].source.from.as_deref(), Some("header:x-sig"));
        let found = signatures("x", &format!("t=1767323045,v1={hex}"));
        assert!(
            found
                .iter()
                .any(|found| found.time == Some(("sig.ts".to_owned(), TimeUnit::Seconds)))
        );
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_told_apart() {
        assert_eq!(unit("1767323045"), Some(TimeUnit::Seconds));
        assert_eq!(unit("1767323045000"), Some(TimeUnit::Milliseconds));
        assert_eq!(unit("2026-01-02T03:04:05Z"), Some(TimeUnit::Iso8601));
        assert_eq!(unit("4711"), None);
    }
}
