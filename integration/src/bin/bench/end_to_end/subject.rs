//! What is measured from end to end.

use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::config::{ORIGINAL_DST, limited, static_cluster};
use lab::module::{builtin_filter, module_filter};
use lab::{Listener, bootstrap};
use serde::Serialize;
use serde_json::{Value, json};

use super::client::Kind;
use crate::subject::{by_itself, deny, guards_and_rules, rbac};

/// An Envoy, by the filter of its listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    BuiltIn,
    BuiltInAgain,
    NoFilter,
    Module,
    Guarded,
    Metadata,
    Rbac,
    Refusing,
}

/// The cluster of a fixed endpoint.
const FIXED: &str = "fixed";
/// More connections than there are.
const NO_LIMIT: u64 = 100_000;

impl Subject {
    /// All of them, those that pass connections on first.
    pub const ALL: [Self; 8] = [
        Self::BuiltIn,
        Self::BuiltInAgain,
        Self::NoFilter,
        Self::Module,
        Self::Guarded,
        Self::Metadata,
        Self::Rbac,
        Self::Refusing,
    ];

    /// Those that pass connections on.
    pub fn passing() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|subject| !subject.refuses())
    }

    /// What it is, for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in filter",
            Self::BuiltInAgain => "built-in filter, once more",
            Self::NoFilter => "no listener filter, static cluster",
            Self::Module => "this module",
            Self::Guarded => "this module, guards, 10,000 rules",
            Self::Metadata => "this module, publish_metadata",
            Self::Rbac => "built-in filter, network RBAC refusing",
            Self::Refusing => "this module, refusing",
        }
    }

    /// Whether it refuses connections.
    pub fn refuses(self) -> bool {
        matches!(self, Self::Rbac | Self::Refusing)
    }

    /// What can be exchanged with it.
    pub fn kinds(self) -> &'static [Kind] {
        match self.refuses() {
            true => &[Kind::Refused],
            false => &Kind::ANSWERED,
        }
    }

    /// What it is compared to.
    pub fn reference(self) -> Self {
        match self.refuses() {
            true => Self::Rbac,
            false => Self::BuiltIn,
        }
    }

    /// The config of an Envoy that listens at `ports`: the first is that of TCP, the second that of
    /// HTTP. Clients ask for the same port of the origin.
    pub fn config(self, ports: u16, admin: u16) -> Value {
        let address = |port| format!("0.0.0.0:{port}");
        let cluster = match self {
            Self::NoFilter => FIXED,
            _ => ORIGINAL_DST,
        };
        let listener = |port| {
            let listener = Listener::new(&address(port)).cluster(cluster);
            let filter = self.listener_filter().into_iter();
            filter.fold(listener, Listener::filter)
        };
        let tcp = match self {
            // As a policy would be: in front of the proxy.
            Self::Rbac => {
                let mut tcp = listener(ports).tcp();
                let filters = tcp["filter_chains"][0]["filters"].as_array_mut();
                filters.expect("a list").insert(0, rbac());
                tcp
            }
            _ => listener(ports).tcp(),
        };
        let fixed = static_cluster(FIXED, SocketAddr::new(UPSTREAM_V4, ports));
        let mut config = bootstrap([tcp, listener(ports + 1).http()], [fixed]);
        let resources = &mut config["static_resources"];
        for cluster in resources["clusters"].as_array_mut().expect("a list") {
            *cluster = limited(cluster.take(), NO_LIMIT);
        }
        for listener in resources["listeners"].as_array_mut().expect("a list") {
            no_access_logs(listener);
        }
        by_itself(config, admin)
    }

    fn listener_filter(self) -> Option<Value> {
        Some(match self {
            Self::NoFilter => return None,
            Self::BuiltIn | Self::BuiltInAgain | Self::Rbac => builtin_filter(),
            Self::Module => module_filter(None),
            Self::Guarded => module_filter(Some(guards_and_rules())),
            Self::Metadata => module_filter(Some(json!({ "publish_metadata": true }))),
            Self::Refusing => module_filter(Some(deny(&["10.2.0.0/16"]))),
        })
    }
}

/// Those of the lab say much more than anybody's.
fn no_access_logs(listener: &mut Value) {
    listener["access_log"] = json!([]);
    for filter in listener["filter_chains"][0]["filters"]
        .as_array_mut()
        .expect("a list")
    {
        let config = filter["typed_config"].as_object_mut().expect("a config");
        config.remove("access_log");
    }
}
