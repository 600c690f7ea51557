//! Waiting for what has no event of its own.

use std::thread;
use std::time::{Duration, Instant};

/// How long something may take on a machine that has other work.
const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// Waits until it is done; `what` says in words what is waited for.
///
/// # Panics
/// If it is not done after 30 seconds.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !done() {
        assert!(
            Instant::now() < deadline,
            "not within {} seconds: {what}",
            TIMEOUT.as_secs()
        );
        thread::sleep(POLL);
    }
}
