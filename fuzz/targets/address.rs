//! The text of an address.

use std::net::SocketAddr;

use original_dst::address::parse;

/// What is read is what std reads, but for blanks, zeros and a sign in the port, and scopes; what is
/// written is read again.
pub fn run(input: &[u8]) {
    let find_interface = |name: &str| (name == "eth0").then_some(2);
    let read = parse(input, find_interface);
    let text = str::from_utf8(input).ok();
    let by_std = text.and_then(|text| text.parse::<SocketAddr>().ok());
    let Some(address) = read else {
        // std takes a scope for any address, and Envoy numbers only.
        assert!(by_std.is_none(), "{by_std:?} is refused");
        return;
    };
    let text = text.expect("an address is UTF-8");
    if !text.contains('%') {
        let (host, _) = text.rsplit_once(':').expect("an address has a port");
        let plain: SocketAddr = format!("{host}:{}", address.port())
            .parse()
            .expect("std's form");
        assert_eq!(
            (plain.ip().to_canonical(), plain.port()),
            (SocketAddr::from(address).ip(), address.port())
        );
    }
    let ip = address.with_ip_text(|ip| str::from_utf8(ip).expect("ASCII").to_owned());
    let written = if address.is_ipv6() {
        format!("[{ip}]:{}", address.port())
    } else {
        format!("{ip}:{}", address.port())
    };
    assert_eq!(
        parse(written.as_bytes(), find_interface),
        Some(address),
        "{written}"
    );
}
