#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn find_interface(name: &str) -> Option<u32> {
    (name == "eth0").then_some(2)
}

fn parsed(text: &str) -> Option<String> {
    parse(text.as_bytes(), find_interface).map(|address| address.to_string())
}

fn written(address: impl Into<Address>) -> String {
    let address = address.into();
    address.with_ip_text(|text| str::from_utf8(text).unwrap().to_owned())
}

#[test]
fn text_that_envoy_takes() {
    for (text, shown) in [
        ("10.2.0.2:8080", "10.2.0.2:8080"),
        ("[fd02::2]:8080", "[fd02::2]:8080"),
        ("[FD02:0::0002]:8080", "[fd02::2]:8080"),
        ("10.2.0.2:0", "10.2.0.2:0"),
        ("10.2.0.2:65535", "10.2.0.2:65535"),
        ("10.2.0.2:0008080", "10.2.0.2:8080"),
        ("10.2.0.2:+8080", "10.2.0.2:8080"),
        ("10.2.0.2: \t\r\n\x0b\x0c8080 ", "10.2.0.2:8080"),
        ("[::ffff:10.2.0.2]:8080", "10.2.0.2:8080"),
        ("[fe80::a1%eth0]:8080", "[fe80::a1%2]:8080"),
        ("[fe80::a1%2]:8080", "[fe80::a1%2]:8080"),
        ("[ff02::1%eth0]:8080", "[ff02::1%2]:8080"),
        ("[ff01::1%eth0]:8080", "[ff01::1%2]:8080"),
        ("[ff12::1%eth0]:8080", "[ff12::1%2]:8080"),
        ("[ff05::1%2]:8080", "[ff05::1%2]:8080"),
    ] {
        assert_eq!(parsed(text).as_deref(), Some(shown), "{text:?}");
    }
}

#[test]
fn text_that_envoy_refuses() {
    for text in [
        "",
        ":",
        "10.2.0.2",
        "10.2.0.2:",
        ":8080",
        "upstream:8080",
        "fd02::2:8080",
        "fd02::2",
        "[10.2.0.2]:8080",
        "[[fd02::2]]:8080",
        "[fd02::2]",
        "[fd02::2]8080",
        "[fd02::2:8080",
        "fd02::2]:8080",
        "x[fd02::2]:8080",
        "[fd02::2]x:8080",
        " 10.2.0.2:8080",
        "10.2.0.2 :8080",
        "10.2.0.2:65536",
        "10.2.0.2:-1",
        "10.2.0.2:-0",
        "10.2.0.2:0x50",
        "10.2.0.2:http",
        "10.2.0.2:80.0",
        "10.2.0.2:8 0",
        "10.2.0.2:++80",
        "10.2.0.2:+",
        "010.2.0.2:8080",
        "0x0a.2.0.2:8080",
        "10.2.2:8080",
        "167903234:8080",
        "10.2.0.256:8080",
        "10.2.0.2%1:8080",
        "[fe80::a1%]:8080",
        "[ff00::1%eth0]:8080",
        "[ff03::1%eth0]:8080",
        "[ff05::1%eth0]:8080",
        "[fd02::1%eth0]:8080",
        "[2001:db8::2%eth0]:8080",
        "10.2.0.2\0:8080",
        "[fd02::2\0x]:8080",
        "[fe80::a1%eth0\0]:8080",
        "[12345::]:80",
        "[1:2:3:4:5:6:7:8:9]:80",
        "[::1::]:80",
        "[fe80::1%an-interface-name-that-is-far-too-long-for-linux-and-so-for-us]:80",
    ] {
        assert_eq!(parsed(text), None, "{text:?}");
    }
    assert_eq!(parse(b"10.2.0.2\xff:80", find_interface), None);
}

#[test]
fn a_scope_is_written_as_a_number() {
    let scoped = |id| Address::v6("fe80::a1".parse().unwrap(), 8080, id);
    assert_eq!(written(scoped(u32::MAX)), "fe80::a1%4294967295");
    assert_eq!(written(scoped(2)), "fe80::a1%2");
    assert_eq!(written(scoped(0)), "fe80::a1");
}

