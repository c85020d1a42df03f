//! What else ran on the machine while a round was measured. A round that others disturbed is not compared with anything.

/// Up to this share of the machine's time a round may lose to others.
pub(crate) const QUIET: f64 = 0.10;

/// Ticks of `/proc/stat` in a second, on every architecture that Linux still has users on.
const TICKS: f64 = 100.0;

/// Time since the machine started, in seconds, over all processors.
#[derive(Clone, Copy)]
struct Times {
    /// All that passed.
    all: f64,
    /// All of it that somebody used, the machine below this one included (steal).
    used: f64,
}

/// A moment to count from.
pub(crate) struct Since {
    times: Option<Times>,
    own: u64,
}

impl Since {
    /// Now, when the bench and its contestants have used `own` nanoseconds.
    pub(crate) fn now(own: u64) -> Self {
        Self { times: times(), own }
    }

    /// The share of the machine's time that neither they nor idleness had until now, between 0 and 1.
    pub(crate) fn foreign(&self, own: u64) -> Option<f64> {
        let (before, now) = (self.times?, times()?);
        let ours = own.saturating_sub(self.own) as f64 / 1e9;
        let foreign = (now.used - before.used - ours).max(0.0);
        Some(foreign / (now.all - before.all))
    }
}

fn times() -> Option<Times> {
    parse(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// The first line: user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)).
fn parse(text: &str) -> Option<Times> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = line
        .split_whitespace()
        .take(8)
        .map_while(|word| word.parse().ok())
        .collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    let all: f64 = ticks.iter().sum();
    Some(Times {
        all: all / TICKS,
        used: (all - idle) / TICKS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_counts_as_used_and_waiting_for_the_disk_does_not() {
        let times = parse("cpu  100 0 50 800 20 5 5 20 0 0\ncpu0 1 2 3\n").expect("times");
        assert_eq!((times.all, times.used), (10.0, 1.8));
    }

    #[test]
    fn what_the_contestants_used_is_not_foreign() {
        let since = Since {
            times: times().map(|times| Times {
                all: times.all - 10.0,
                used: times.used - 4.0,
            }),
            own: 1_000_000_000,
        };
        let foreign = since.foreign(4_000_000_000).expect("a share");
        assert!((0.09..0.2).contains(&foreign), "{foreign}");
    }
}
