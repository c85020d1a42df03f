//! Damaged files of the embedded queue: opening either refuses and says where, or every message that was kept is there as
//! it was. Nothing is made up, altered, or given a number that another message had; what is kept afterwards stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use mef_queue::file::storage::Storage;
use mef_queue::file::{FileQueue, FileReader, Options};
use mef_queue::{Delivery, Lane, Outgoing, Queue as _, QueueError, Settings};
use tokio::runtime::Runtime;

use crate::memory::Memory;

const FOLDER: &str = "/queue";
/// Small, so that a few messages make several segments.
const SEGMENT_BYTES: u64 = 400;
const MESSAGES: usize = 9;
/// The sequence of the one that is deleted.
const DELETED: &str = "4";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime starts")
});

/// A queue that was closed in order: its files, and the messages by their sequence.
struct Closed {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// With the deleted one: a damaged journal may bring it back.
    messages: BTreeMap<String, Delivery>,
}

static CLOSED: LazyLock<Closed> = LazyLock::new(|| {
    let memory = Memory::default();
    let queue = open(&memory).expect("an empty folder is a queue");
    let messages = RUNTIME.block_on(async {
        for first in (0..MESSAGES).step_by(3) {
            let three = (first..first + 3)
                .map(|number| message(&format!("body of {number}")))
                .collect();
            let kept = queue.send(Lane::Events, three).await;
            assert!(kept.iter().all(Result::is_ok), "{kept:?}");
        }
        let held = queue
            .receive(Lane::Events, MESSAGES, Duration::from_secs(60))
            .await;
        for held in held.expect("they are there") {
            if held.message_id == DELETED {
                queue
                    .delete(Lane::Events, &held.handle)
                    .await
                    .expect("it is held");
            }
        }
        scan(&queue).await
    });
    drop(queue);
    let mut messages: BTreeMap<_, _> = messages
        .into_iter()
        .map(|one| (one.message_id.clone(), one))
        .collect();
    assert_eq!(messages.len(), MESSAGES - 1);
    let deleted = Delivery {
        message_id: DELETED.to_owned(),
        body: b"body of 3".to_vec(),
        ..messages["5"].clone()
    };
    messages.insert(DELETED.to_owned(), deleted);
    Closed {
        files: memory.files(),
        messages,
    }
});

/// What is done to the files, five bytes each: file, deed, two of an offset, and a value. It is done to a queue that was
/// closed in order, so its journal says how much was durable.
pub fn target(data: &[u8]) {
    let mut files = CLOSED.files.clone();
    for deed in data.chunks_exact(5) {
        damage(&mut files, deed);
    }
    let memory = Memory::with(&files);
    read_beside(&memory);
    match open(&memory) {
        Ok(queue) => {
            let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
            // A segment that is moved away is how people go on after damage.
            let complete = names(&files) == names(&CLOSED.files) && journal_is_whole(&files);
            RUNTIME.block_on(check_open(&queue, complete));
            drop(queue);
            let again = open(&memory).expect("what was opened and closed is opened again");
            let kept = RUNTIME.block_on(scan(&again));
            assert!(
                kept.iter().any(|one| one.body == b"later"),
                "what was kept afterwards is lost"
            );
        }
        Err(QueueError::Damaged {
            path,
            offset,
            message,
        }) => {
            let length = files.get(Path::new(&path)).map_or(0, Vec::len);
            assert!(offset <= length as u64, "{path}: byte {offset} of {length}");
            assert!(!message.is_empty());
            assert_eq!(
                untimed(memory.files()),
                untimed(files),
                "a refusal changes nothing"
            );
        }
        Err(error) => panic!("it opens or is damaged: {error}"),
    }
}

