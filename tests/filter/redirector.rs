//! Who redirected a connection, by the evidence in its order.

use fake_host::kernel::{Question, sockaddr};
use fake_host::log::Level;
use fake_host::{Connection, Listener, Socket, sysctl};

use super::{
    AT, NAME, Outcome, accept, address, closed, left, logged, outcome, over, redirected, restored,
    transparent,
};

/// This host's, with a listener's port, and nobody's.
const OWN: &str = "127.0.0.1:15006";
const NOBODYS: &str = "198.51.100.1:15006";

fn marked(socket: Socket, mark: u32) -> Socket {
    socket.with(Question::MARK, Ok(mark.to_ne_bytes().into()))
}

fn accept_with_marks(options: &str, socket: Socket, at: &str) -> Outcome {
    sysctl::set_fwmark_accept(Some("1\n"));
    accept(options, &mut over(socket, at))
}

/// By whichever method.
#[test]
fn an_own_address_with_a_listeners_port_is_the_proxy() {
    let close = r#"{ "listener_ports": [15006], "unredirected_connections": "CLOSE" }"#;
    for (socket, at) in [
        (redirected(OWN), AT),
        (redirected("[::1]:15006"), "[fd01::1]:15001"),
        (redirected("[::ffff:127.0.0.9]:15006"), "[fd01::1]:15001"),
        (redirected("0.0.0.0:15006"), AT),
        (transparent(OWN), OWN),
        (transparent("[::1]:15006"), "[::1]:15006"),
    ] {
        assert_eq!(
            accept(close, &mut over(socket, at)),
            closed("unredirected"),
            "{at}"
        );
    }
    for mut connection in [
        Connection::internal().with_metadata(NAME, "local", OWN),
        Connection::internal().with_filter_state(&format!("{NAME}.local_ip"), OWN),
    ] {
        assert_eq!(accept(close, &mut connection), closed("unredirected"));
    }
    assert_eq!(
        accept(close, &mut over(redirected(NOBODYS), AT)),
        restored("restored_redirect", NOBODYS)
    );
    assert_eq!(
        accept(close, &mut over(redirected("127.0.0.1:15007"), AT)),
        restored("restored_redirect", "127.0.0.1:15007")
    );
}

/// The guard holds: a listed port decides alone.
#[test]
fn where_nobody_can_tell_whose_an_address_is_it_is_this_hosts() {
    let close = r#"{ "listener_ports": [15006], "unredirected_connections": "CLOSE" }"#;
    let elsewhere = 1_u64.to_ne_bytes();
    let answers = [
        (Question::NAMESPACE, Ok(elsewhere.into())),
        (Question::NAMESPACE, Err(libc::ENOPROTOOPT)),
        (Question::NAMESPACE, Ok(elsewhere[..4].into())),
        (Question::Route, Err(libc::EAGAIN)),
        (Question::Route, Ok(Vec::new())),
        (Question::Route, Ok(vec![0; 512])),
    ];
    for (question, answer) in answers {
        let sockets = [(redirected(NOBODYS), AT), (transparent(NOBODYS), NOBODYS)];
        for (socket, at) in sockets {
            let socket = socket.with(question, answer.clone());
            assert_eq!(
                accept(close, &mut over(socket, at)),
                closed("unredirected"),
                "{question:?}: {answer:?}"
            );
        }
    }
}

/// REDIRECT feeds a transparent listener, too.
#[test]
fn a_transparent_socket_is_not_always_tproxys() {
    let methods = r#""recovery_methods": ["TRANSPARENT", "SO_ORIGINAL_DST"]"#;
    let socket =
        || transparent(OWN).with(Question::ORIGINAL_DST, Ok(sockaddr(address("10.2.0.2:80"))));
    for guard in ["RESTORE", "CLOSE"] {
        let options = format!(
            r#"{{ {methods}, "listener_ports": [15006], "unredirected_connections": {guard:?} }}"#
        );
        assert_eq!(
            accept(&options, &mut over(socket(), OWN)),
            restored("restored_redirect", "10.2.0.2:80"),
            "{guard}"
        );
    }
    let options = format!("{{ {methods} }}");
    assert_eq!(
        accept(&options, &mut over(socket(), OWN)),
        restored("restored_transparent", OWN),
        "nobody said what the listener's port is"
    );
}

