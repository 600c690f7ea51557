//! Lets one log line a second through.

use std::fmt::{self, Display, Formatter};
use std::time::Instant;

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Between two lines of one kind.
const PAUSE_MS: u64 = 1000;

/// One kind of log line. Worker threads share it.
pub struct Throttle {
    start: Instant,
    /// When the next line may be shown, in milliseconds since `start`.
    next: AtomicU64,
    hidden: AtomicU64,
}

/// How many lines of the kind were not shown, as the end of the one that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hidden(u64);

impl Throttle {
    /// Lets the first line through.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            next: AtomicU64::new(0),
            hidden: AtomicU64::new(0),
        }
    }

    /// Whether to show a line now, and how many were hidden since the last.
    pub fn admit(&self) -> Option<Hidden> {
        self.admit_at(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn admit_at(&self, now: u64) -> Option<Hidden> {
        let next = self.next.load(Relaxed);
        let pause_ends = now.saturating_add(PAUSE_MS);
        let is_first = now >= next
            && self
                .next
                .compare_exchange(next, pause_ends, Relaxed, Relaxed)
                .is_ok();
        if is_first {
            return Some(Hidden(self.hidden.swap(0, Relaxed)));
        }
        self.hidden.fetch_add(1, Relaxed);
        None
    }
}

impl Display for Hidden {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            hidden => write!(f, " ({hidden} more like this not shown)"),
        }
    }
}

#[cfg(test)]
mod tests;
