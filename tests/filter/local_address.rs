//! `LOCAL_ADDRESS`: destinations that nothing rewrote.

use fake_host::kernel::{Question, sockaddr};
use fake_host::log::Level;
use fake_host::{Connection, Socket};

use super::{
    AT, Outcome, accept, address, closed, left, logged, outcome, over, redirected, restored,
};

/// Listed, and not.
const LISTED: &str = "10.9.0.9:80";
const OTHER: &str = "10.8.0.8:80";

/// A socket with an address of its own; connection tracking says that it was nothing else before, or
/// knows nothing.
fn own(own: &str, is_tracked: bool) -> Socket {
    let socket = Socket::untracked().with(Question::Name, Ok(sockaddr(address(own))));
    let question = match address(own).is_ipv4() {
        true => Question::ORIGINAL_DST,
        false => Question::IPV6_ORIGINAL_DST,
    };
    match is_tracked {
        true => socket.with(question, Ok(sockaddr(address(own)))),
        false => socket,
    }
}

fn by(methods: &str, rest: &str, socket: Socket, at: &str) -> Outcome {
    let options = format!(
        r#"{{ "recovery_methods": [{methods}], "unredirected_connections": "CLOSE",
             "local_destinations": ["10.9.0.0/16", "fd09::/16", "fe80::9"] {rest} }}"#
    );
    accept(&options, &mut over(socket, at))
}

#[test]
fn a_listed_address_is_the_destination() {
    for (own_address, to) in [
        (LISTED, LISTED),
        ("[fd09::9]:80", "[fd09::9]:80"),
        ("[::ffff:10.9.0.9]:80", LISTED),
    ] {
        for is_tracked in [false, true] {
            for methods in [
                r#""LOCAL_ADDRESS""#,
                r#""SO_ORIGINAL_DST", "LOCAL_ADDRESS""#,
                r#""LOCAL_ADDRESS", "SO_ORIGINAL_DST""#,
                r#""SO_ORIGINAL_DST", "TRANSPARENT", "LOCAL_ADDRESS""#,
            ] {
                let found = by(methods, "", own(own_address, is_tracked), to);
                let expected = restored("restored_local_address", to);
                assert_eq!(found, expected, "{own_address} {is_tracked} {methods}");
            }
        }
    }
}

#[test]
fn an_address_that_is_not_listed_is_the_listeners() {
    let first = r#""SO_ORIGINAL_DST", "LOCAL_ADDRESS""#;
    let last = r#""LOCAL_ADDRESS", "SO_ORIGINAL_DST""#;
    for methods in [first, last] {
        assert_eq!(
            by(methods, "", own(OTHER, true), OTHER),
            closed("unredirected")
        );
        assert_eq!(
            by(methods, "", own(OTHER, false), OTHER),
            left("unavailable")
        );
    }
    let only = r#""LOCAL_ADDRESS""#;
    for is_tracked in [false, true] {
        assert_eq!(
            by(only, "", own(OTHER, is_tracked), OTHER),
            closed("unredirected")
        );
    }
}

#[test]
fn a_rewrite_wins_unless_it_comes_later() {
    let rewritten =
        || redirected("10.2.0.2:80").with(Question::Name, Ok(sockaddr(address(LISTED))));
    for (methods, expected) in [
        (
            r#""SO_ORIGINAL_DST", "LOCAL_ADDRESS""#,
            restored("restored_redirect", "10.2.0.2:80"),
        ),
        (
            r#""LOCAL_ADDRESS", "SO_ORIGINAL_DST""#,
            restored("restored_local_address", LISTED),
        ),
    ] {
        assert_eq!(by(methods, "", rewritten(), LISTED), expected, "{methods}");
    }
}

/// Getsockname is asked, and not what an earlier filter says.
#[test]
fn the_address_is_the_sockets() {
    let options =
        r#"{ "recovery_methods": ["LOCAL_ADDRESS"], "local_destinations": ["10.9.0.0/16"] }"#;
    let mut connection = over(own(LISTED, false), AT).restored_to(address("10.9.0.1:90"));
    let found = accept(options, &mut connection);
    assert_eq!(found, restored("restored_local_address", LISTED));
    for answer in [Ok(Vec::new()), Err(libc::EBADF)] {
        let socket = own(LISTED, false).with(Question::Name, answer);
        let mut connection: Connection = over(socket, AT);
        assert_eq!(accept(options, &mut connection), left("invalid_address"));
    }
}

