//! What it takes to load as many rules as feeds have: time, and memory at its peak and for good.

#![allow(missing_docs, clippy::expect_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use original_dst::config::Config;

/// How often each kind is loaded: the fastest counts.
const ROUNDS: usize = 5;

/// Rules of a kind.
struct Kind {
    name: &'static str,
    count: u32,
    rule: fn(u32) -> String,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "ipv4",
        count: 1_000_000,
        rule: |number| format!("\"{}\"", ipv4(number)),
    },
    Kind {
        name: "ipv6",
        count: 1_000_000,
        rule: |number| {
            let low = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let bits = 0x2001_0db8 << 96 | u128::from(low);
            format!("\"{}\"", Ipv6Addr::from_bits(bits))
        },
    },
    Kind {
        name: "ipv4_with_ports",
        count: 100_000,
        rule: |number| {
            let port = 1 + number % 1000;
            let ip = ipv4(number);
            format!(
                r#"{{ "cidr": "{ip}", "ports": ["{port}", "8000-{}"] }}"#,
                8000 + port
            )
        },
    },
];

/// Addresses spread over all of IPv4: an odd factor visits each once.
fn ipv4(number: u32) -> Ipv4Addr {
    number.wrapping_mul(0x9e37_79b1).into()
}

/// Counts the bytes that are allocated.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let allocated = ALLOCATED.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(allocated, Relaxed);
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: passed on as it came.
        unsafe { System.dealloc(memory, layout) }
    }
}

impl Kind {
    fn options(&self) -> String {
        let rules: Vec<_> = (0..self.count).map(self.rule).collect();
        format!(
            r#"{{ "destinations": {{ "deny": [{}] }} }}"#,
            rules.join(", ")
        )
    }
}

fn main() {
    let filter = env::args().skip(1).find(|word| word != "--bench");
    for kind in KINDS {
        if filter
            .as_ref()
            .is_some_and(|filter| !kind.name.contains(filter))
        {
            continue;
        }
        let options = kind.options();
        let mut fastest = Duration::MAX;
        let (mut peak, mut kept) = (0, 0);
        for _ in 0..ROUNDS {
            let before = ALLOCATED.load(Relaxed);
            PEAK.store(before, Relaxed);
            let start = Instant::now();
            let config = Config::parse(options.as_bytes()).expect("rules that are accepted");
            fastest = fastest.min(start.elapsed());
            peak = PEAK.load(Relaxed) - before;
            kept = ALLOCATED.load(Relaxed) - before;
            drop(config);
        }
        println!(
            "{:<16} {:>9} rules {:>7.1} ms, {:>6.1} bytes a rule kept, {:>6.1} MB above at the peak",
            kind.name,
            kind.count,
            fastest.as_secs_f64() * 1e3,
            kept as f64 / f64::from(kind.count),
            (peak - kept) as f64 / 1e6,
        );
    }
}
