//! The filter's options: read once, when Envoy loads a listener, and never changed.

mod error;
mod in_force;
#[cfg(test)]
mod schema;
mod strict;
mod struct_wire;
#[cfg(test)]
mod tests;
mod value;

use serde::{Deserialize, Deserializer, de};

use crate::destinations::{Destinations, Places};
use crate::option::{Entry, List, ListenerPorts, Mark};
use crate::recover::RecoveryMethod;

use strict::Strict;
use struct_wire::Struct;
use value::Value;

pub use error::ConfigError;
pub use in_force::InForce;

/// The options of `envoy.filters.listener.original_dst` as a dynamic module. Every option may be
/// left out; with none, the filter does what Envoy's built-in filter does.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "an object of options")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "original_dst"))]
pub struct Config {
    /// How a kernel socket's original destination is recovered, in this order:
    /// `SO_ORIGINAL_DST`, `TRANSPARENT`, `LOCAL_ADDRESS`. An answer that cannot be the destination is
    /// passed over for the next method's. `[TRANSPARENT, SO_ORIGINAL_DST]` serves TPROXY in front of
    /// DNAT. Default: `SO_ORIGINAL_DST`, then `TRANSPARENT`.
    pub recovery_methods: List<RecoveryMethod>,

    /// The addresses that `LOCAL_ADDRESS` may take for a destination: those that a route, a VIP or
    /// sk_lookup brings to the listener unchanged. Entries are written as in `destinations`. The
    /// option and the method need each other. If a socket's own address is not listed, the next
    /// method is asked. If no method finds a destination, the connection is for this host itself.
    /// Then `unredirected_connections` decides if the kernel tracks the connection or
    /// `SO_ORIGINAL_DST` is not among the methods, else `unrecovered_connections`: set both to
    /// `CLOSE`. This option does not stop Envoy from connecting to itself at a listed address. Use
    /// `redirect_mark` for that, or a route that leads Envoy's own packets to another host. Default:
    /// none.
    #[cfg_attr(
        test,
        schemars(with = "Places", skip_serializing_if = "Option::is_none")
    )]
    pub local_destinations: Option<Places>,

    /// What becomes of an unredirected connection, whose client connected to the proxy itself:
    /// `RESTORE`, `IGNORE` (leave it as it came) or `CLOSE`. If the kernel tracks connections and the
    /// listener is not transparent, the module knows such a connection by itself. In all other cases
    /// set `listener_ports` or `redirect_mark` too. With `RESTORE`, an `ORIGINAL_DST` cluster connects
    /// Envoy to itself, over and over. With `IGNORE`, Envoy's own filter restores the connection
    /// anyway if the listener sets `use_original_dst`. Default: `RESTORE`.
    pub unredirected_connections: UnredirectedConnections,

    /// The ports, 1 to 65535, that Envoy's own listeners are bound to. Envoy does not tell them to the
    /// module. If the destination of a connection is an address of this host with one of these ports,
    /// the connection is unredirected, whichever method found the destination. The module asks the
    /// kernel whether the address is this host's. It cannot ask before Linux 5.14, or for a listener
    /// in another network namespace than Envoy's: there, the port alone decides. Default: none.
    pub listener_ports: ListenerPorts,

    /// The mark that the redirecting rule sets on packets, as iptables writes it: `"0x1"`, or
    /// `"0x1/0xff"` with a mask; in decimal, too. A connection whose socket does not carry it is
    /// unredirected; one that carries it was redirected, and is not judged by `listener_ports`.
    /// Needs the sysctl `net.ipv4.tcp_fwmark_accept=1`, for IPv6 as well. Default: none.
    #[cfg_attr(test, schemars(with = "Mark", skip_serializing_if = "Option::is_none"))]
    pub redirect_mark: Option<Mark>,

    /// The mark that Envoy sets on its own upstream connections, written as `redirect_mark` is. A
    /// connection that carries it is Envoy's own and came back: it is closed, and counted as
    /// `looped`. Needs the sysctl `net.ipv4.tcp_fwmark_accept=1`, for IPv6 as well. Default: none.
    #[cfg_attr(test, schemars(with = "Mark", skip_serializing_if = "Option::is_none"))]
    pub own_mark: Option<Mark>,

    /// What becomes of a connection for which no method finds a destination: `CONTINUE` or
    /// `CLOSE`. Default: `CONTINUE`.
    pub unrecovered_connections: UnrecoveredConnections,

    /// Which destinations clients may reach. Default: all.
    #[cfg_attr(test, schemars(with = "crate::destinations::Rules"))]
    pub destinations: Option<Destinations>,

    /// Whether the connection is handed to the listener that is bound to the restored address:
    /// `true` or `false`. Default: what the listener's own `use_original_dst` says.
    /// It never is if its address had been restored before, or if it is unredirected.
    #[cfg_attr(test, schemars(with = "bool", skip_serializing_if = "Option::is_none"))]
    pub hand_off: Option<bool>,

    /// Whether the result is written to dynamic metadata: `true` or `false`. The access logs of
    /// listeners and TCP proxies can show it. The namespace is `original_dst`, the keys are `verdict`,
    /// `method`, `destination`, `source`, `listener_address` and, for a denied connection, `rule`. A
    /// restored connection has `verdict` and `method` alone, since Envoy's own operators show the
    /// rest. To be sure of them, the module looks at each connection as closely as with a guard.
    /// Default: `false`.
    pub publish_metadata: bool,

    /// Whether what `publish_metadata` writes is written to filter state, as `original_dst.verdict`
    /// and so on. The access logs and matchers of HTTP see that, but no metadata of the connection.
    /// `true` or `false`. Default: `false`.
    pub publish_filter_state: bool,

    /// A text in front of the names of the filter's counters and gauges, with a dot: 1 to 64 characters of
    /// `A`-`Z`, `a`-`z`, `0`-`9`, `_`, `.` and `-`. Default: nothing.
    #[serde(deserialize_with = "stat_prefix")]
    #[cfg_attr(
        test,
        schemars(
            skip_serializing_if = "String::is_empty",
            regex(pattern = "^[A-Za-z0-9_.-]{1,64}$")
        )
    )]
    pub stat_prefix: String,
}