/// Connection tracking saw only the answers, and takes their destination for the original one.
#[test]
fn an_answer_about_the_answers_is_passed_over() {
    let client = sockaddr(address("10.1.0.2:1000"));
    let reversed = |socket: Socket| {
        socket
            .with(Question::ORIGINAL_DST, Ok(client.clone()))
            .with(Question::Peer, Ok(client.clone()))
    };
    let close = r#"{ "unredirected_connections": "CLOSE" }"#;
    let tproxied = || reversed(transparent("10.2.0.2:80"));
    for (options, expected) in [
        ("", restored("restored_redirect", "10.1.0.2:1000")),
        (close, restored("restored_transparent", "10.2.0.2:80")),
    ] {
        assert_eq!(
            accept(options, &mut over(tproxied(), "10.2.0.2:80")),
            expected,
            "{options}"
        );
    }
    let direct = || reversed(Socket::untracked());
    assert_eq!(
        accept(close, &mut over(direct(), AT)),
        closed("unredirected")
    );
    let only =
        r#"{ "unredirected_connections": "CLOSE", "recovery_methods": ["SO_ORIGINAL_DST"] }"#;
    assert_eq!(
        accept(only, &mut over(tproxied(), "10.2.0.2:80")),
        closed("unredirected")
    );
}

#[test]
fn redirect_mark_says_it_all() {
    let close = r#"{ "redirect_mark": "0x1/0xff", "unredirected_connections": "CLOSE" }"#;
    for (socket, at, with_it) in [
        (
            redirected("10.2.0.2:80"),
            AT,
            restored("restored_redirect", "10.2.0.2:80"),
        ),
        (transparent(OWN), OWN, restored("restored_transparent", OWN)),
        (redirected(AT), AT, restored("restored_redirect", AT)),
        (Socket::untracked(), AT, left("unavailable")),
    ] {
        for mark in [1, 0x501] {
            let socket = marked(socket.clone(), mark);
            assert_eq!(
                accept_with_marks(close, socket, at),
                with_it,
                "{mark:#x} at {at}"
            );
        }
        for mark in [0, 3, 0x100] {
            let socket = marked(socket.clone(), mark);
            let found = accept_with_marks(close, socket, at);
            assert_eq!(found, closed("unredirected"), "{mark:#x} at {at}");
        }
        let silent = socket.with(Question::MARK, Err(libc::EBADF));
        assert_eq!(accept_with_marks(close, silent, at), closed("unredirected"));
    }
    // Pipes and internal connections have no mark.
    assert_eq!(
        accept(close, &mut Connection::pipe()).counters,
        ["unavailable"]
    );
    let mut internal = Connection::internal().with_metadata(NAME, "local", "10.2.0.2:80");
    assert_eq!(
        accept(close, &mut internal),
        restored("restored_metadata", "10.2.0.2:80")
    );
}

#[test]
fn what_redirect_mark_finds_unredirected_goes_the_options_way() {
    let mark = r#""redirect_mark": "0x1""#;
    let to = "10.2.0.2:80";
    for (options, socket, expected) in [
        (
            "",
            redirected(to),
            outcome(&["unredirected"], Some(to), None),
        ),
        (
            r#", "unredirected_connections": "IGNORE""#,
            redirected(to),
            left("unredirected"),
        ),
        ("", Socket::untracked(), left("unredirected")),
        (
            r#", "unrecovered_connections": "CLOSE""#,
            Socket::untracked(),
            closed("unredirected"),
        ),
        (
            r#", "hand_off": true"#,
            redirected(to),
            outcome(&["unredirected"], Some(to), None),
        ),
    ] {
        let options = format!("{{ {mark}{options} }}");
        assert_eq!(
            accept_with_marks(&options, socket, AT),
            expected,
            "{options}"
        );
    }
}

#[test]
fn envoys_own_connection_is_closed() {
    let own = r#"{ "own_mark": "0x539" }"#;
    let both = r#"{ "own_mark": "0x539", "redirect_mark": "0x1/0x1" }"#;
    for socket in [
        redirected("10.2.0.2:80"),
        redirected(AT),
        Socket::untracked(),
    ] {
        for options in [own, both] {
            let found = accept_with_marks(options, marked(socket.clone(), 0x539), AT);
            assert_eq!(found, closed("looped"), "{options}");
        }
        let silent = socket.with(Question::MARK, Err(libc::EBADF));
        assert_eq!(accept_with_marks(own, silent, AT), closed("looped"));
    }
    let to = "10.2.0.2:80";
    for mark in [0, 1, 0x538] {
        let found = accept_with_marks(own, marked(redirected(to), mark), AT);
        assert_eq!(found, restored("restored_redirect", to), "{mark:#x}");
    }
}

