//! What the filter tells: metadata, metrics and log lines.

use std::thread;

#[cfg(not(windows))]
use fake_host::kernel::Question;
use fake_host::log::{self, Level};
use fake_host::{Connection, Listener, Socket};

#[cfg(not(windows))]
use super::transparent;
use super::{AT, NAME, listener, logged, over, redirected};

/// One connection of each kind that can be.
fn of_every_kind() -> Vec<Connection> {
    vec![
        over(redirected("10.2.0.2:80"), AT),
        over(redirected("10.3.0.3:80"), AT),
        over(redirected(AT), AT),
        #[cfg(not(windows))]
        over(transparent("10.2.0.2:80"), AT),
        over(Socket::untracked(), AT),
        Connection::internal().with_metadata(NAME, "local", "nonsense"),
    ]
}

const OPTIONS: &str = r#"{
    "unredirected_connections": "IGNORE",
    "destinations": { "deny": ["10.3.0.0/16"] },
    "publish_metadata": true
}"#;

/// Envoy's own operators show the addresses of a restored connection.
#[test]
fn metadata() {
    let listener = listener(OPTIONS);
    let published: Vec<_> = of_every_kind()
        .iter_mut()
        .map(|connection| {
            listener.accept(connection);
            [
                "verdict",
                "method",
                "destination",
                "source",
                "listener_address",
                "rule",
            ]
            .map(|key| {
                connection
                    .metadata("original_dst", key)
                    .unwrap_or_else(|| "-".into())
            })
            .join(" ")
        })
        .collect();
    assert_eq!(
        published,
        [
            "RESTORED SO_ORIGINAL_DST - - - -",
            "DENIED SO_ORIGINAL_DST 10.3.0.3:80 10.1.0.2:1000 10.1.0.1:15001 deny[0] 10.3.0.0/16",
            "UNREDIRECTED SO_ORIGINAL_DST 10.1.0.1:15001 10.1.0.2:1000 10.1.0.1:15001 -",
            #[cfg(not(windows))]
            "RESTORED TRANSPARENT - - - -",
            "UNAVAILABLE NONE - 10.1.0.2:1000 10.1.0.1:15001 -",
            "INVALID NONE - - - -",
        ]
    );
}

/// The same as in metadata, under keys of its own.
#[test]
fn filter_state() {
    let both = r#"{ "publish_metadata": true, "publish_filter_state": true,
                    "destinations": { "deny": ["10.3.0.0/16"] } }"#;
    let listener = listener(both);
    for mut connection in of_every_kind() {
        listener.accept(&mut connection);
        for key in [
            "verdict",
            "method",
            "destination",
            "source",
            "listener_address",
            "rule",
        ] {
            let published = connection.filter_state(&format!("original_dst.{key}"));
            assert_eq!(published, connection.metadata("original_dst", key), "{key}");
        }
        assert!(connection.metadata("original_dst", "verdict").is_some());
    }
    let mut connection = over(redirected("10.2.0.2:80"), AT);
    super::listener(r#"{ "publish_metadata": true }"#).accept(&mut connection);
    assert_eq!(connection.filter_state("original_dst.verdict"), None);
}

/// Before 1.39, Envoy logs a bug where a key is set again.
#[test]
fn what_an_earlier_filter_published_stays() {
    let mut connection =
        over(redirected("10.2.0.2:80"), AT).with_filter_state("original_dst.verdict", "EARLIER");
    listener(r#"{ "publish_filter_state": true }"#).accept(&mut connection);
    let published = connection.filter_state("original_dst.verdict");
    assert_eq!(published.as_deref(), Some("EARLIER"));
}

#[test]
fn the_rules_in_force_are_shown() {
    for (options, count) in [
        ("{}", 0),
        (
            r#"{ "destinations": { "deny": ["loopback", "10.0.0.0/8"] } }"#,
            2,
        ),
    ] {
        let listener = listener(options);
        listener.accept(&mut over(redirected("10.2.0.2:80"), AT));
        let gauge = listener.gauge("original_dst.destination_rules");
        assert_eq!(gauge, Some(count), "{options}");
    }
}

#[test]
fn no_metadata_unasked() {
    let mut connection = over(redirected("10.2.0.2:80"), AT);
    listener("").accept(&mut connection);
    assert_eq!(connection.metadata("original_dst", "verdict"), None);
}

#[test]
fn metrics_have_their_prefix() {
    for (options, prefix) in [("", ""), (r#"{ "stat_prefix": "a.b" }"#, "a.b.")] {
        let listener = listener(options);
        for counter in [
            "restored_redirect",
            "restored_transparent",
            "restored_local_address",
            "restored_metadata",
            "restored_filter_state",
            "source_restored",
            "unredirected",
            "looped",
            "unavailable",
            "denied",
            "invalid_address",
            "error",
        ] {
            let name = format!("{prefix}original_dst.{counter}");
            assert_eq!(listener.counter(&name), Some(0), "{name}");
        }
        for gauge in ["redirection_broken", "destination_rules"] {
            let name = format!("{prefix}original_dst.{gauge}");
            assert_eq!(listener.gauge(&name), Some(0), "{name}");
        }
    }
}

/// Workers share a listener, and each connection is one increment.
#[test]
fn counters_add_up_to_the_connections() {
    let listener = listener(OPTIONS);
    let (workers, rounds) = (4, 50);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                log::show(Level::Off);
                for _ in 0..rounds {
                    for mut connection in of_every_kind() {
                        listener.accept(&mut connection);
                    }
                }
            });
        }
    });
    let each = workers * rounds;
    assert_eq!(
        listener.counted(),
        [
            ("original_dst.restored_redirect", each),
            #[cfg(not(windows))]
            ("original_dst.restored_transparent", each),
            ("original_dst.unredirected", each),
            ("original_dst.unavailable", each),
            ("original_dst.denied", each),
            ("original_dst.invalid_address", each),
        ]
    );
}

