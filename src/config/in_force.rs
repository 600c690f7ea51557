//! What a configuration puts in force, in one line.

use std::fmt::{self, Display, Formatter};

use super::{Config, UnrecoveredConnections, UnredirectedConnections};
use crate::destinations::{Destinations, OnDenied};

/// The line that is logged when a configuration is loaded: the module's version, and what it guards.
pub struct InForce<'a>(pub &'a Config);

impl Display for InForce<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let config = self.0;
        write!(f, "version {} loaded", env!("CARGO_PKG_VERSION"))?;
        if !config.stat_prefix.is_empty() {
            write!(f, ", stat_prefix {}", config.stat_prefix)?;
        }
        let rules = config.destinations.as_ref();
        let count = rules.map_or(0, Destinations::rules);
        write!(f, ", {count} destination rules")?;
        match rules.map(|rules| rules.on_denied) {
            None | Some(OnDenied::Close) => {}
            Some(OnDenied::Ignore) => f.write_str(" (on_denied IGNORE)")?,
            Some(OnDenied::Audit) => f.write_str(" (on_denied AUDIT)")?,
        }
        f.write_str(match config.unredirected_connections {
            UnredirectedConnections::Restore => ", unredirected connections RESTORE",
            UnredirectedConnections::Ignore => ", unredirected connections IGNORE",
            UnredirectedConnections::Close => ", unredirected connections CLOSE",
        })?;
        f.write_str(match config.unrecovered_connections {
            UnrecoveredConnections::Continue => ", unrecovered connections CONTINUE",
            UnrecoveredConnections::Close => ", unrecovered connections CLOSE",
        })?;
        if !config.listener_ports.is_empty() {
            write!(f, ", listener_ports {}", config.listener_ports)?;
        }
        for (name, mark) in [
            ("redirect_mark", config.redirect_mark),
            ("own_mark", config.own_mark),
        ] {
            if let Some(mark) = mark {
                write!(f, ", {name} {mark}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn says_what_is_guarded() {
        let version = env!("CARGO_PKG_VERSION");
        for (options, line) in [
            (
                "{}",
                "0 destination rules, unredirected connections RESTORE, unrecovered connections \
                 CONTINUE",
            ),
            (
                r#"{ "stat_prefix": "egress", "listener_ports": [15006, 15001],
                     "unredirected_connections": "CLOSE", "unrecovered_connections": "CLOSE",
                     "redirect_mark": "0x1/0xff", "own_mark": 1337,
                     "destinations": { "allow": ["private"], "deny": ["10.0.0.1", "loopback"] } }"#,
                "stat_prefix egress, 3 destination rules, unredirected connections CLOSE, unrecovered \
                 connections CLOSE, listener_ports 15001 15006, redirect_mark 0x1/0xff, own_mark 0x539",
            ),
            (
                r#"{ "unredirected_connections": "IGNORE",
                     "destinations": { "deny": ["loopback"], "on_denied": "AUDIT" } }"#,
                "1 destination rules (on_denied AUDIT), unredirected connections IGNORE, unrecovered \
                 connections CONTINUE",
            ),
            (
                r#"{ "destinations": { "deny": ["loopback"], "on_denied": "IGNORE" } }"#,
                "1 destination rules (on_denied IGNORE), unredirected connections RESTORE, \
                 unrecovered connections CONTINUE",
            ),
        ] {
            let config = Config::parse(options.as_bytes()).unwrap();
            let line = format!("version {version} loaded, {line}");
            assert_eq!(InForce(&config).to_string(), line);
        }
    }
}
