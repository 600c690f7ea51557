//! Lets one log line a second through.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Between two lines of one kind.
const PAUSE_MS: u64 = 1000;

/// One kind of log line. Worker threads share it.
pub struct Throttle {
    start: Instant,
    /// When the next line may be shown, in milliseconds since `start`.
    next: AtomicU64,
    hidden: AtomicU64,
}

impl Throttle {
    /// Lets the first line through.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            next: AtomicU64::new(0),
            hidden: AtomicU64::new(0),
        }
    }

    /// Whether to show a line now: the number of those that were hidden since the last.
    pub fn admit(&self) -> Option<u64> {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let next = self.next.load(Relaxed);
        let is_first = now >= next
            && self
                .next
                .compare_exchange(next, now + PAUSE_MS, Relaxed, Relaxed)
                .is_ok();
        if is_first {
            return Some(self.hidden.swap(0, Relaxed));
        }
        self.hidden.fetch_add(1, Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_one_and_counts_the_rest() {
        let throttle = Throttle::new();
        assert_eq!(throttle.admit(), Some(0));
        assert_eq!(throttle.admit(), None);
        assert_eq!(throttle.admit(), None);
        throttle.next.store(0, Relaxed);
        assert_eq!(throttle.admit(), Some(2));
        assert_eq!(throttle.admit(), None);
    }
}
