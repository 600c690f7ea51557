//! The instructions of the hot pieces: those that the other benchmarks take the time of.
//!
//! Each piece is counted in a run of this program under callgrind, as `instructions PIECE COUNT`.

#![allow(missing_docs, clippy::expect_used)]

mod addresses;
mod callgrind;
mod cases;
mod rules;

use std::env;
use std::hint::black_box;
use std::net::SocketAddr;

use fake_host::log::{self, Level};
use original_dst::address::{Address, parse};

use addresses::{IPS, TEXTS};
use cases::{CASES, Case};

/// How often a piece is done.
const COUNT: usize = 1000;

/// A piece, and how to do it so many times.
struct Piece {
    name: String,
    run: Box<dyn Fn(usize)>,
}

fn pieces() -> Vec<Piece> {
    let parse = TEXTS.map(|text| piece(format!("parse/{text}"), move |count| parses(text, count)));
    let write = IPS.map(|ip| {
        let address = Address::from(SocketAddr::new(ip, 8080));
        piece(format!("write/{ip}"), move |count| writes(address, count))
    });
    let judge = rules::COUNTS.map(|rules| {
        piece(format!("destinations/{rules}"), move |count| {
            judges(rules, count)
        })
    });
    let accept = CASES.iter().map(|case| {
        piece(format!("accept/{}", case.name), |count| {
            accepts(case, count)
        })
    });
    parse
        .into_iter()
        .chain(write)
        .chain(judge)
        .chain(accept)
        .collect()
}

fn piece(name: String, run: impl Fn(usize) + 'static) -> Piece {
    Piece {
        name,
        run: Box::new(run),
    }
}

fn parses(text: &str, count: usize) {
    for _ in 0..count {
        black_box(parse(black_box(text.as_bytes()), |_| None));
    }
}

fn writes(address: Address, count: usize) {
    for _ in 0..count {
        black_box(address).with_ip_text(|text| _ = black_box(text));
    }
}

fn judges(rules: u32, count: usize) {
    let destinations = rules::rules(rules);
    for address in rules::addresses(rules).take(count) {
        black_box(destinations.allow(black_box(address)));
    }
}

fn accepts(case: &Case, count: usize) {
    log::show(Level::Off);
    let listener = case.listener();
    let mut connections: Vec<_> = (0..=COUNT).map(|_| (case.connection)()).collect();
    // The first one brings what is done once.
    for connection in &mut connections[..=count] {
        black_box(listener.accept(connection));
    }
}

/// Counts the pieces whose names contain `filter`, and prints a line for each.
fn count(filter: &str) {
    let program = env::current_exe().expect("this program");
    for Piece { name, .. } in pieces() {
        if name.contains(filter) {
            let instructions = callgrind::instructions(&program, &[&name], COUNT as u64);
            println!("{name:<36} {instructions:>8}");
        }
    }
}

fn main() {
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => count(""),
        [filter] => count(filter),
        [name, count, ..] => {
            let mut known = pieces().into_iter();
            let piece = known
                .find(|piece| piece.name == name)
                .expect("a known piece");
            (piece.run)(count.parse().expect("a number"));
        }
    }
}