/// What becomes of an unredirected connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
pub enum UnredirectedConnections {
    /// Restore the address anyway, as the built-in filter does. An `ORIGINAL_DST` cluster then
    /// connects Envoy to itself, over and over.
    #[default]
    Restore,
    /// Leave the connection as it is.
    Ignore,
    /// Close the connection.
    Close,
}

/// What becomes of a connection for which no destination is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
pub enum UnrecoveredConnections {
    /// Leave the connection as it is, as the built-in filter does: fail open.
    #[default]
    Continue,
    /// Close the connection: fail closed.
    Close,
}

impl Config {
    /// Whether more than a counter depends on who redirected a connection.
    pub fn asks_who_redirected(&self) -> bool {
        self.unredirected_connections != UnredirectedConnections::Restore
            || self.redirect_mark.is_some()
            || self.local_destinations.is_some()
            || !self.listener_ports.is_empty()
            || matches!(self.hand_off, Some(true))
            || self.publish_metadata
            || self.publish_filter_state
    }

    /// Whether the marks of sockets tell something.
    pub fn has_marks(&self) -> bool {
        self.redirect_mark.is_some() || self.own_mark.is_some()
    }

    /// Reads the options as Envoy hands them over: nothing at all, JSON text, or the wire form of
    /// a `google.protobuf.Struct`.
    ///
    /// # Errors
    /// The first thing that is wrong, in one line.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        Self::straight(bytes)
            .map_or_else(|| Self::explained(bytes), Ok)?
            .in_itself()
    }

    /// The same options, if they go together.
    fn in_itself(self) -> Result<Self, ConfigError> {
        let takes_local = self
            .recovery_methods
            .contains(&RecoveryMethod::LocalAddress);
        match (takes_local, &self.local_destinations) {
            (true, None) => Err(ConfigError::conflict(
                "local_destinations is missing: it lists the addresses that LOCAL_ADDRESS may take",
            )),
            (false, Some(_)) => Err(ConfigError::conflict(
                "local_destinations: only LOCAL_ADDRESS takes them, and it is not among the \
                 recovery_methods",
            )),
            _ => Ok(self),
        }
    }

    /// Options in which nothing is wrong, read straight into what is kept of them: there may be
    /// many megabytes.
    fn straight(bytes: &[u8]) -> Option<Self> {
        // No bytes are an empty Struct.
        if let Ok(config) = Self::deserialize(Strict(Struct::new(bytes))) {
            return Some(config);
        }
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let config = Self::deserialize(Strict(&mut json)).ok()?;
        json.end().ok()?;
        Some(config)
    }

    /// The same options, or what is wrong: to show that, it takes the values as they are.
    fn explained(bytes: &[u8]) -> Result<Self, ConfigError> {
        let value = match Value::deserialize(Struct::new(bytes)) {
            Ok(value) => value,
            Err(_) => serde_json::from_slice(bytes)
                .map_err(|error| ConfigError::not_json(bytes, &error))?,
        };
        serde_path_to_error::deserialize(Strict(&value))
            .map_err(|error| ConfigError::new(&value, &error))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            recovery_methods: List::from([
                RecoveryMethod::SoOriginalDst,
                RecoveryMethod::Transparent,
            ]),
            unredirected_connections: UnredirectedConnections::default(),
            listener_ports: ListenerPorts::default(),
            local_destinations: None,
            redirect_mark: None,
            own_mark: None,
            unrecovered_connections: UnrecoveredConnections::default(),
            destinations: None,
            hand_off: None,
            publish_metadata: false,
            publish_filter_state: false,
            stat_prefix: String::new(),
        }
    }
}

impl Entry for RecoveryMethod {
    const EXPECTED: &str = "one of SO_ORIGINAL_DST, TRANSPARENT, LOCAL_ADDRESS";
}

fn stat_prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(is_plain) {
        Ok(text)
    } else {
        Err(de::Error::custom(
            "expected 1 to 64 characters of A-Z, a-z, 0-9, _, . and -",
        ))
    }
}
