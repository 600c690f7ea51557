//! Connections in a row that had no destination, counted by all workers at once.

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, PoisonError};

/// Stands on top of the count until the first hit: nobody knows yet what an earlier streak showed.
const UNKNOWN: u64 = 1 << 63;

/// Counts misses in a row, and shows whether they are too many. What was shown last is true of the
/// count, whatever workers do at once.
pub struct Streak {
    limit: u64,
    misses: AtomicU64,
    /// What was shown last. Who holds it may show.
    shown: Mutex<Option<bool>>,
}

impl Streak {
    /// So many misses in a row are too many.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            misses: AtomicU64::new(UNKNOWN),
            shown: Mutex::new(None),
        }
    }

    /// Ends the row. The first hit is shown in any case.
    #[inline]
    pub fn hit(&self, show: impl FnOnce(Shown)) {
        // Mostly there is nothing to end, and workers then share the cache line.
        if self.misses.load(Relaxed) != 0 {
            self.end(show);
        }
    }

    /// One more in the row.
    #[inline]
    pub fn miss(&self, show: impl FnOnce(Shown)) {
        let misses = self.misses.fetch_add(1, Relaxed) + 1;
        if misses % UNKNOWN == self.limit {
            self.show(show);
        }
    }

    #[cold]
    fn end(&self, show: impl FnOnce(Shown)) {
        if self.misses.swap(0, Relaxed) >= self.limit {
            self.show(show);
        }
    }

    /// Shows what the count says, unless it is shown already. Whoever changed the answer comes here
    /// afterwards, one at a time: the last to come has seen all changes.
    #[cold]
    fn show(&self, show: impl FnOnce(Shown)) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let is_broken = self.is_broken();
        if *shown != Some(is_broken) {
            show(match (is_broken, *shown) {
                (true, _) => Shown::Broken,
                (false, None) => Shown::Whole,
                (false, Some(_)) => Shown::Mended,
            });
            *shown = Some(is_broken);
        }
    }

    fn is_broken(&self) -> bool {
        self.misses.load(Relaxed) % UNKNOWN >= self.limit
    }
}

/// What there is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing has been missed too often yet.
    Whole,
    /// Too many misses in a row.
    Broken,
    /// A hit, after too many misses.
    Mended,
}

#[cfg(test)]
mod tests;