#[test]
fn a_kernel_that_gives_sockets_no_marks_is_told_of() {
    for option in ["redirect_mark", "own_mark"] {
        let options = format!(r#"{{ {option:?}: "0x1" }}"#);
        for (content, is_accepted) in [("0\n", false), ("1\n", true)] {
            sysctl::set_fwmark_accept(Some(content));
            assert_eq!(
                Listener::new(NAME, options.as_bytes()).is_some(),
                is_accepted
            );
            let expected = match is_accepted {
                true => vec![],
                false => vec![(
                    Level::Error,
                    "original_dst: filter_config: redirect_mark, own_mark: accepted sockets carry no \
                     marks here: set the sysctl net.ipv4.tcp_fwmark_accept=1 (it serves IPv6, too) in \
                     this network namespace"
                        .to_owned(),
                )],
            };
            assert_eq!(logged(), expected);
        }
    }
    sysctl::set_fwmark_accept(Some("0\n"));
    assert!(Listener::new(NAME, b"{}").is_some());
}

/// Once for each answer that names a listed port, by whichever method it came.
#[test]
fn the_kernel_is_asked_for_one_route() {
    let options = r#"{ "listener_ports": [15006], "unredirected_connections": "CLOSE" }"#;
    for (socket, at) in [(redirected(NOBODYS), AT), (transparent(NOBODYS), NOBODYS)] {
        let mut connection = over(socket, at);
        accept(options, &mut connection);
        let asked = connection.socket().expect("a socket").1.asked();
        let routes = asked
            .iter()
            .filter(|question| **question == Question::NAMESPACE);
        assert_eq!(routes.count(), 1, "{asked:?}");
    }
}

/// What leads elsewhere than to Envoy itself is told as every other exception.
#[test]
fn lines_of_what_is_restored_all_the_same() {
    sysctl::set_fwmark_accept(Some("1\n"));
    let to = "10.2.0.2:80";
    let client = sockaddr(address("10.1.0.2:1000"));
    let reversed = Socket::untracked()
        .with(Question::ORIGINAL_DST, Ok(client.clone()))
        .with(Question::Peer, Ok(client));
    for (options, socket, line) in [
        (
            r#"{ "redirect_mark": "0x1" }"#,
            redirected(to),
            "destination 10.2.0.2:80 by SO_ORIGINAL_DST: not redirected: its mark is 0x0, \
             redirect_mark is 0x1, restored anyway",
        ),
        (
            r#"{ "listener_ports": [15006] }"#,
            reversed,
            "destination 10.1.0.2:1000 by SO_ORIGINAL_DST: that is the client's own address: \
             connection tracking saw only the answers (exempt both directions by NOTRACK, or \
             neither), restored anyway",
        ),
    ] {
        accept(options, &mut over(socket, AT));
        let line = format!("original_dst: connection from 10.1.0.2:1000 at {AT}: {line}");
        assert_eq!(logged(), [(Level::Warn, line)]);
    }
}

/// The lines name the mark that was found, and the one that was wanted.
#[test]
fn lines_name_the_evidence() {
    sysctl::set_fwmark_accept(Some("1\n"));
    let close = r#""unredirected_connections": "CLOSE""#;
    for (options, socket, line) in [
        (
            format!("{{ {close} }}"),
            redirected(AT),
            "destination 10.1.0.1:15001 by SO_ORIGINAL_DST: not redirected: the client connected \
             to this listener directly, closed",
        ),
        (
            format!(r#"{{ {close}, "listener_ports": [15006] }}"#),
            redirected(OWN),
            "destination 127.0.0.1:15006 by SO_ORIGINAL_DST: not redirected: the client connected \
             directly to a listener of this Envoy, whose port is in listener_ports, closed",
        ),
        (
            format!(r#"{{ {close}, "redirect_mark": "0x1/0xff" }}"#),
            marked(redirected("10.2.0.2:80"), 0x539),
            "destination 10.2.0.2:80 by SO_ORIGINAL_DST: not redirected: its mark is 0x539, \
             redirect_mark is 0x1/0xff, closed",
        ),
        (
            r#"{ "own_mark": 1337 }"#.to_owned(),
            marked(redirected("10.2.0.2:80"), 0x539),
            "destination 10.2.0.2:80 by SO_ORIGINAL_DST: Envoy's own connection, redirected once \
             more: its mark is 0x539, own_mark is 0x539, closed",
        ),
        (
            r#"{ "own_mark": 1337 }"#.to_owned(),
            redirected("10.2.0.2:80").with(Question::MARK, Err(libc::EBADF)),
            "destination 10.2.0.2:80 by SO_ORIGINAL_DST: Envoy's own connection, redirected once \
             more: the kernel does not tell its mark, own_mark is 0x539, closed",
        ),
    ] {
        accept(&options, &mut over(socket, AT));
        let line = format!("original_dst: connection from 10.1.0.2:1000 at {AT}: {line}");
        assert_eq!(logged(), [(Level::Warn, line)]);
    }
}

/// Nothing is refused, and nothing counts as trouble; what it leads to may be many connections.
#[test]
fn a_connection_restored_to_the_listener_is_told_of_once() {
    let listener = Listener::new(NAME, b"").expect("options");
    for _ in 0..3 {
        listener.accept(&mut over(redirected(AT), AT));
    }
    let line = format!(
        "original_dst: connection from 10.1.0.2:1000 at {AT}: destination {AT} by SO_ORIGINAL_DST: \
         not redirected: the client connected to this listener directly, restored anyway: an \
         ORIGINAL_DST cluster now connects Envoy to itself, over and over; \
         unredirected_connections: CLOSE refuses such connections (this line is not repeated)"
    );
    assert_eq!(logged(), [(Level::Warn, line)]);
}
