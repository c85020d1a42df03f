//! Requests at a steady rate, each with what was answered: what a sender would see while something is changed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mef_e2e::{Zoom, post};

/// Senders at once: one that waits for its answer must not slow the others down.
const SENDERS: u64 = 16;

/// One request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// What makes its event unique.
    pub(crate) serial: String,
    /// Which of the apps signed it.
    pub(crate) by: usize,
    /// The status; none where no answer came.
    pub(crate) status: Option<u16>,
    /// When it was sent, since the load began.
    pub(crate) at: Duration,
    /// How long the answer took.
    pub(crate) took: Duration,
}

/// A load under way. It ends with [`Load::end`].
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<Mutex<Vec<Sent>>>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Sends `per_second` requests to a URL, signed by the apps in turn. `name` makes serials unique.
    pub(crate) fn begin(url: &str, name: &str, per_second: u64, apps: &[Zoom]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let number = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let senders = (0..SENDERS)
            .map(|_| {
                let (stop, sent, number) = (stop.clone(), sent.clone(), number.clone());
                let (url, name, apps) = (url.to_owned(), name.to_owned(), apps.to_vec());
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let mine = number.fetch_add(1, Ordering::Relaxed);
                        // Its turn, by the clock and not after the answer before: a slow answer does not lower the rate.
                        let turn = Duration::from_micros(mine * 1_000_000 / per_second);
                        thread::sleep(turn.saturating_sub(began.elapsed()));
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let by = usize::try_from(mine).expect("a small number") % apps.len();
                        let one = send(&url, format!("{name}-{mine}"), by, &apps[by], began);
                        sent.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                    }
                })
            })
            .collect();
        Self { stop, sent, senders }
    }

    /// How many were answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Lets so many more be answered.
    pub(crate) fn go_on(&self, more: usize) {
        let until = self.answered() + more;
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.answered() < until {
            assert!(Instant::now() < deadline, "the load does not get on");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops, and gives everything that was sent.
    pub(crate) fn end(self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.join().expect("a sender ends");
        }
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sent.sort_by_key(|one| one.at);
        sent
    }
}

fn send(url: &str, serial: String, by: usize, app: &Zoom, began: Instant) -> Sent {
    let body = Zoom::user_created(&serial);
    let at = began.elapsed();
    let answer = post(url, &app.headers(&body), &body);
    Sent {
        serial,
        by,
        status: answer.map(|answer| answer.status),
        at,
        took: began.elapsed() - at,
    }
}

/// Those that were not answered with this status, for an assertion's message.
pub(crate) fn others(sent: &[Sent], status: u16) -> Vec<&Sent> {
    sent.iter().filter(|one| one.status != Some(status)).collect()
}
