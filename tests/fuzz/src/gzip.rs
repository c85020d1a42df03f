//! Compressed bodies: the same events as the plain ones, broken ones are dead letters, and no secret hides in either.

use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use mef_pipeline::dead_letter::{BodyEncoding, DeadReason, Letter};
use mef_pipeline::pipeline::Prepared;
use serde_json::json;

use crate::bench::{Bench, SECRET};

/// The largest body, once decompressed, of a source that says nothing: 16 times 1 MiB.
const LONGEST: u64 = 16 * 1_048_576;
/// How many layers of gzip secrets are looked for in.
const LAYERS: usize = 4;
const GZIP: &[(&str, &str)] = &[("content-encoding", "gzip")];

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::new(&json!({}), &json!({"formats": ["Json"]})));

/// Bytes as a plain body that is compressed, and as a compressed one.
pub fn target(data: &[u8]) {
    // Plain gzip without its header is what a mutation is most easily lost in; so the data may stand for either.
    let packed = pack(data);
    assert_eq!(
        texts(&BENCH.post(&packed, GZIP)),
        texts(&BENCH.post(data, &[])),
        "plain and packed"
    );
    check_packed(data);
    check_letter(data);
}

fn check_packed(packed: &[u8]) {
    let items = BENCH.post(packed, GZIP);
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(packed)
        .take(LONGEST + 1)
        .read_to_end(&mut plain);
    if read.is_ok() && plain.len() as u64 <= LONGEST {
        assert_eq!(
            texts(&items),
            texts(&BENCH.post(&plain, &[])),
            "what is decompressed"
        );
    } else {
        let [Prepared::DeadLetter(letter)] = items.as_slice() else {
            panic!("what cannot be decompressed is one dead letter: {items:?}");
        };
        assert_eq!(letter.reason, DeadReason::Unparsable);
    }
}

/// What reads a letter's packed body says so when it is none, and gives what was packed.
fn check_letter(data: &[u8]) {
    let items = BENCH.post(b"{", &[]);
    let [Prepared::DeadLetter(letter)] = items.as_slice() else {
        panic!("broken JSON is one dead letter: {items:?}");
    };
    let with = |body: String| Letter {
        body,
        body_encoding: BodyEncoding::GzipBase64,
        ..(**letter).clone()
    };
    let packed = with(STANDARD.encode(pack(data)));
    assert_eq!(packed.body_bytes().as_deref(), Ok(data));
    // Any answer will do, as long as it is one.
    let _ = with(STANDARD.encode(data)).body_bytes();
    let _ = with(String::from_utf8_lossy(data).into_owned()).body_bytes();
}

/// What is left of so many layers of gzip.
fn unpacked(mut body: Vec<u8>, layers: usize) -> Vec<u8> {
    for _ in 0..layers {
        let mut plain = Vec::new();
        match MultiGzDecoder::new(body.as_slice()).read_to_end(&mut plain) {
            Ok(_) if !body.is_empty() => body = plain,
            _ => break,
        }
    }
    body
}

fn pack(plain: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(plain).expect("memory takes everything");
    packer.finish().expect("memory takes everything")
}

/// Messages, and of dead letters the body that a person reads, unpacked.
fn texts(items: &[Prepared]) -> Vec<Vec<u8>> {
    let text = |item: &Prepared| match item {
        Prepared::Event(message) => message.body().to_vec(),
        Prepared::DeadLetter(letter) => letter.body_bytes().expect("what we wrote we can read"),
        Prepared::Filtered => Vec::new(),
    };
    let texts: Vec<_> = items.iter().map(text).collect();
    for text in &texts {
        let text = unpacked(text.clone(), LAYERS);
        let shown = text.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        assert!(!shown, "the secret is shown");
    }
    texts.into_iter().map(|text| unpacked(text, usize::MAX)).collect()
}
