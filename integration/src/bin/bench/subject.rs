//! What is measured.

use std::net::SocketAddr;

use lab::address::{GATEWAY_V4, UPSTREAM_V4};
use lab::module::{builtin_filter, module_filter, module_filter_with};
use lab::{Listener, bootstrap};
use serde::Serialize;
use serde_json::{Value, json};

/// An Envoy with one listener, which answers each connection with one word and closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    BuiltIn,
    BuiltInAgain,
    NoFilter,
    Empty,
    Constant,
    Asking,
    Module,
    FewRules,
    ManyRules,
    EmptyWithRules,
    Refused,
    Rbac,
    Guarded,
    GuardedWithRules,
    ListenerPorts,
    RedirectMark,
    OwnMark,
    LocalAddress,
    Metadata,
    FilterState,
}

/// The rules of [`Subject::FewRules`].
pub const FEW: u32 = 10;
/// The rules of [`Subject::ManyRules`].
pub const MANY: u32 = 100_000;

/// The rules of [`Subject::GuardedWithRules`].
pub const GUARDED: u32 = 10_000;
/// What the rules of the lab mark redirected connections with, where the module asks for it.
pub const MARK: &str = "0x1";

/// What Envoy says, unasked, before it closes.
const ANSWER: &str = "hi";

impl Subject {
    /// Those of the table. The built-in filter comes first: it is what the rest is compared to.
    pub const ALL: [Self; 12] = [
        Self::BuiltIn,
        Self::BuiltInAgain,
        Self::NoFilter,
        Self::Empty,
        Self::Constant,
        Self::Asking,
        Self::Module,
        Self::FewRules,
        Self::ManyRules,
        Self::EmptyWithRules,
        Self::Refused,
        Self::Rbac,
    ];

    /// Options one by one, to be compared to [`Subject::Module`]. What they add is too little for
    /// the processor time to show.
    pub const OPTIONS: [Self; 8] = [
        Self::Guarded,
        Self::GuardedWithRules,
        Self::ListenerPorts,
        Self::RedirectMark,
        Self::OwnMark,
        Self::LocalAddress,
        Self::Metadata,
        Self::FilterState,
    ];

    /// All that there are.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Self::OPTIONS)
    }

    /// What it is, for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in filter",
            Self::BuiltInAgain => "built-in filter, once more",
            Self::NoFilter => "no listener filter",
            Self::Empty => "a module that does nothing",
            Self::Constant => "a module that restores a constant",
            Self::Asking => "a constant one that asks and counts",
            Self::Module => "this module",
            Self::FewRules => "this module, 10 rules",
            Self::ManyRules => "this module, 100,000 rules",
            Self::EmptyWithRules => "a module that ignores 100,000 rules",
            Self::Refused => "this module, refusing",
            Self::Rbac => "built-in filter, network RBAC refusing",
            Self::Guarded => "unredirected_connections: CLOSE",
            Self::GuardedWithRules => "the same, and 10,000 rules",
            Self::ListenerPorts => "listener_ports",
            Self::RedirectMark => "redirect_mark",
            Self::OwnMark => "own_mark",
            Self::LocalAddress => "LOCAL_ADDRESS, not redirected",
            Self::Metadata => "publish_metadata",
            Self::FilterState => "publish_filter_state",
        }
    }

    /// Whether it refuses connections.
    pub fn refuses(self) -> bool {
        matches!(self, Self::Refused | Self::Rbac)
    }

    /// What a client hears.
    pub fn answer(self) -> &'static [u8] {
        if self.refuses() {
            b""
        } else {
            ANSWER.as_bytes()
        }
    }

    /// Where clients ask for it.
    pub fn asked(self) -> SocketAddr {
        match self {
            Self::LocalAddress => SocketAddr::new(GATEWAY_V4, self.listener_port()),
            _ => SocketAddr::new(UPSTREAM_V4, 8080 + self as u16),
        }
    }

    /// The port that they are redirected to.
    pub fn listener_port(self) -> u16 {
        15001 + self as u16
    }

    /// The whole config of its Envoy.
    pub fn config(self) -> Value {
        by_itself(bootstrap([self.listener()], []), 9901 + self as u16)
    }

    fn listener(self) -> Value {
        let address = format!("0.0.0.0:{}", self.listener_port());
        let listener = Listener::new(&address).field("access_log", json!([]));
        self.listener_filter()
            .into_iter()
            .fold(listener, Listener::filter)
            .chain(&self.network_filters())
    }

    fn listener_filter(self) -> Option<Value> {
        Some(match self {
            Self::NoFilter => return None,
            Self::BuiltIn | Self::BuiltInAgain | Self::Rbac => builtin_filter(),
            Self::Empty => example("empty", module_filter(None)),
            Self::Constant => example("constant", constant()),
            Self::Asking => example("asking", constant()),
            Self::Module => module_filter(None),
            Self::FewRules => module_filter(Some(rules(FEW))),
            Self::ManyRules => module_filter(Some(rules(MANY))),
            Self::EmptyWithRules => example("empty", module_filter(Some(rules(MANY)))),
            Self::Refused => module_filter(Some(deny(&["10.2.0.0/16"]))),
            Self::Guarded => module_filter(Some(guards())),
            Self::GuardedWithRules => module_filter(Some(guards_and_rules())),
            Self::ListenerPorts => {
                module_filter(Some(json!({ "listener_ports": [self.asked().port()] })))
            }
            Self::RedirectMark => module_filter(Some(json!({ "redirect_mark": MARK }))),
            Self::OwnMark => module_filter(Some(json!({ "own_mark": "0x2" }))),
            Self::LocalAddress => module_filter(Some(json!({
                "recovery_methods": ["LOCAL_ADDRESS"],
                "local_destinations": [GATEWAY_V4],
            }))),
            Self::Metadata => module_filter(Some(json!({ "publish_metadata": true }))),
            Self::FilterState => module_filter(Some(json!({ "publish_filter_state": true }))),
        })
    }

    fn network_filters(self) -> Vec<Value> {
        match self {
            // It judges the first bytes: an answer without a question would come before.
            Self::Rbac => vec![rbac(), network_filter("echo", "echo.v3.Echo", json!({}))],
            _ => vec![network_filter(
                "direct_response",
                "direct_response.v3.Config",
                json!({ "response": { "inline_string": ANSWER } }),
            )],
        }
    }
}