fn damage(files: &mut BTreeMap<PathBuf, Vec<u8>>, deed: &[u8]) {
    let &[file, deed, high, low, value] = deed else {
        return;
    };
    let count = files.len().max(1);
    let Some((path, bytes)) = files.iter_mut().nth(usize::from(file) % count) else {
        return;
    };
    let path = path.clone();
    let at = usize::from(u16::from_be_bytes([high, low])) % (bytes.len() + 1);
    match deed % 6 {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= value;
            }
        }
        1 => bytes.truncate(at),
        2 => bytes.insert(at, value),
        3 => bytes.extend(std::iter::repeat_n(value, at.min(64))),
        4 => bytes[at..].fill(value),
        _ => {
            files.remove(&path);
        }
    }
}

/// A journal that says what it said. Without it nobody can tell an unfinished write from a lost one.
fn journal_is_whole(files: &BTreeMap<PathBuf, Vec<u8>>) -> bool {
    let journals = |files: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<Vec<u8>> {
        let named = files.iter().filter(|(path, _)| path.ends_with("journal"));
        named.map(|(_, bytes)| bytes.clone()).collect()
    };
    let (found, expected) = (journals(files), journals(&CLOSED.files));
    let whole = |(found, expected): (&Vec<u8>, &Vec<u8>)| found.starts_with(expected);
    found.len() == expected.len() && found.iter().zip(&expected).all(whole)
}

fn read_beside(memory: &Memory) {
    let storage: Arc<dyn Storage> = Arc::new(memory.clone());
    let Ok(mut reader) = FileReader::open_with(Path::new(FOLDER), &storage) else {
        return;
    };
    if let Ok(found) = reader.next_after(Lane::Events, 0, 100) {
        found.iter().for_each(check_one);
    }
}

async fn check_open(queue: &FileQueue, complete: bool) {
    let found = scan(queue).await;
    found.iter().for_each(check_one);
    let ids: Vec<u64> = found
        .iter()
        .filter_map(|one| one.message_id.parse().ok())
        .collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "each once and in order");
    if complete {
        let lost: Vec<_> = CLOSED
            .messages
            .keys()
            .filter(|id| *id != DELETED && !found.iter().any(|one| one.message_id == **id))
            .collect();
        assert!(lost.is_empty(), "lost without a word: {lost:?}");
    }
    let mut receipts = queue.send(Lane::Events, vec![message("later")]).await;
    let receipt = receipts.remove(0).expect("an open queue takes messages");
    let number: u64 = receipt.message_id.parse().expect("it is a number");
    assert!(
        ids.last().is_none_or(|last| number > *last),
        "{number} is given twice"
    );
}

/// It is what was kept under this sequence.
fn check_one(found: &Delivery) {
    let kept = CLOSED.messages.get(&found.message_id);
    let kept = kept.unwrap_or_else(|| panic!("{} was never kept", found.message_id));
    assert_eq!(
        (&found.body[..], &found.attributes),
        (&kept.body[..], &kept.attributes)
    );
}

fn message(body: &str) -> Outgoing {
    Outgoing {
        body: body.as_bytes().to_vec().into(),
        attributes: BTreeMap::from([("mef-source".to_owned(), "security/fuzz".to_owned())]),
        deduplication_id: None,
    }
}

async fn scan(queue: &FileQueue) -> Vec<Delivery> {
    queue
        .scan(Lane::Events, None, 1000)
        .await
        .expect("an open queue can be read")
}

fn open(memory: &Memory) -> Result<FileQueue, QueueError> {
    let options = Options {
        storage: Arc::new(memory.clone()),
        clock: Arc::new(crate::bench::at),
        segment_bytes: SEGMENT_BYTES,
        ..Options::default()
    };
    FileQueue::open_with(Path::new(FOLDER), Settings::default(), options)
}

/// The segments: journals are written anew on opening, which loses nothing.
fn untimed(mut files: BTreeMap<PathBuf, Vec<u8>>) -> BTreeMap<PathBuf, Vec<u8>> {
    files.retain(|path, _| path.extension().is_some_and(|extension| extension == "log"));
    files
}