#[test]
fn ports_and_rules_apply() {
    let ports = r#"{ "recovery_methods": ["LOCAL_ADDRESS"],
        "local_destinations": [{ "cidr": "10.9.0.0/16", "ports": ["80"] }],
        "destinations": { "deny": ["10.9.0.8"] } }"#;
    for (to, expected) in [
        (
            "10.9.0.9:80",
            restored("restored_local_address", "10.9.0.9:80"),
        ),
        ("10.9.0.9:81", left("unredirected")),
        ("10.9.0.8:80", closed("denied")),
    ] {
        assert_eq!(
            accept(ports, &mut over(own(to, false), to)),
            expected,
            "{to}"
        );
    }
}

#[test]
fn lines_name_the_address_that_is_not_listed() {
    by(
        r#""SO_ORIGINAL_DST", "LOCAL_ADDRESS""#,
        "",
        own(OTHER, false),
        OTHER,
    );
    by(r#""LOCAL_ADDRESS""#, "", own(OTHER, false), OTHER);
    let line = |level, line: &str| {
        let client =
            format!("original_dst: connection from 10.1.0.2:1000 at {OTHER}: no destination: ");
        (level, client + line)
    };
    assert_eq!(
        logged(),
        [
            line(
                Level::Info,
                "connection tracking has no entry (no REDIRECT or DNAT rule matched, or the traffic is \
                 exempt by NOTRACK, or tracked in another zone); the socket's own address \
                 10.8.0.8:80 is not in local_destinations: not redirected, left as it came",
            ),
            line(
                Level::Warn,
                "SO_ORIGINAL_DST is not among the recovery_methods; the socket's own address \
                 10.8.0.8:80 is not in local_destinations: nobody redirected it, it is for the \
                 listener itself, closed",
            ),
        ]
    );
}

/// A BPF program may answer in connection tracking's place, and with an address of either family.
#[test]
fn an_answer_of_the_other_family_counts() {
    let mapped = sockaddr(address("[::ffff:10.2.0.2]:80"));
    let v6 = sockaddr(address("[fd02::2]:80"));
    let v4 = sockaddr(address("10.2.0.2:80"));
    // Netfilter leaves the length of the room.
    let v4_in_room = [&v4[..], &[0; 12]].concat();
    for (question, answer, at, to) in [
        (Question::ORIGINAL_DST, mapped, AT, "10.2.0.2:80"),
        (Question::ORIGINAL_DST, v6, AT, "[fd02::2]:80"),
        (
            Question::ORIGINAL_DST,
            v4_in_room.clone(),
            AT,
            "10.2.0.2:80",
        ),
        (
            Question::IPV6_ORIGINAL_DST,
            v4,
            "[fd01::1]:15001",
            "10.2.0.2:80",
        ),
        (
            Question::IPV6_ORIGINAL_DST,
            v4_in_room,
            "[fd01::1]:15001",
            "10.2.0.2:80",
        ),
    ] {
        let socket = Socket::untracked().with(question, Ok(answer));
        let mut connection = over(socket, at);
        assert_eq!(
            accept("", &mut connection),
            restored("restored_redirect", to)
        );
        assert_eq!(connection.socket().expect("a socket").1.asked(), [question]);
    }
}

/// Envoy's own filter asks about IPv6, too, and has no answer.
#[test]
fn a_mapped_listener_is_told_of() {
    let mapped = "[::ffff:10.1.0.1]:15001";
    let mut connection = over(redirected("10.2.0.2:80"), AT);
    connection.local = Some(address(mapped).into());
    assert_eq!(
        accept("", &mut connection),
        outcome(&["unavailable"], None, None)
    );
    let line = "original_dst: connection from 10.1.0.2:1000 at 10.1.0.1:15001: no destination: the \
                listener is bound to an IPv4 address in the form of an IPv6 one, so that the kernel is \
                asked about IPv6 (bind the IPv4 address itself, or [::] with ipv4_compat): not \
                redirected, left as it came";
    assert_eq!(logged(), [(Level::Info, line.to_owned())]);
}
