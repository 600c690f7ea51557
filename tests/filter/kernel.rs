//! How the destination of a kernel socket is recovered.

use std::net::{TcpListener, TcpStream};

#[cfg(not(windows))]
use fake_host::kernel::Answer;
use fake_host::kernel::{Question, sockaddr};
use fake_host::log::Level;
use fake_host::{AddressType, Connection, Socket};

use super::{
    AT, AT_V6, Outcome, accept, address, left, logged, outcome, over, redirected, restored,
};
#[cfg(not(windows))]
use super::{closed, transparent};

#[test]
fn with_no_options_does_what_the_built_in_filter_does() {
    for (socket, at, expected) in [
        (
            redirected("10.2.0.2:80"),
            AT,
            restored("restored_redirect", "10.2.0.2:80"),
        ),
        (
            redirected("0.0.0.0:0"),
            AT,
            restored("restored_redirect", "0.0.0.0:0"),
        ),
        (
            redirected("[fd02::2]:65535"),
            AT_V6,
            restored("restored_redirect", "[fd02::2]:65535"),
        ),
        // The client connected to the listener itself.
        (
            redirected(AT),
            AT,
            outcome(&["unredirected"], Some(AT), None),
        ),
        (
            redirected(AT_V6),
            AT_V6,
            outcome(&["unredirected"], Some(AT_V6), None),
        ),
        // The same address at another port, or the same port at another address, is another.
        (
            redirected("10.1.0.1:80"),
            AT,
            restored("restored_redirect", "10.1.0.1:80"),
        ),
        (
            redirected("10.1.0.9:15001"),
            AT,
            restored("restored_redirect", "10.1.0.9:15001"),
        ),
        #[cfg(not(windows))]
        (
            transparent("10.2.0.2:80"),
            "10.2.0.2:80",
            restored("restored_transparent", "10.2.0.2:80"),
        ),
        #[cfg(not(windows))]
        (
            transparent("[fd02::2]:80"),
            "[fd02::2]:80",
            restored("restored_transparent", "[fd02::2]:80"),
        ),
        // Bound to one address, Envoy shows that.
        #[cfg(not(windows))]
        (
            transparent("10.2.0.2:80"),
            AT,
            restored("restored_transparent", "10.2.0.2:80"),
        ),
        // An IPv4 client of a dual-stack listener.
        #[cfg(not(windows))]
        (
            transparent("[::ffff:10.2.0.2]:80"),
            "10.2.0.2:80",
            restored("restored_transparent", "10.2.0.2:80"),
        ),
        (
            redirected("10.2.0.2:80").with(
                Question::ORIGINAL_DST,
                Ok(sockaddr(address("[::ffff:10.2.0.2]:80"))[..16].into()),
            ),
            AT,
            left("invalid_address"),
        ),
        // Before 1.39, Envoy aborts when a cluster meets a scope.
        #[cfg(not(windows))]
        (
            redirected("[fe80::a1%2]:80"),
            AT_V6,
            left("invalid_address"),
        ),
        #[cfg(not(windows))]
        (
            transparent("[fe80::a1%2]:80"),
            AT_V6,
            left("invalid_address"),
        ),
        (Socket::untracked(), AT, left("unavailable")),
        (Socket::untracked(), AT_V6, left("unavailable")),
        // The other family's answer is for another connection.
        (redirected("[fd02::2]:80"), AT, left("unavailable")),
        (redirected("10.2.0.2:80"), AT_V6, left("unavailable")),
    ] {
        let mut connection = over(socket, at);
        assert_eq!(accept("", &mut connection), expected);
        assert_eq!(connection.hand_off(), None);
        let remote = connection.remote.expect("a client").to_string();
        assert!(
            ["10.1.0.2:1000", "[fd01::2]:1000"].contains(&remote.as_str()),
            "{remote}"
        );
    }
}

#[cfg(not(windows))]
#[test]
fn tproxy_is_told_from_redirect_with_connection_tracking_on() {
    let socket = || {
        transparent("10.2.0.2:80")
            .with(Question::ORIGINAL_DST, Ok(sockaddr(address("10.2.0.2:80"))))
    };
    let mut connection = over(socket(), "10.2.0.2:80");
    assert_eq!(
        accept("", &mut connection),
        restored("restored_transparent", "10.2.0.2:80")
    );
    // DNAT behind a transparent listener: connection tracking knows the first destination.
    let dnat = || socket().with(Question::ORIGINAL_DST, Ok(sockaddr(address("10.9.0.9:90"))));
    for (options, expected) in [
        ("", restored("restored_redirect", "10.9.0.9:90")),
        (
            r#"{ "recovery_methods": ["SO_ORIGINAL_DST"] }"#,
            restored("restored_redirect", "10.9.0.9:90"),
        ),
        (
            r#"{ "recovery_methods": ["TRANSPARENT", "SO_ORIGINAL_DST"] }"#,
            restored("restored_transparent", "10.2.0.2:80"),
        ),
        (
            r#"{ "recovery_methods": ["TRANSPARENT"] }"#,
            restored("restored_transparent", "10.2.0.2:80"),
        ),
    ] {
        assert_eq!(
            accept(options, &mut over(dnat(), "10.2.0.2:80")),
            expected,
            "{options}"
        );
    }
}

