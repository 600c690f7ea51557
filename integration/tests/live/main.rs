//! Envoy changes while connections come: its listeners, its process, its end. None of it may lose a
//! connection that has nothing to do with it, or lead one astray.

mod end;
mod fault_point;
mod lds;
mod restart;
mod workers;

use std::thread;
use std::time::{Duration, Instant};

/// Waits for what Envoy does by itself.
#[track_caller]
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "not within 30 seconds: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