proptest! {
    #[test]
    fn writes_ipv4_as_std_does(ip: u32) {
        let ip = Ipv4Addr::from_bits(ip);
        prop_assert_eq!(written(Address::v4(ip, 0)), ip.to_string());
    }

    // Groups that are often zero, or runs of zeros would never occur.
    #[test]
    fn writes_ipv6_as_std_does(groups: [Option<u16>; 8]) {
        let ip = Ipv6Addr::from(groups.map(Option::unwrap_or_default));
        prop_assert_eq!(written(Address::v6(ip, 0, 0)), ip.to_canonical().to_string());
    }

    #[test]
    fn reads_what_std_writes(ip: IpAddr, port: u16) {
        let text = SocketAddr::new(ip, port).to_string();
        let address = SocketAddr::new(ip, port);
        let read = parse(text.as_bytes(), find_interface);
        prop_assert_eq!(read, Some(address.into()));
        let address = SocketAddr::new(ip.to_canonical(), port);
        prop_assert_eq!(read.map(SocketAddr::from), Some(address));
    }

    #[test]
    fn reads_what_it_writes(ip: IpAddr, port: u16, scope_id: u32) {
        let address = match ip {
            IpAddr::V4(ip) => Address::v4(ip, port),
            IpAddr::V6(ip) => Address::v6(ip, port, scope_id),
        };
        let ip = written(address);
        let text = if address.is_ipv6() { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
        prop_assert_eq!(parse(text.as_bytes(), find_interface), Some(address), "{}", text);
    }

    // std writes a scope as Envoy does, and reads it without a look at the kind of address.
    #[test]
    fn writes_scopes_as_std_does(ip: u128, scope_id: u32) {
        let address = SocketAddrV6::new(Ipv6Addr::from_bits(ip), 80, 0, scope_id);
        prop_assume!(address.ip().to_ipv4_mapped().is_none());
        let text = written(SocketAddr::from(address));
        prop_assert_eq!(format!("[{text}]:80"), address.to_string());
    }

    #[test]
    fn reads_v4_mapped_as_ipv4(ip: u32, port: u16) {
        let ip = Ipv4Addr::from_bits(ip);
        let [a, b, c, d] = ip.octets();
        for text in [
            format!("[::ffff:{ip}]:{port}"),
            format!("[::ffff:{a:x}{b:02x}:{c:x}{d:02x}]:{port}"),
            format!("[0:0:0:0:0:FFFF:{a:02X}{b:02X}:{c:02X}{d:02X}]:{port}"),
        ] {
            let expected = Address::v4(ip, port);
            prop_assert_eq!(parse(text.as_bytes(), find_interface), Some(expected), "{}", text);
        }
    }

    #[test]
    fn reads_a_port_as_a_number(port: u32, zeros in 0..8_usize, blanks in "[ \t\r\n\x0b\x0c]{0,3}") {
        let text = format!("10.2.0.2:{blanks}{}{port}{blanks}", "0".repeat(zeros));
        let port = u16::try_from(port).ok();
        prop_assert_eq!(parse(text.as_bytes(), find_interface).map(Address::port), port);
    }

    #[test]
    fn an_ipv6_address_needs_its_brackets(ip: u128, port: u16) {
        let ip = Ipv6Addr::from_bits(ip);
        for text in [format!("{ip}:{port}"), format!("[{ip}:{port}"), format!("{ip}]:{port}")] {
            prop_assert_eq!(parsed(&text), None);
        }
    }

    #[test]
    fn takes_bytes_of_any_kind_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if parse(&bytes, find_interface).is_none() {
            let by_std = str::from_utf8(&bytes).ok().and_then(|text| text.parse::<SocketAddr>().ok());
            prop_assert_eq!(by_std, None);
        }
    }

    #[test]
    fn takes_no_other_text_than_std(text in "[\\]\\[0-9a-f.:%x]{0,24}") {
        if let Some(read) = parse(text.as_bytes(), find_interface) {
            let by_std = text.parse().map(|std: SocketAddr| (std.ip().to_canonical(), std.port()));
            let read = SocketAddr::from(read);
            prop_assert!(text.contains('%') || by_std == Ok((read.ip(), read.port())));
        }
    }
}