#[cfg(not(windows))]
#[test]
fn methods_that_are_not_listed_are_not_asked() {
    for (method, socket, question) in [
        (
            "TRANSPARENT",
            redirected("10.2.0.2:80"),
            Question::ORIGINAL_DST,
        ),
        (
            "SO_ORIGINAL_DST",
            transparent("10.2.0.2:80"),
            Question::Name,
        ),
    ] {
        let mut connection = over(socket, AT);
        let options = format!(r#"{{ "recovery_methods": [{method:?}] }}"#);
        assert_eq!(accept(&options, &mut connection), left("unavailable"));
        let (_, socket) = connection.socket().expect("a socket");
        assert!(!socket.asked().contains(&question), "{:?}", socket.asked());
    }
}

#[test]
fn a_redirected_connection_costs_one_question() {
    for (socket, at, question) in [
        (redirected("10.2.0.2:80"), AT, Question::ORIGINAL_DST),
        (
            redirected("[fd02::2]:80"),
            AT_V6,
            Question::IPV6_ORIGINAL_DST,
        ),
    ] {
        let mut connection = over(socket, at);
        accept("", &mut connection);
        assert_eq!(connection.socket().expect("a socket").1.asked(), [question]);
    }
}

#[cfg(not(windows))]
#[test]
fn what_is_no_address_is_invalid() {
    let good = sockaddr(address("10.2.0.2:80"));
    let as_family = |family: u8| [&[family], &good[1..]].concat();
    let answers: [Answer; 5] = [
        Ok(Vec::new()),
        Ok(good[..15].into()),
        Ok(as_family(libc::AF_INET6 as u8)),
        Ok(as_family(libc::AF_UNIX as u8)),
        Ok(as_family(0)),
    ];
    for answer in answers {
        for (options, expected) in [
            ("", left("invalid_address")),
            (
                r#"{ "unrecovered_connections": "CLOSE" }"#,
                closed("invalid_address"),
            ),
        ] {
            let socket = Socket::untracked().with(Question::ORIGINAL_DST, answer.clone());
            assert_eq!(
                accept(options, &mut over(socket, AT)),
                expected,
                "{answer:?}"
            );
            let socket = transparent("10.2.0.2:80").with(Question::Name, answer.clone());
            assert_eq!(
                accept(options, &mut over(socket, AT)),
                expected,
                "{answer:?}"
            );
        }
    }
    for answer in [Ok([&good[..], &[0]].concat()), Err(libc::EBADF)] {
        let socket = transparent("10.2.0.2:80").with(Question::Name, answer);
        assert_eq!(accept("", &mut over(socket, AT)), left("invalid_address"));
    }
    let mut connection = over(redirected("10.2.0.2:80"), AT);
    connection.refuses_addresses = true;
    assert_eq!(accept("", &mut connection), left("invalid_address"));
}

#[test]
fn other_sockets_are_left_alone() {
    for mut connection in [
        Connection::pipe(),
        Connection::pipe().with_metadata(
            "envoy.filters.listener.original_dst",
            "local",
            "10.2.0.2:80",
        ),
        Connection::pipe().restored_to(address("10.9.0.9:90")),
        Connection::internal().of_type(AddressType::Unknown),
    ] {
        let before = connection.restored();
        let Outcome {
            counters,
            restored,
            closed,
        } = accept("", &mut connection);
        assert_eq!(counters, ["unavailable"]);
        assert_eq!((restored, closed), (before, None));
    }
}

#[test]
fn a_real_socket_that_nobody_redirected() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let _client =
        TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
    let (server, _) = listener.accept().expect("the connection");
    let own = server.local_addr().expect("its address").to_string();
    let found = accept("", &mut Connection::real(&server));
    // With connection tracking on, it was meant for the listener.
    assert!(
        found == left("unavailable") || found == outcome(&["unredirected"], Some(&own), None),
        "{found:?}"
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
    let mapped = Some(address(mapped).into());
    (connection.local, connection.direct_local) = (mapped.clone(), mapped);
    assert_eq!(
        accept("", &mut connection),
        outcome(&["unavailable"], None, None)
    );
    let line = "original_dst: connection from 10.1.0.2:1000 at [::ffff:10.1.0.1]:15001: no destination: the \
                listener is bound to an IPv4 address in the form of an IPv6 one, so that the kernel is \
                asked about IPv6 (bind the IPv4 address itself, or [::] with ipv4_compat): not \
                redirected, left as it came";
    assert_eq!(logged(), [(Level::Info, line.to_owned())]);
}
