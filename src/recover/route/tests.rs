//! Answers as the kernel gives them, and as it never should. What the kernel itself answers is shown
//! in network namespaces.

#![allow(clippy::expect_used)]

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1));

/// An answer of this kind, with the fields that are read.
fn answer(kind: u16, sequence: u32, family: c_int, route_type: u8) -> Vec<u8> {
    let mut bytes = vec![0; HEADERS];
    bytes[TYPE..][..2].copy_from_slice(&kind.to_ne_bytes());
    bytes[SEQUENCE..][..4].copy_from_slice(&sequence.to_ne_bytes());
    bytes[FAMILY] = family as u8;
    bytes[ROUTE_TYPE] = route_type;
    bytes
}

fn error(errno: c_int) -> Vec<u8> {
    let mut bytes = answer(libc::NLMSG_ERROR as u16, OUR_SEQUENCE, 0, 0);
    bytes[ERROR..][..4].copy_from_slice(&(-errno).to_ne_bytes());
    bytes
}

#[test]
fn what_is_local_is_this_hosts() {
    for (family, ip) in [(libc::AF_INET, V4), (libc::AF_INET6, V6)] {
        for route_type in 0..=u8::MAX {
            let route = answer(libc::RTM_NEWROUTE, OUR_SEQUENCE, family, route_type);
            let expected = route_type == libc::RTN_LOCAL;
            assert_eq!(is_local(&route, ip), Some(expected), "type {route_type}");
        }
    }
}

#[test]
fn where_no_route_leads_is_not_here() {
    assert_eq!(is_local(&error(libc::ENETUNREACH), V4), Some(false));
    assert_eq!(is_local(&error(libc::EHOSTUNREACH), V6), Some(false));
    for errno in [0, libc::EPERM, libc::ENOMEM, libc::EINVAL, c_int::MIN] {
        let mut bytes = error(0);
        bytes[ERROR..][..4].copy_from_slice(&errno.wrapping_neg().to_ne_bytes());
        assert_eq!(is_local(&bytes, V4), None, "{errno}");
    }
}

#[test]
fn other_answers_tell_nothing() {
    let good = answer(
        libc::RTM_NEWROUTE,
        OUR_SEQUENCE,
        libc::AF_INET,
        libc::RTN_UNICAST,
    );
    assert_eq!(is_local(&good, V4), Some(false));
    for length in 0..HEADERS {
        assert_eq!(is_local(&good[..length], V4), None, "{length} bytes");
        assert_eq!(
            is_local(&error(libc::ENETUNREACH)[..length.min(19)], V4),
            None
        );
    }
    assert_eq!(is_local(&good, V6), None, "the other family");
    let other = answer(
        libc::RTM_NEWROUTE,
        OUR_SEQUENCE + 1,
        libc::AF_INET,
        libc::RTN_UNICAST,
    );
    assert_eq!(is_local(&other, V4), None, "another question's");
    for kind in [0, 1, 3, libc::RTM_GETROUTE, 25, 27, u16::MAX] {
        let other = answer(kind, OUR_SEQUENCE, libc::AF_INET, libc::RTN_UNICAST);
        assert_eq!(is_local(&other, V4), None, "of type {kind}");
    }
}

#[test]
fn asks_for_one_address_of_one_link() {
    for (ip, scope_id, length) in [(V4, 0, 28 + 8), (V6, 0, 28 + 20), (V6, 7, 28 + 20 + 8)] {
        let question = Question::new(ip, scope_id);
        let bytes = question.as_bytes();
        assert_eq!(bytes.len(), length);
        assert_eq!(u32_at(bytes, 0), Some(length as u32));
    }
}

/// As far as any kernel tells, whatever its routes.
#[test]
fn loopback_is_this_hosts() {
    for (address, expected) in [
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("0.0.0.0", true),
        ("::", true),
    ] {
        let ip: IpAddr = address.parse().expect(address);
        let own = Address::from(std::net::SocketAddr::new(ip, 80));
        assert_eq!(ask(None, own), Some(expected), "{address}");
    }
}
