//! What keeps Envoy from connecting to itself.

use lab::Lab;
use serde_json::Value;

use super::place::Place;
use crate::options;

/// The options of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The ports of the listeners.
    ListenerPorts,
    /// The mark that a redirecting rule would set: no connection of the table carries it.
    RedirectMark,
}

impl Guard {
    /// What it needs of the hosts. Envoy may run on either.
    pub fn set_up(self, lab: &Lab) {
        if self == Self::RedirectMark {
            for host in [&lab.gateway, &lab.upstream] {
                host.sysctl("net/ipv4/tcp_fwmark_accept", "1");
            }
        }
    }

    pub fn options(self, place: &Place) -> Value {
        let guard = match self {
            Self::ListenerPorts => {
                let ports: Vec<u16> = place.ports().collect();
                format!("listener_ports: {ports:?}")
            }
            Self::RedirectMark => "redirect_mark: '0x1'".to_owned(),
        };
        options(&format!("{{ unredirected_connections: CLOSE, {guard} }}"))
    }
}
