//! The ways by which a connection comes to a proxy that it was not made to.

use lab::access_log::{self, Source};
use lab::client::tcp_ask;
use lab::config::{load, with_access_log, without_original_dst};
use lab::{Envoy, Lab, Netns, To, Version};
use serde_json::Value;

/// Where the upstream listens.
pub const PORT: u16 = 8080;
const LISTENER: u16 = 15001;

/// One way, and what should be seen of it.
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// The file of `envoy-configs/` that is for it.
    config: &'static str,
    /// The listener that has the module.
    listener: &'static str,
    /// Sets the iptables rules of the gateway.
    set_rules: fn(&Netns),
    /// The address that the client connects to.
    connects_to: &'static str,
    /// The address that the client asks for: the same, or the one in the metadata.
    pub asked_for: &'static str,
    /// Where Envoy takes the connection.
    pub accepted_at: &'static str,
    /// The upstream's answer.
    pub answer: &'static str,
    /// The module's counter.
    pub counter: &'static str,
}

/// All of them; each becomes a row of the table.
pub const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "REDIRECT IPv4",
        config: "redirect.yaml",
        listener: "redirect",
        set_rules: |gateway| gateway.redirect(To::Port(PORT), LISTENER),
        connects_to: "10.2.0.2:8080",
        asked_for: "10.2.0.2:8080",
        accepted_at: "10.1.0.1:15001",
        answer: "10.2.0.2:8080 by 10.2.0.1",
        counter: "original_dst.restored_redirect",
    },
    Scenario {
        name: "REDIRECT IPv6",
        config: "dual-stack.yaml",
        listener: "dual_stack",
        set_rules: |gateway| gateway.redirect(To::Port(PORT), LISTENER),
        connects_to: "[fd02::2]:8080",
        asked_for: "[fd02::2]:8080",
        accepted_at: "[fd01::1]:15001",
        answer: "[fd02::2]:8080 by fd02::1",
        counter: "original_dst.restored_redirect",
    },
    Scenario {
        name: "TPROXY IPv4",
        config: "tproxy.yaml",
        listener: "tproxy_ipv4",
        set_rules: |gateway| gateway.tproxy(To::Port(PORT), LISTENER),
        connects_to: "10.2.0.2:8080",
        asked_for: "10.2.0.2:8080",
        accepted_at: "10.2.0.2:8080",
        answer: "10.2.0.2:8080 by 10.2.0.1",
        counter: "original_dst.restored_transparent",
    },
    Scenario {
        name: "TPROXY IPv6",
        config: "tproxy.yaml",
        listener: "tproxy_ipv6",
        set_rules: |gateway| gateway.tproxy(To::Port(PORT), LISTENER),
        connects_to: "[fd02::2]:8080",
        asked_for: "[fd02::2]:8080",
        accepted_at: "[fd02::2]:8080",
        answer: "[fd02::2]:8080 by fd02::1",
        counter: "original_dst.restored_transparent",
    },
    Scenario {
        name: "internal",
        config: "internal-listener.yaml",
        listener: "inner",
        set_rules: |_| {},
        connects_to: "10.1.0.1:15006",
        asked_for: "10.2.0.2:8080",
        accepted_at: "envoy://inner/",
        answer: "10.2.0.2:8080 by 10.2.0.1",
        counter: "original_dst.restored_metadata",
    },
];

/// What was seen of one connection.
pub struct Seen {
    /// Where Envoy took it, by the access log.
    pub accepted_at: String,
    /// Its local address after the listener filters, by the access log.
    pub restored: String,
    /// The upstream's answer, or what the client got instead.
    pub answer: String,
    /// The counter that moved, with its full name; none without the module.
    pub counted: Option<(String, u64)>,
    /// What the module logged; none without the module.
    pub logged: Option<String>,
}

impl Scenario {
    /// Makes one connection, through an Envoy of its own with the scenario's config.
    pub fn run(&self, lab: &Lab, version: Version) -> Seen {
        self.observe(lab, version, load(self.config))
    }

    /// As [`Scenario::run`], but without the module in the config.
    pub fn run_without_module(&self, lab: &Lab, version: Version) -> Seen {
        self.observe(lab, version, without_original_dst(load(self.config)))
    }

    fn observe(&self, lab: &Lab, version: Version, config: Value) -> Seen {
        lab.gateway.flush();
        (self.set_rules)(&lab.gateway);
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(with_access_log(config))
            .start();
        let address = self.connects_to.parse().expect("an address");
        let answered = tcp_ask(&lab.client, address);
        let log = envoy.wait_access_log(|log| self.entry(log).is_some());
        let entry = self.entry(&log).expect("waited for");
        let field = |name: &str| entry[name].as_str().unwrap_or("nothing").to_owned();
        let answer = match answered {
            Ok(answer) => format!("{} by {}", answer.reached.local, answer.reached.peer.ip()),
            Err(failure) if failure.is_closed() => format!("closed ({})", field("response_flags")),
            Err(failure) => failure.to_string(),
        };
        Seen {
            accepted_at: field("downstream_direct_local_address"),
            restored: field("downstream_local_address"),
            answer,
            counted: envoy
                .stats()
                .into_iter()
                .find(|(name, n)| *n > 0 && name.ends_with(self.counter)),
            logged: envoy.log().lines().rev().find_map(|line| {
                line.split_once(" original_dst: ")
                    .map(|(_, words)| words.to_owned())
            }),
        }
    }

    /// The entry of the access log that the TCP proxy of the listener wrote.
    fn entry<'a>(&self, log: &'a [Value]) -> Option<&'a Value> {
        let entries = access_log::of(log, Source::Tcp);
        entries
            .into_iter()
            .find(|entry| entry["listener"] == self.listener)
    }
}