fn levels() -> Vec<Level> {
    logged().into_iter().map(|(level, _)| level).collect()
}

/// A line for each kind of trouble, and then no more for a second.
#[test]
fn the_log_is_not_flooded() {
    let listener = listener(OPTIONS);
    for _ in 0..10 {
        for mut connection in of_every_kind() {
            listener.accept(&mut connection);
        }
    }
    let expected = [Level::Warn, Level::Warn, Level::Info, Level::Warn];
    assert_eq!(
        levels(),
        expected,
        "denied, unredirected, unavailable, invalid"
    );
    thread::sleep(std::time::Duration::from_millis(1010));
    listener.accept(&mut over(redirected("10.3.0.3:80"), AT));
    assert_eq!(
        logged(),
        [(
            Level::Warn,
            "original_dst: connection from 10.1.0.2:1000 at 10.1.0.1:15001: destination \
             10.3.0.3:80 by SO_ORIGINAL_DST: denied by the rules in destinations: deny[0] 10.3.0.0/16, \
             closed (9 more \
             like this not shown)"
                .to_owned()
        )]
    );
}

#[test]
fn the_log_follows_its_level() {
    let lines = |level| {
        log::show(level);
        let listener = listener(OPTIONS);
        for mut connection in of_every_kind() {
            listener.accept(&mut connection);
        }
        levels().len()
    };
    assert_eq!(
        [Level::Debug, Level::Info, Level::Warn, Level::Error].map(lines),
        [of_every_kind().len() + 4, 4, 3, 0]
    );
}

/// The gauge, and what the log says at a change.
fn accept_and_look(listener: &Listener, socket: Socket) -> (Option<u64>, Vec<(Level, String)>) {
    listener.accept(&mut over(socket, AT));
    let gauge = listener.gauge("original_dst.redirection_broken");
    let mut log = logged();
    log.retain(|(_, line)| line.contains("redirection"));
    (gauge, log)
}

#[test]
fn the_loss_of_redirection_is_noticed_once() {
    let listener = listener("");
    for _ in 1..100 {
        assert_eq!(
            accept_and_look(&listener, Socket::untracked()),
            (Some(0), vec![])
        );
    }
    let (gauge, log) = accept_and_look(&listener, Socket::untracked());
    assert_eq!(gauge, Some(1));
    assert_eq!(log.len(), 1);
    assert!(
        log[0].0 == Level::Warn && log[0].1.contains("redirection is broken"),
        "{log:?}"
    );
    assert_eq!(
        accept_and_look(&listener, Socket::untracked()),
        (Some(1), vec![])
    );
    // What is not of the kernel says nothing about redirection.
    listener.accept(&mut Connection::internal());
    listener.accept(&mut Connection::pipe());
    listener.accept(&mut Connection::internal().with_metadata(NAME, "local", "10.2.0.2:80"));
    listener.accept(&mut over(redirected(AT), AT));
    assert_eq!(listener.gauge("original_dst.redirection_broken"), Some(1));
    let again =
        "original_dst: connection from 10.1.0.2:1000 at 10.1.0.1:15001: redirection works again";
    assert_eq!(
        accept_and_look(&listener, redirected("10.2.0.2:80")),
        (Some(0), vec![(Level::Info, again.to_owned())])
    );
    assert_eq!(
        accept_and_look(&listener, redirected("10.2.0.2:80")),
        (Some(0), vec![])
    );
}

