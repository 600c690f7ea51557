//! Clients at once: as fast as they are answered, or at a fixed rate.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::client::Client;

/// A client that begins late is not on time for its first exchange.
const LEAD: Duration = Duration::from_millis(3);

/// Each client makes so many exchanges, the next as soon as the last is over; how long it takes.
pub fn closed(clients: &mut [Client], each: u32) -> Duration {
    let start = Instant::now();
    scope(|scope| {
        for client in clients {
            scope.spawn(move || (0..each).for_each(|_| _ = client.exchange()));
        }
    });
    start.elapsed()
}

/// The clients in turn start an exchange each `interval`, whether the last one is over or not, and
/// make so many each. The microseconds until the first bytes count from when an exchange was due.
pub fn open(clients: &mut [Client], each: u32, interval: Duration) -> Histogram<u64> {
    let start = Instant::now() + LEAD;
    let (turn, mut all) = (interval * clients.len() as u32, histogram());
    scope(|scope| {
        let client = |(client, number): (_, u32)| {
            let first = start + interval * number;
            scope.spawn(move || at_rate(client, first, turn, each))
        };
        let threads: Vec<_> = clients.iter_mut().zip(0..).map(client).collect();
        for thread in threads {
            let histogram = thread.join().expect("an exchange that goes well");
            all.add(histogram).expect("the same bounds");
        }
    });
    all
}

fn at_rate(client: &mut Client, first: Instant, turn: Duration, each: u32) -> Histogram<u64> {
    let mut histogram = histogram();
    for number in 0..each {
        let due = first + turn * number;
        sleep(due.saturating_duration_since(Instant::now()));
        let latency = client.exchange() - due;
        histogram.saturating_record(latency.as_micros() as u64);
    }
    histogram
}

/// Of microseconds up to ten seconds, to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000, 3).expect("bounds in order")
}
