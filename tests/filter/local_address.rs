//! `LOCAL_ADDRESS`: destinations that nothing rewrote.

use fake_host::kernel::{Question, sockaddr};
use fake_host::log::Level;
use fake_host::{Connection, Socket};

use super::{AT, Outcome, accept, address, closed, left, logged, over, redirected, restored};

/// Listed, and not.
const LISTED: &str = "10.9.0.9:80";
const OTHER: &str = "10.8.0.8:80";

/// What is said of a socket that nobody redirected.
#[cfg(not(windows))]
const UNTRACKED: &str = "connection tracking has no entry (no REDIRECT or DNAT rule matched, or the traffic is \
                         exempt by NOTRACK, or tracked in another zone)";
#[cfg(windows)]
const UNTRACKED: &str = "this Windows does not answer SO_ORIGINAL_DST for this connection";

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
                &format!(
                    "{UNTRACKED}; the socket's own address 10.8.0.8:80 is not in local_destinations: \
                     not redirected, left as it came"
                ),
            ),
            line(
                Level::Warn,
                "SO_ORIGINAL_DST is not among the recovery_methods; the socket's own address \
                 10.8.0.8:80 is not in local_destinations: not redirected, as far as the \
                 recovery_methods tell, closed",
            ),
        ]
    );
}

/// Envoy tells the listener's own address where that is bound to one; the socket knows better.
#[test]
fn a_listener_that_is_bound_to_one_address_hides_nothing() {
    let steered = |own_address| own(own_address, true);
    let methods = r#""SO_ORIGINAL_DST", "LOCAL_ADDRESS""#;
    assert_eq!(
        by(methods, "", steered(LISTED), AT),
        restored("restored_local_address", LISTED)
    );
    assert_eq!(by(methods, "", steered(OTHER), AT), closed("unredirected"));
    let close = r#"{ "unredirected_connections": "CLOSE" }"#;
    let found = accept(close, &mut over(steered(OTHER), AT));
    assert_eq!(found, closed("unredirected"));
}

/// Connection tracking that saw only the answers names the client, whatever else the options say.
#[test]
fn an_answer_about_the_answers_is_passed_over() {
    let client = sockaddr(address("10.1.0.2:1000"));
    let socket = own(LISTED, false)
        .with(Question::ORIGINAL_DST, Ok(client.clone()))
        .with(Question::Peer, Ok(client));
    let options = r#"{ "recovery_methods": ["SO_ORIGINAL_DST", "LOCAL_ADDRESS"],
                       "local_destinations": ["10.9.0.0/16"] }"#;
    assert_eq!(
        accept(options, &mut over(socket, LISTED)),
        restored("restored_local_address", LISTED)
    );
}

#[test]
fn a_pipe_has_no_address() {
    let options =
        r#"{ "recovery_methods": ["LOCAL_ADDRESS"], "local_destinations": ["10.9.0.0/16"] }"#;
    let mut pipe = Connection::pipe().restored_to(address("10.9.0.9:90"));
    assert_eq!(accept(options, &mut pipe).counters, ["unavailable"]);
}