/// With an admin endpoint at a port of its own, and without what Envoy does every five seconds: that
/// is no connection's.
pub fn by_itself(mut config: Value, admin: u16) -> Value {
    config["admin"]["address"]["socket_address"] =
        json!({ "address": "127.0.0.1", "port_value": admin });
    config["stats_flush_interval"] = json!("240s");
    config
}

/// Network RBAC that refuses every destination of the lab.
pub fn rbac() -> Value {
    network_filter(
        "rbac",
        "rbac.v3.RBAC",
        json!({
            "stat_prefix": "rbac",
            "rules": { "action": "DENY", "policies": { "denied": {
                "permissions": [
                    { "destination_ip": { "address_prefix": "10.2.0.0", "prefix_len": 16 } },
                ],
                "principals": [{ "any": true }],
            }}},
        }),
    )
}

fn network_filter(name: &str, message: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!(
        "type.googleapis.com/envoy.extensions.filters.network.{message}"
    ));
    json!({ "name": format!("envoy.filters.network.{name}"), "typed_config": config })
}

/// One of the SDK's examples in the module's place.
pub fn example(name: &str, mut filter: Value) -> Value {
    filter["typed_config"]["dynamic_module_config"]["name"] = json!(name);
    filter
}

/// The config of the examples that restore what it says.
fn constant() -> Value {
    module_filter_with(text(&UPSTREAM_V4.to_string()))
}

/// A config that is a text.
pub fn text(value: &str) -> Option<Value> {
    let message = "type.googleapis.com/google.protobuf.StringValue";
    Some(json!({ "@type": message, "value": value }))
}

/// Closes all that nobody redirected, or that has no destination.
fn guards() -> Value {
    json!({ "unredirected_connections": "CLOSE", "unrecovered_connections": "CLOSE" })
}

/// Guards as a gateway may have them.
pub fn guards_and_rules() -> Value {
    let mut options = guards();
    options["destinations"] = rules(GUARDED)["destinations"].take();
    options
}

/// So many denied prefixes, none of which is the destination's. Each second one is left out: what
/// touches would become one range.
fn rules(count: u32) -> Value {
    let denied: Vec<String> = (0..count)
        .map(|index| {
            let [a, b, c, _] = ((11 << 24) + index * 512).to_be_bytes();
            format!("{a}.{b}.{c}.0/24")
        })
        .collect();
    deny(&denied)
}

/// Options that deny these.
pub fn deny(prefixes: &[impl Serialize]) -> Value {
    json!({ "destinations": { "deny": prefixes } })
}
