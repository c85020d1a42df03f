//! Who may be connected. Seats are bounded; a connection that keeps us waiting loses its seat to one that comes, so slow
//! senders cannot keep the others out, however many there are.

mod serve;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use serve::{Listening, listen};

/// All seats of one listener.
pub(crate) struct Seats {
    max: usize,
    grace: Duration,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    seats: BTreeMap<u64, Arc<Seat>>,
}

/// One connection's place.
pub(crate) struct Seat {
    number: u64,
    peer: IpAddr,
    activity: Mutex<Activity>,
    lost: CancellationToken,
}

#[derive(Clone, Copy)]
enum Activity {
    /// For the next request, or for the rest of one.
    WaitsForSender(Instant),
    /// The request is complete; the sender waits for us.
    AtWork,
}

/// What became of a new connection.
pub(crate) enum Admission {
    Seated(Arc<Seat>),
    /// Seated in the place of another, which closes.
    Evicting(Arc<Seat>),
    Full,
}

impl Seats {
    pub(crate) fn new(max: usize, grace: Duration) -> Self {
        Self {
            max,
            grace,
            taken: Mutex::default(),
        }
    }

    pub(crate) fn admit(&self, peer: IpAddr, now: Instant) -> Admission {
        let mut taken = lock(&self.taken);
        if taken.seats.len() < self.max {
            return Admission::Seated(taken.seat(peer, now));
        }
        let slowest = taken
            .seats
            .values()
            .filter_map(|seat| Some((seat.waits_since()?, seat.number)))
            .min()
            .filter(|(since, _)| now.duration_since(*since) >= self.grace);
        let Some((_, number)) = slowest else {
            return Admission::Full;
        };
        if let Some(seat) = taken.seats.remove(&number) {
            seat.lost.cancel();
        }
        Admission::Evicting(taken.seat(peer, now))
    }

    pub(crate) fn leave(&self, seat: &Seat) {
        lock(&self.taken).seats.remove(&seat.number);
    }
}

impl Taken {
    fn seat(&mut self, peer: IpAddr, now: Instant) -> Arc<Seat> {
        let number = self.next;
        self.next += 1;
        let seat = Arc::new(Seat {
            number,
            peer,
            activity: Mutex::new(Activity::WaitsForSender(now)),
            lost: CancellationToken::new(),
        });
        self.seats.insert(number, seat.clone());
        seat
    }
}

impl Seat {
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The request is complete: from here on nobody takes this seat.
    pub(crate) fn at_work(&self) {
        *lock(&self.activity) = Activity::AtWork;
    }

    /// The answer is on its way; now it is the sender's turn.
    pub(crate) fn waits(&self) {
        *lock(&self.activity) = Activity::WaitsForSender(Instant::now());
    }

    /// Resolves when the seat went to another.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    fn waits_since(&self) -> Option<Instant> {
        match *lock(&self.activity) {
            Activity::WaitsForSender(since) => Some(since),
            Activity::AtWork => None,
        }
    }
}

/// Nothing is done under these locks that could leave them half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const GRACE: Duration = Duration::from_secs(1);

    fn seated(seats: &Seats, now: Instant) -> Arc<Seat> {
        match seats.admit(PEER, now) {
            Admission::Seated(seat) | Admission::Evicting(seat) => seat,
            Admission::Full => panic!("no seat left"),
        }
    }

    #[test]
    fn the_one_that_kept_us_waiting_longest_loses_its_seat() {
        let seats = Seats::new(2, GRACE);
        let start = Instant::now();
        let first = seated(&seats, start);
        let second = seated(&seats, start + Duration::from_millis(1));
        assert!(matches!(seats.admit(PEER, start + GRACE), Admission::Evicting(_)));
        assert!(first.lost.is_cancelled());
        assert!(!second.lost.is_cancelled());
    }

    #[test]
    fn one_at_work_or_within_its_grace_keeps_its_seat() {
        let seats = Seats::new(2, GRACE);
        let start = Instant::now();
        let working = seated(&seats, start);
        working.at_work();
        let later = start + GRACE * 2;
        let _fresh = seated(&seats, later);
        assert!(matches!(seats.admit(PEER, later), Admission::Full));
        seats.leave(&working);
        assert!(matches!(seats.admit(PEER, later), Admission::Seated(_)));
    }
}
