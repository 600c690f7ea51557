//! What becomes of a connection, by the direction, by what Windows answers, and by the options.

use std::thread;
use std::time::Duration;

use fake_host::kernel::{Answer, Question, sockaddr};
use fake_host::log::{self, Level};
use fake_host::{Connection, Listener, Socket};

use super::{AT, AT_V6, INBOUND, NAME, OUTBOUND, Pair, UNSPECIFIED, accept, listener, logged};

const CLOSE_UNRECOVERED: &str = r#"{ "unrecovered_connections": "CLOSE" }"#;
const CLOSE_UNREDIRECTED: &str = r#"{ "unredirected_connections": "CLOSE" }"#;

const QUESTIONS: [(&str, Question); 2] = [
    (AT, Question::ORIGINAL_DST),
    (AT_V6, Question::IPV6_ORIGINAL_DST),
];

/// The bytes of an address, and zeros up to this length, or as much of them.
fn bytes(address: &str, length: usize) -> Vec<u8> {
    let mut bytes = sockaddr(address.parse().expect("an address"));
    bytes.resize(length, 0);
    bytes
}

fn answering(question: Question, answer: Answer) -> Socket {
    Socket::untracked().with(question, answer)
}

/// What Windows was asked.
fn asked(connection: &mut Connection) -> Vec<Question> {
    connection.socket().expect("a socket").1.asked().to_vec()
}

#[test]
fn each_direction_and_family_takes_one_question() {
    for direction in [INBOUND, OUTBOUND] {
        for (at, question) in QUESTIONS {
            let pair = Pair::new(at);
            let answer = Ok(bytes("10.2.0.2:80", 16));
            let mut connection = pair.answered(answering(question, answer));
            connection.direction = direction;
            let found = accept("", &mut connection);
            assert_eq!(found, "restored_redirect to 10.2.0.2:80");
            assert_eq!(asked(&mut connection), [question]);
        }
    }
}

#[test]
fn without_a_direction_nothing_is_asked() {
    for (at, question) in QUESTIONS {
        for (options, expected) in [
            ("", "unavailable"),
            (
                CLOSE_UNRECOVERED,
                "unavailable closed original_dst_unavailable",
            ),
        ] {
            let pair = Pair::new(at);
            let answer = Ok(bytes("10.2.0.2:80", 16));
            let mut connection = pair.answered(answering(question, answer));
            connection.direction = UNSPECIFIED;
            assert_eq!(accept(options, &mut connection), expected);
            assert_eq!(asked(&mut connection), []);
        }
    }
}

/// Once a second, as a warning.
#[test]
fn a_missing_direction_is_told() {
    let listener = listener("");
    let pair = Pair::new(AT);
    let come = || {
        let mut connection = pair.answered(Socket::untracked());
        connection.direction = UNSPECIFIED;
        listener.accept(&mut connection);
    };
    let line = format!(
        "original_dst: connection from {} at {}: no destination: on Windows the listener needs a \
         traffic_direction, INBOUND or OUTBOUND, and an Envoy of 1.40 or newer, which tells it: not \
         redirected, left as it came",
        pair.client.local_addr().expect("an address"),
        pair.server(),
    );
    come();
    come();
    assert_eq!(logged(), [(Level::Warn, line.clone())]);
    thread::sleep(Duration::from_millis(1010));
    come();
    let line = format!("{line} (1 more like this not shown)");
    assert_eq!(logged(), [(Level::Warn, line)]);
}

/// Windows may report the length of the address or that of the room, and an address of either family.
#[test]
fn an_address_of_either_family_is_restored() {
    for (at, question) in QUESTIONS {
        for (address, length, to) in [
            ("10.2.0.2:80", 16, "10.2.0.2:80"),
            ("10.2.0.2:80", 28, "10.2.0.2:80"),
            ("10.2.0.2:80", 128, "10.2.0.2:80"),
            ("[fd02::2]:443", 28, "[fd02::2]:443"),
            ("[fd02::2]:443", 128, "[fd02::2]:443"),
            ("[fe80::a1%2]:80", 28, "[fe80::a1%2]:80"),
            ("[::ffff:10.2.0.2]:80", 28, "10.2.0.2:80"),
        ] {
            let answers = answering(question, Ok(bytes(address, length)));
            let found = accept("", &mut Pair::new(at).answered(answers));
            let expected = format!("restored_redirect to {to}");
            assert_eq!(found, expected, "{address} in {length} bytes at {at}");
        }
    }
}

#[test]
fn what_is_shorter_than_an_address_is_invalid() {
    for (at, question) in QUESTIONS {
        for (address, length) in [
            ("10.2.0.2:80", 0),
            ("10.2.0.2:80", 2),
            ("10.2.0.2:80", 15),
            ("[fd02::2]:443", 16),
            ("[fd02::2]:443", 27),
        ] {
            for (options, expected) in [
                ("", "invalid_address"),
                (
                    CLOSE_UNRECOVERED,
                    "invalid_address closed original_dst_invalid_address",
                ),
            ] {
                let answers = answering(question, Ok(bytes(address, length)));
                let found = accept(options, &mut Pair::new(at).answered(answers));
                assert_eq!(found, expected, "{length} bytes of {address} at {at}");
            }
        }
    }
}

