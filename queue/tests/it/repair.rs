//! What is found on opening: unfinished writes are cut off, damage is refused and named, other writers are respected.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use mef_queue::file::{FileQueue, FileReader};
use mef_queue::{Lane, Queue, QueueError, Settings};
use pretty_assertions::assert_eq;

use crate::support::{Bench, MINUTE, all, ids, keep, message};

/// Five messages, each in a write of its own, and where each starts in the segment.
async fn five(bench: &Bench) -> Vec<u64> {
    let queue = bench.open();
    let mut starts = Vec::new();
    for id in ["a", "b", "c", "d", "e"] {
        let segment = bench.segments(Lane::Events).pop();
        starts.push(segment.map_or(0, |path| path.metadata().unwrap().len()));
        keep(&queue, Lane::Events, vec![message(id, format!("body of {id}"))]).await;
    }
    starts
}

fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

fn try_open(bench: &Bench) -> Result<FileQueue, QueueError> {
    FileQueue::open_with(&bench.path(), bench.settings.clone(), bench.options.clone())
}

#[tokio::test]
async fn a_tail_torn_at_any_length_is_cut_off_and_the_rest_is_whole() {
    let bench = Bench::new();
    drop(bench.open());
    // The journal of a process that did not end well: it does not say what was durable.
    let journal = bench.path().join("events/journal");
    let noted = fs::read(&journal).unwrap();
    let starts = five(&bench).await;
    let path = bench.segments(Lane::Events).remove(0);
    let whole = fs::read(&path).unwrap();
    for length in starts[3]..=whole.len() as u64 {
        fs::write(&path, &whole[..length as usize]).unwrap();
        fs::write(&journal, &noted).unwrap();
        let expected: &[&str] = match length {
            length if length == whole.len() as u64 => &["a", "b", "c", "d", "e"],
            length if length >= starts[4] => &["a", "b", "c", "d"],
            _ => &["a", "b", "c"],
        };
        let mut reader = FileReader::open(&bench.path()).unwrap();
        assert_eq!(
            ids(&reader.next_after(Lane::Events, 0, 10).unwrap()),
            expected,
            "length {length}"
        );
        assert_eq!(reader.damage(Lane::Events), []);
        let queue = bench.open();
        assert_eq!(ids(&all(&queue, Lane::Events).await), expected, "length {length}");
        keep(&queue, Lane::Events, vec![message("later", "1")]).await;
        drop(queue);
        let found = ids(&all(&bench.open(), Lane::Events).await);
        assert_eq!(found[..expected.len()], *expected);
        assert_eq!(found.last().unwrap(), "later");
    }
}

#[tokio::test]
async fn a_segment_that_is_shorter_than_the_journal_says_is_refused_and_goes_on_once_the_journal_is_moved_aside()
 {
    for segment_bytes in [1 << 20, 200] {
        let mut bench = Bench::new();
        bench.options.segment_bytes = segment_bytes;
        five(&bench).await;
        let segments = bench.segments(Lane::Events);
        let path = segments.first().unwrap();
        let whole = fs::read(path).unwrap();
        let journal = bench.path().join("events/journal");
        let noted = fs::read(&journal).unwrap();
        for length in 0..whole.len() {
            fs::write(path, &whole[..length]).unwrap();
            let error = try_open(&bench)
                .err()
                .expect("what was kept is not missed in silence");
            let QueueError::Damaged {
                path: named,
                offset,
                message,
            } = &error
            else {
                panic!("{error}")
            };
            assert_eq!(named, path.to_str().unwrap());
            assert!(*offset <= length as u64, "length {length}: {error}");
            assert!(
                message.contains("mv ") && message.contains(".damaged"),
                "{message}"
            );
            assert_eq!(
                fs::metadata(path).unwrap().len(),
                length as u64,
                "nothing was changed"
            );
            assert_eq!(fs::read(&journal).unwrap(), noted, "nothing was changed");
        }
        if segments.len() == 1 {
            // One of the five is left, and the message of the refusal says how to go on with it.
            fs::write(path, &whole[..whole.len() / 5 + 1]).unwrap();
            fs::rename(&journal, journal.with_extension("damaged")).unwrap();
            assert_eq!(ids(&all(&bench.open(), Lane::Events).await), ["a"]);
        }
    }
}

