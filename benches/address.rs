//! Addresses: from text, and to text.

#![allow(missing_docs)]

mod addresses;

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{Criterion, criterion_group, criterion_main};
use original_dst::address::{Address, parse};

use addresses::{IPS, TEXTS};

fn address(criterion: &mut Criterion) {
    for text in TEXTS {
        criterion.bench_function(&format!("parse/{text}"), |bencher| {
            bencher.iter(|| parse(black_box(text.as_bytes()), |_| None));
        });
    }
    for ip in IPS {
        let address = Address::from(SocketAddr::new(ip, 8080));
        criterion.bench_function(&format!("write/{ip}"), |bencher| {
            bencher.iter(|| black_box(address).with_ip_text(|text| black_box(text).len()));
        });
    }
}

criterion_group!(benches, address);
criterion_main!(benches);
