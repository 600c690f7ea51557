//! Judging an address by 10 to 1,000,000 rules.

#![allow(missing_docs, clippy::unwrap_used)]

mod rules;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use rules::{COUNTS, addresses, rules};

fn destinations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("destinations");
    for count in COUNTS {
        let rules = rules(count);
        let mut addresses = addresses(count);
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| rules.allow(black_box(addresses.next().unwrap())));
        });
    }
}

criterion_group!(benches, destinations);
criterion_main!(benches);