#[tokio::test]
async fn garbage_behind_the_last_record_is_cut_off() {
    for garbage in [
        vec![0; 4096],
        vec![0xff; 7],
        b"mefq".to_vec(),
        [b"mefq\x01".as_slice(), &[0xff; 90]].concat(),
    ] {
        let bench = Bench::new();
        five(&bench).await;
        let path = bench.segments(Lane::Events).remove(0);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [whole.as_slice(), &garbage].concat()).unwrap();
        let queue = bench.open();
        assert_eq!(ids(&all(&queue, Lane::Events).await), ["a", "b", "c", "d", "e"]);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[tokio::test]
async fn every_flipped_byte_before_the_last_record_is_refused_by_name_and_offset_and_the_rest_is_readable() {
    let bench = Bench::new();
    drop(bench.open());
    // The journal of a process that did not end well: it does not say what was durable, the records do.
    let journal = bench.path().join("events/journal");
    let noted = fs::read(&journal).unwrap();
    let starts = five(&bench).await;
    fs::write(&journal, noted).unwrap();
    let path = bench.segments(Lane::Events).remove(0);
    let whole = fs::read(&path).unwrap();
    for offset in starts[1]..starts[4] {
        flip(&path, offset);
        let record = starts.iter().rposition(|start| *start <= offset).unwrap();
        let error = try_open(&bench).err().expect("damage is refused");
        let QueueError::Damaged {
            path: named,
            offset: at,
            message,
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(
            (named.as_str(), *at),
            (path.to_str().unwrap(), starts[record]),
            "byte {offset}"
        );
        assert!(
            message.contains("mef queue") && message.contains("mv "),
            "{message}"
        );
        assert_eq!(
            fs::metadata(&path).unwrap().len(),
            whole.len() as u64,
            "nothing was changed"
        );

        let mut reader = FileReader::open(&bench.path()).unwrap();
        let mut expected = vec!["a", "b", "c", "d", "e"];
        expected.remove(record);
        assert_eq!(
            ids(&reader.next_after(Lane::Events, 0, 10).unwrap()),
            expected,
            "byte {offset}"
        );
        let damage = reader.damage(Lane::Events);
        assert_eq!(
            damage.iter().map(|one| one.offset).collect::<Vec<_>>(),
            [starts[record]]
        );
        flip(&path, offset);
    }
    assert_eq!(all(&bench.open(), Lane::Events).await.len(), 5);
}

#[tokio::test]
async fn damage_inside_one_write_or_in_the_last_record_is_refused_after_a_clean_end() {
    let bench = Bench::new();
    let queue = bench.open();
    keep(
        &queue,
        Lane::Events,
        ["a", "b", "c"].map(|id| message(id, id)).to_vec(),
    )
    .await;
    drop(queue);
    let path = bench.segments(Lane::Events).remove(0);
    let length = fs::metadata(&path).unwrap().len();
    for offset in [3, length / 2, length - 1] {
        flip(&path, offset);
        assert!(
            matches!(try_open(&bench), Err(QueueError::Damaged { .. })),
            "byte {offset}"
        );
        flip(&path, offset);
    }
    assert_eq!(all(&bench.open(), Lane::Events).await.len(), 3);
}

#[tokio::test]
async fn damage_in_a_segment_that_is_not_the_last_is_refused() {
    let mut bench = Bench::new();
    bench.options.segment_bytes = 100;
    five(&bench).await;
    let path = bench.segments(Lane::Events).remove(2);
    let whole = fs::read(&path).unwrap();
    let damages: [Vec<u8>; 3] = [
        whole[..whole.len() - 1].to_vec(),
        vec![0; whole.len()],
        [whole.as_slice(), b"x"].concat(),
    ];
    for damaged in damages {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(try_open(&bench), Err(QueueError::Damaged { .. })));
        let mut reader = FileReader::open(&bench.path()).unwrap();
        let found = ids(&reader.next_after(Lane::Events, 0, 10).unwrap());
        assert!(
            ["a", "b", "d", "e"]
                .iter()
                .all(|id| found.contains(&(*id).to_owned())),
            "{found:?}"
        );
        assert_eq!(reader.damage(Lane::Events).len(), 1);
    }
}

#[tokio::test]
async fn once_the_damaged_segment_is_moved_aside_the_queue_goes_on_and_gives_no_number_twice() {
    let bench = Bench::new();
    let starts = five(&bench).await;
    let queue = bench.open();
    let held = queue.receive(Lane::Events, 5, MINUTE).await.unwrap();
    queue.delete(Lane::Events, &held[4].handle).await.unwrap();
    drop(queue);
    let path = bench.segments(Lane::Events).remove(0);
    flip(&path, starts[1] + 50);
    assert!(try_open(&bench).is_err());
    fs::rename(&path, path.with_extension("log.damaged")).unwrap();
    let queue = bench.open();
    let kept = keep(&queue, Lane::Events, vec![message("f", "1")]).await;
    assert_eq!(kept, ["6"]);
    drop(queue);
    assert_eq!(ids(&all(&bench.open(), Lane::Events).await), ["f"]);
}

#[tokio::test]
async fn numbers_that_the_journal_calls_deleted_are_not_given_again_after_a_kill() {
    let bench = Bench::new();
    let queue = bench.open();
    keep(
        &queue,
        Lane::Events,
        ["a", "b", "c"].map(|id| message(id, id)).to_vec(),
    )
    .await;
    assert_eq!(queue.purge(Lane::Events).await.unwrap(), 3);
    let journal = bench.path().join("events/journal");
    let noted = fs::read(&journal).unwrap();
    drop(queue);
    // As a killed process leaves it, and then somebody removes the segments.
    fs::write(&journal, noted).unwrap();
    for path in bench.segments(Lane::Events) {
        fs::remove_file(path).unwrap();
    }
    let queue = bench.open();
    assert_eq!(keep(&queue, Lane::Events, vec![message("d", "1")]).await, ["4"]);
    drop(queue);
    assert_eq!(ids(&all(&bench.open(), Lane::Events).await), ["d"]);
}

#[tokio::test]
async fn a_record_of_a_later_format_is_never_cut_off() {
    let bench = Bench::new();
    let starts = five(&bench).await;
    let path = bench.segments(Lane::Events).remove(0);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[2], starts[4] + 4).unwrap();
    let error = try_open(&bench).err().unwrap().to_string();
    assert!(
        error.contains("format 2, which this program does not know"),
        "{error}"
    );
}

