//! Connections that are worth measuring: what most cost, and what somebody could send many of.

#![allow(clippy::expect_used)]

use fake_host::kernel::{self, Question};
use fake_host::{Connection, Listener, Socket, sysctl};
use original_dst as _;

/// A kind of connection.
pub struct Case {
    /// Its name in reports.
    pub name: &'static str,
    options: &'static str,
    /// Makes one.
    pub connection: fn() -> Connection,
}

const NAME: &str = "envoy.filters.listener.original_dst";

/// All kinds.
pub const CASES: [Case; 16] = [
    Case {
        name: "redirect_ipv4",
        options: "",
        connection: redirected,
    },
    Case {
        name: "redirect_ipv6",
        options: "",
        connection: || {
            over(
                Socket::redirected(address("[fd02::2]:8080")),
                "[fd01::1]:15001",
            )
        },
    },
    Case {
        name: "redirect_allowed",
        options: r#"{ "destinations": { "allow": ["private"], "deny": ["link-local"] } }"#,
        connection: redirected,
    },
    Case {
        name: "redirect_handed_off",
        options: r#"{ "hand_off": true }"#,
        connection: redirected,
    },
    Case {
        name: "transparent_ipv4",
        options: "",
        connection: || {
            over(
                Socket::transparent(address("10.2.0.2:8080")),
                "10.2.0.2:8080",
            )
        },
    },
    Case {
        name: "transparent_ipv6",
        options: "",
        connection: || {
            over(
                Socket::transparent(address("[fd02::2]:8080")),
                "[fd02::2]:8080",
            )
        },
    },
    Case {
        name: "internal_metadata",
        options: "",
        connection: || Connection::internal().with_metadata(NAME, "local", "10.2.0.2:8080"),
    },
    Case {
        name: "internal_filter_state",
        options: "",
        connection: || {
            Connection::internal()
                .with_filter_state(
                    "envoy.filters.listener.original_dst.local_ip",
                    "[fd02::2]:8080",
                )
                .with_filter_state(
                    "envoy.filters.listener.original_dst.source_ip",
                    "10.9.0.1:1000",
                )
        },
    },
    Case {
        name: "denied",
        options: r#"{ "destinations": { "deny": ["link-local"] } }"#,
        connection: || {
            over(
                Socket::redirected(address("169.254.169.254:80")),
                "10.1.0.1:15001",
            )
        },
    },
    Case {
        name: "unredirected",
        options: r#"{ "unredirected_connections": "CLOSE" }"#,
        connection: || {
            over(
                Socket::redirected(address("10.1.0.1:15001")),
                "10.1.0.1:15001",
            )
        },
    },
    // What each guard takes of a connection that passes it.
    Case {
        name: "guarded",
        options: r#"{ "unredirected_connections": "CLOSE" }"#,
        connection: redirected,
    },
    Case {
        name: "guarded_listed_port",
        options: r#"{ "unredirected_connections": "CLOSE", "listener_ports": [8080] }"#,
        connection: redirected,
    },
    Case {
        name: "guarded_redirect_mark",
        options: r#"{ "unredirected_connections": "CLOSE", "redirect_mark": "0x1" }"#,
        connection: || over(marked(), "10.1.0.1:15001"),
    },
    Case {
        name: "guarded_own_mark",
        options: r#"{ "own_mark": "0x2" }"#,
        connection: || over(marked(), "10.1.0.1:15001"),
    },
    Case {
        name: "local_address",
        options: r#"{ "recovery_methods": ["LOCAL_ADDRESS"], "local_destinations": ["10.2.0.0/16"] }"#,
        connection: || {
            let own = kernel::sockaddr(address("10.2.0.2:8080"));
            let socket = Socket::untracked().with(Question::Name, Ok(own));
            over(socket, "10.2.0.2:8080")
        },
    },
    Case {
        name: "unrecovered",
        options: r#"{ "unrecovered_connections": "CLOSE" }"#,
        connection: || over(Socket::untracked(), "10.1.0.1:15001"),
    },
];

impl Case {
    /// A listener for such connections.
    pub fn listener(&self) -> Listener {
        sysctl::set_fwmark_accept(Some("1\n"));
        Listener::new(NAME, self.options.as_bytes()).expect("options that are accepted")
    }
}

fn redirected() -> Connection {
    over(
        Socket::redirected(address("10.2.0.2:8080")),
        "10.1.0.1:15001",
    )
}

/// A redirected socket that carries mark 1.
fn marked() -> Socket {
    Socket::redirected(address("10.2.0.2:8080"))
        .with(Question::MARK, Ok(1_u32.to_ne_bytes().into()))
}

fn over(socket: Socket, at: &str) -> Connection {
    Connection::over(socket, address(at))
}

fn address(text: &str) -> std::net::SocketAddr {
    text.parse().expect("an address")
}
