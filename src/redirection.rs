//! Notices that connections no longer arrive redirected.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// So many connections in a row without a destination are no chance.
const BROKEN_AFTER: u64 = 100;

/// How many kernel sockets in a row had no destination. Worker threads share it.
#[derive(Default)]
pub struct Redirection {
    misses: AtomicU64,
}

/// What a connection changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was the last of too many without a destination.
    Broke,
    /// It had a destination, after too many without.
    Mended,
}

impl Redirection {
    /// A kernel socket had a destination.
    #[inline]
    pub fn hit(&self) -> Option<Change> {
        // Mostly there is nothing to reset, and workers then share the cache line.
        if self.misses.load(Relaxed) == 0 {
            return None;
        }
        (self.misses.swap(0, Relaxed) >= BROKEN_AFTER).then_some(Change::Mended)
    }

    /// A kernel socket had none.
    pub fn miss(&self) -> Option<Change> {
        (self.misses.fetch_add(1, Relaxed) + 1 == BROKEN_AFTER).then_some(Change::Broke)
    }

    /// Whether the last connections had no destination.
    pub fn is_broken(&self) -> bool {
        self.misses.load(Relaxed) >= BROKEN_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_once_and_mends_once() {
        let redirection = Redirection::default();
        for _ in 1..BROKEN_AFTER {
            assert_eq!(redirection.miss(), None);
        }
        assert!(!redirection.is_broken());
        assert_eq!(redirection.miss(), Some(Change::Broke));
        assert!(redirection.is_broken());
        assert_eq!(redirection.miss(), None);
        assert_eq!(redirection.hit(), Some(Change::Mended));
        assert_eq!(redirection.hit(), None);
        assert!(!redirection.is_broken());
    }

    #[test]
    fn a_hit_in_between_starts_over() {
        let redirection = Redirection::default();
        for _ in 0..10 * BROKEN_AFTER {
            for _ in 1..BROKEN_AFTER {
                assert_eq!(redirection.miss(), None);
            }
            assert_eq!(redirection.hit(), None);
        }
    }
}