#[tokio::test]
async fn a_copy_of_a_record_inside_a_body_is_no_record() {
    // A sender who knows the format puts records into a body, as if written long after it.
    let other = Bench::new();
    let queue = other.open();
    keep(&queue, Lane::Events, vec![message("large", vec![b'x'; 9000])]).await;
    keep(&queue, Lane::Events, vec![message("forged", "1")]).await;
    drop(queue);
    let forged = fs::read(other.segments(Lane::Events).remove(0)).unwrap()[9000..].to_vec();
    let forged = &forged[forged.windows(4).position(|four| four == b"mefq").unwrap()..];

    let bench = Bench::new();
    five(&bench).await;
    let queue = bench.open();
    let journal = bench.path().join("events/journal");
    let noted = fs::read(&journal).unwrap();
    keep(
        &queue,
        Lane::Events,
        vec![message("big", [forged, b"rest"].concat())],
    )
    .await;
    drop(queue);
    let path = bench.segments(Lane::Events).remove(0);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    // As if the process had been killed in that write.
    fs::write(&journal, noted).unwrap();
    // In the torn record they neither count as messages nor make the tear look like damage.
    let mut reader = FileReader::open(&bench.path()).unwrap();
    assert_eq!(
        ids(&reader.next_after(Lane::Events, 0, 10).unwrap()),
        ["a", "b", "c", "d", "e"]
    );
    assert_eq!(
        ids(&all(&bench.open(), Lane::Events).await),
        ["a", "b", "c", "d", "e"]
    );
}

#[tokio::test]
async fn a_broken_journal_costs_deletes_at_most() {
    let bench = Bench::new();
    five(&bench).await;
    let queue = bench.open();
    let held = queue.receive(Lane::Events, 5, MINUTE).await.unwrap();
    for one in &held[..3] {
        queue.delete(Lane::Events, &one.handle).await.unwrap();
    }
    drop(queue);
    let journal = bench.path().join("events/journal");
    let whole = fs::read(&journal).unwrap();
    for length in 0..=whole.len() {
        fs::write(&journal, &whole[..length]).unwrap();
        let found = ids(&all(&bench.open(), Lane::Events).await);
        assert!(
            found.ends_with(&["d".to_owned(), "e".to_owned()]),
            "length {length}: {found:?}"
        );
    }
    for offset in 0..whole.len() {
        fs::write(&journal, &whole).unwrap();
        flip(&journal, offset as u64);
        let found = ids(&all(&bench.open(), Lane::Events).await);
        assert!(
            found.ends_with(&["d".to_owned(), "e".to_owned()]),
            "byte {offset}: {found:?}"
        );
    }
    fs::remove_file(&journal).unwrap();
    assert_eq!(all(&bench.open(), Lane::Events).await.len(), 5);
}

#[tokio::test]
async fn a_second_writer_is_refused_and_told_who_holds_the_queue() {
    let bench = Bench::new();
    let queue = bench.open();
    let error = try_open(&bench).err().unwrap();
    let QueueError::Locked { path, pid } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (path.as_str(), pid.as_str()),
        (bench.path().to_str().unwrap(), &*std::process::id().to_string())
    );
    drop(queue);
    try_open(&bench).unwrap();
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_the_reason_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.join("zoom"), file.join("deep/er/zoom"), file.clone()] {
        let error = FileQueue::open(&path, Settings::default()).err().unwrap();
        let QueueError::Folder { path: named, message } = &error else {
            panic!("{error}")
        };
        assert!(named.starts_with(file.to_str().unwrap()), "{error}");
        assert!(
            message.contains("--data") && message.contains("os error"),
            "{error}"
        );
    }
    let error = FileReader::open(&folder.path().join("nothing"))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("mef dev"), "{error}");
}

#[tokio::test]
async fn a_segment_that_is_moved_away_and_brought_back_has_lost_nothing() {
    for moved in 0..2 {
        let mut bench = Bench::new();
        bench.options.segment_bytes = 100;
        let queue = bench.open();
        for id in ["a", "b", "c"] {
            keep(&queue, Lane::Events, vec![message(id, vec![b'x'; 60])]).await;
        }
        drop(queue);
        let path = bench.segments(Lane::Events).remove(moved);
        let away = path.with_extension("log.damaged");
        fs::rename(&path, &away).unwrap();
        let queue = bench.open();
        keep(&queue, Lane::Events, vec![message("d", "1")]).await;
        drop(queue);
        fs::rename(&away, &path).unwrap();
        assert_eq!(
            ids(&all(&bench.open(), Lane::Events).await),
            ["a", "b", "c", "d"],
            "segment {moved}"
        );
    }
}