/// The line of the one connection that a listener with these options gets.
fn line(options: &str, mut connection: Connection) -> String {
    listener(options).accept(&mut connection);
    let lines = logged();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = lines.into_iter().next().expect("a line").1;
    line.strip_prefix("original_dst: connection from ")
        .expect("a line about a connection")
        .to_owned()
}

#[cfg(not(windows))]
#[test]
fn the_cause_of_no_destination_is_named() {
    let failing = |errno| {
        let socket = Socket::untracked().with(Question::ORIGINAL_DST, Err(errno));
        over(socket, AT)
    };
    let begin = "10.1.0.2:1000 at 10.1.0.1:15001: no destination: ";
    let end = "; the listener is not transparent (for TPROXY set transparent: true): not redirected, \
               left as it came";
    for (errno, cause) in [
        (
            libc::ENOENT,
            "connection tracking has no entry (no REDIRECT or DNAT rule matched, or the traffic is \
             exempt by NOTRACK, or tracked in another zone)",
        ),
        (
            libc::ENOPROTOOPT,
            "connection tracking is not loaded in this kernel (no NAT rule was ever set)",
        ),
        (
            libc::EOPNOTSUPP,
            "the socket does not support SO_ORIGINAL_DST (MPTCP)",
        ),
        (
            libc::EPERM,
            "SO_ORIGINAL_DST failed: Operation not permitted (os error 1)",
        ),
    ] {
        assert_eq!(line("", failing(errno)), format!("{begin}{cause}{end}"));
    }
    let only = r#"{ "recovery_methods": ["SO_ORIGINAL_DST"] }"#;
    let cause = "connection tracking has no entry (no REDIRECT or DNAT rule matched, or the traffic is \
                 exempt by NOTRACK, or tracked in another zone); the listener is transparent, but \
                 TRANSPARENT is not among the recovery_methods: not redirected, left as it came";
    let begin = "10.1.0.2:1000 at 10.2.0.2:80: no destination: ";
    assert_eq!(
        line(only, over(transparent("10.2.0.2:80"), "10.2.0.2:80")),
        format!("{begin}{cause}")
    );
    let malformed = Socket::untracked().with(Question::ORIGINAL_DST, Ok(vec![0; 3]));
    assert_eq!(
        line("", over(malformed, AT)),
        "10.1.0.2:1000 at 10.1.0.1:15001: the kernel's answer for SO_ORIGINAL_DST is not an \
         address: not an address that this Envoy takes, left as it came"
    );
}

#[test]
fn what_came_with_an_internal_connection_is_named() {
    let internal = || Connection::internal();
    for (connection, expected) in [
        (
            internal(),
            "no IP address: no destination: neither metadata nor filter state came with this internal \
             connection; pass them through the internal_upstream transport socket: not redirected, \
             left as it came",
        ),
        (
            internal().with_metadata(NAME, "local", "nonsense"),
            "no IP address: the destination by METADATA is not of the form IP:port, such as \
             10.2.0.2:8080: not an address that this Envoy takes, left as it came",
        ),
        (
            internal().with_filter_state(&format!("{NAME}.local_ip"), "nonsense"),
            "no IP address: the destination by FILTER_STATE is not of the form IP:port, such as \
             10.2.0.2:8080: not an address that this Envoy takes, left as it came",
        ),
        // The interface's name is known; this Envoy, which is 1.37, takes no scope.
        #[cfg(not(windows))]
        (
            internal().with_metadata(NAME, "local", "[fe80::1%lo]:80"),
            "no IP address: destination [fe80::1%1]:80 by METADATA: not an address that this Envoy \
             takes, left as it came",
        ),
        (
            internal()
                .with_metadata(NAME, "local", "10.2.0.2:80")
                .with_filter_state(&format!("{NAME}.source_ip"), "nobody"),
            "no IP address: the source in filter state is not of the form IP:port, such as \
             10.2.0.2:8080",
        ),
    ] {
        assert_eq!(line("", connection), expected);
    }
}

/// Only a tunnel brings a client's address along.
#[test]
fn a_kernel_socket_keeps_its_client() {
    let mut connection = over(redirected("10.2.0.2:80"), AT)
        .with_filter_state(&format!("{NAME}.source_ip"), "10.9.0.1:1000");
    let listener = listener("");
    listener.accept(&mut connection);
    let client = connection.remote.expect("a client").to_string();
    assert_eq!(client, "10.1.0.2:1000");
    assert_eq!(listener.counter("original_dst.source_restored"), Some(0));
}