/// 10 is the family of IPv6 on Linux.
#[test]
fn another_family_is_invalid() {
    for (at, question) in QUESTIONS {
        for family in [0, 1, 10, 17, u16::MAX] {
            let mut answer = bytes("10.2.0.2:80", 128);
            answer[..2].copy_from_slice(&family.to_ne_bytes());
            let found = accept(
                "",
                &mut Pair::new(at).answered(answering(question, Ok(answer))),
            );
            assert_eq!(found, "invalid_address", "{family} at {at}");
        }
    }
}

/// Errors are Winsock's; what errno(3) has under the same name is another number.
#[test]
fn errors_leave_no_destination_and_are_named() {
    let unanswered = "this Windows does not answer SO_ORIGINAL_DST for this connection";
    for (error, cause) in [
        (10022, unanswered),
        (10042, unanswered),
        (10045, unanswered),
        (10014, "(os error 10014)"),
        (2, "(os error 2)"),
        (
            libc::ENOPROTOOPT,
            &format!("(os error {})", libc::ENOPROTOOPT),
        ),
    ] {
        for (at, question) in QUESTIONS {
            let pair = Pair::new(at);
            let found = accept("", &mut pair.answered(answering(question, Err(error))));
            assert_eq!(found, "unavailable", "{error} at {at}");
            let lines = logged();
            let [(Level::Info, line)] = &lines[..] else {
                panic!("one line: {lines:?}");
            };
            let end = "; see that an HNS policy redirects the connections of this endpoint to the \
                       listener: not redirected, left as it came";
            assert!(line.ends_with(&format!("{cause}{end}")), "{line}");
        }
    }
    let answers = answering(Question::ORIGINAL_DST, Err(10042));
    let found = accept(CLOSE_UNRECOVERED, &mut Pair::new(AT).answered(answers));
    assert_eq!(found, "unavailable closed original_dst_unavailable");
}

/// Nothing is programmed: Winsock, here Wine's, has no such option.
#[test]
fn winsock_itself_has_no_destination() {
    for (at, _) in QUESTIONS {
        let found = accept("", &mut Connection::real(&Pair::new(at).server));
        assert_eq!(found, "unavailable", "{at}");
        let lines = logged();
        assert!(
            lines[0].1.contains("this Windows does not answer"),
            "{lines:?}"
        );
    }
}

/// The answer is one of the connection's ends, which Winsock tells.
#[test]
fn who_connects_to_the_listener_is_not_redirected() {
    for (at, question) in QUESTIONS {
        let pair = Pair::new(at);
        for end in [pair.server.local_addr(), pair.client.local_addr()] {
            let answer = Ok(sockaddr(end.expect("an address")));
            let mut connection = pair.answered(answering(question, answer));
            let found = accept(CLOSE_UNREDIRECTED, &mut connection);
            assert_eq!(found, "unredirected closed original_dst_unredirected");
        }
    }
}

#[test]
fn the_sockets_own_address_is_taken_if_it_is_listed() {
    let options =
        r#"{ "recovery_methods": ["LOCAL_ADDRESS"], "local_destinations": ["loopback"] }"#;
    for (at, _) in QUESTIONS {
        let pair = Pair::new(at);
        let found = accept(options, &mut Connection::real(&pair.server));
        assert_eq!(
            found,
            format!("restored_local_address to {}", pair.server())
        );
    }
}

#[test]
fn rules_apply() {
    let options = r#"{ "destinations": { "deny": ["10.2.0.0/16"] } }"#;
    let answers = answering(Question::ORIGINAL_DST, Ok(bytes("10.2.0.2:80", 16)));
    let found = accept(options, &mut Pair::new(AT).answered(answers));
    assert_eq!(found, "denied closed original_dst_denied");
}

/// No policy of Windows' leads to it: it needs no direction.
#[test]
fn an_internal_connection_needs_no_direction() {
    let mut connection = Connection::internal().with_metadata(NAME, "local", "10.2.0.2:80");
    connection.direction = UNSPECIFIED;
    let found = accept("", &mut connection);
    assert_eq!(found, "restored_metadata to 10.2.0.2:80");
}

#[test]
fn marks_are_refused() {
    for options in [r#"{ "own_mark": "0x1" }"#, r#"{ "redirect_mark": "0x1" }"#] {
        log::take();
        assert!(Listener::new(NAME, options.as_bytes()).is_none());
        let line = "original_dst: filter_config: redirect_mark, own_mark: Windows has no marks: leave \
                    them out";
        assert_eq!(log::take(), [(Level::Error, line.to_owned())]);
    }
}
