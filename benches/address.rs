//! Addresses: from text, and to text.

#![allow(missing_docs)]

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{Criterion, criterion_group, criterion_main};
use original_dst::address::{Address, IpText, parse};

fn address(criterion: &mut Criterion) {
    for text in [
        "10.2.0.2:8080",
        "[fd02::2]:8080",
        "[2001:db8:1:2:3:4:5:6]:65535",
    ] {
        criterion.bench_function(&format!("parse/{text}"), |bencher| {
            bencher.iter(|| parse(black_box(text.as_bytes()), |_| None));
        });
    }
    for ip in [[10, 2, 0, 2].into(), [0xfd02, 0, 0, 0, 0, 0, 0, 2].into()] {
        let address = Address::from(SocketAddr::new(ip, 8080));
        criterion.bench_function(&format!("write/{ip}"), |bencher| {
            bencher.iter(|| {
                let mut text = IpText::default();
                text.format(black_box(address)).len()
            });
        });
    }
}

criterion_group!(benches, address);
criterion_main!(benches);
