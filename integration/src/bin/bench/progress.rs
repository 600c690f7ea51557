//! What is going on, for whoever waits.

use std::fmt::Display;
use std::time::Instant;

/// The steps of a run, on standard error: a line each, so that a file shows them as a terminal does.
pub struct Progress {
    start: Instant,
    done: usize,
    all: usize,
}

impl Progress {
    pub fn new(all: usize) -> Self {
        let start = Instant::now();
        Self {
            start,
            done: 0,
            all,
        }
    }

    /// The next step begins.
    pub fn step(&mut self, what: impl Display) {
        self.done += 1;
        let seconds = self.start.elapsed().as_secs();
        let (done, all) = (self.done, self.all);
        eprintln!(
            "{:2}:{:02}  {done:2} of {all}  {what}",
            seconds / 60,
            seconds % 60
        );
    }
}
