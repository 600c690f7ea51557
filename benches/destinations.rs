//! Judging an address by 10 to 1,000,000 rules.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fmt::Write;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};

use criterion::{Criterion, criterion_group, criterion_main};
use original_dst::config::Config;
use original_dst::destinations::Destinations;

/// Addresses spread over all of IPv4: an odd factor visits each once.
fn ip(number: u32) -> Ipv4Addr {
    number.wrapping_mul(0x9e37_79b1).into()
}

fn rules(count: u32) -> Destinations {
    let mut deny = String::new();
    for number in 0..count {
        let separator = if number == 0 { "" } else { "," };
        write!(deny, "{separator}\"{}\"", ip(number)).unwrap();
    }
    let options = format!(r#"{{ "destinations": {{ "deny": [{deny}] }} }}"#);
    Config::parse(options.as_bytes())
        .unwrap()
        .destinations
        .unwrap()
}

fn destinations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("destinations");
    for count in [10, 1_000, 100_000, 1_000_000] {
        let rules = rules(count);
        // Half of the addresses are denied. As many as come again and again stay in the caches, so
        // that all are asked for in turn.
        let mut number = 0;
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| {
                number = (number + 1) % (2 * count);
                rules.allow(black_box(SocketAddr::from((ip(number), 443))))
            });
        });
    }
}

criterion_group!(benches, destinations);
criterion_main!(benches);
