//! Connections that are worth measuring: what most cost, and what somebody could send many of.

#![allow(clippy::expect_used)]

use fake_host::{Connection, Listener, Socket};
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
pub const CASES: [Case; 11] = [
    Case {
        name: "redirect_ipv4",
        options: "",
        connection: || {
            over(
                Socket::redirected(address("10.2.0.2:8080")),
                "10.1.0.1:15001",
            )
        },
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
        connection: || {
            over(
                Socket::redirected(address("10.2.0.2:8080")),
                "10.1.0.1:15001",
            )
        },
    },
    Case {
        name: "redirect_handed_off",
        options: r#"{ "hand_off": true }"#,
        connection: || {
            over(
                Socket::redirected(address("10.2.0.2:8080")),
                "10.1.0.1:15001",
            )
        },
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
    Case {
        name: "unrecovered",
        options: r#"{ "unrecovered_connections": "CLOSE" }"#,
        connection: || over(Socket::untracked(), "10.1.0.1:15001"),
    },
];

impl Case {
    /// A listener for such connections.
    pub fn listener(&self) -> Listener {
        Listener::new(NAME, self.options.as_bytes()).expect("options that are accepted")
    }
}

fn over(socket: Socket, at: &str) -> Connection {
    Connection::over(socket, address(at))
}

fn address(text: &str) -> std::net::SocketAddr {
    text.parse().expect("an address")
}
