//! Many rules, and addresses to be judged by them.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};

use original_dst::config::Config;
use original_dst::destinations::Destinations;

/// How many rules are worth measuring.
pub const COUNTS: [u32; 4] = [10, 1_000, 100_000, 1_000_000];

/// So many rules, each denying one address.
pub fn rules(count: u32) -> Destinations {
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

/// One address after the other, again and again; so many rules deny half of them. As many as come
/// again and again stay in the caches, so that all are asked for in turn.
pub fn addresses(count: u32) -> impl Iterator<Item = SocketAddr> {
    let numbers = (0..2 * count).cycle();
    numbers.map(|number| SocketAddr::from((ip(number), 443)))
}

/// Addresses spread over all of IPv4: an odd factor visits each once.
fn ip(number: u32) -> Ipv4Addr {
    number.wrapping_mul(0x9e37_79b1).into()
}
