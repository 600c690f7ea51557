//! The whole way of a connection through the filter, on the fake host.

#![allow(missing_docs)]

mod cases;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fake_host::log::{self, Level};

use cases::CASES;

fn accept(criterion: &mut Criterion) {
    log::show(Level::Off);
    let mut group = criterion.benchmark_group("accept");
    for case in &CASES {
        let listener = case.listener();
        group.bench_function(case.name, |bencher| {
            bencher.iter_batched_ref(
                case.connection,
                |connection| listener.accept(connection),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, accept);
criterion_main!(benches);
