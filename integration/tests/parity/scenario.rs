//! One scenario: a row of the table.
//!
//! Addresses are written with two letters for ports: `D` is the port that the scenario's clients
//! ask for, `L` the one that its listener is bound to. No two scenarios share them, so that many
//! are served by one Envoy under one set of rules, and each log entry tells whose it is.

use std::ops::RangeInclusive;

use lab::kernel::Feature;
use lab::{Listener, Version};
use serde_json::Value;

use crate::rules::Rules;
use crate::site::{Kind, Site};
use crate::traffic::Ask;

/// A change of one value of a config, for what only one scenario needs.
pub type Edit = fn(&mut Value, &Site);

/// What is done, and what is to be seen.
#[derive(Clone)]
pub struct Scenario {
    /// What is special about it.
    pub name: String,
    /// The Envoys that it runs in.
    pub versions: RangeInclusive<Version>,
    /// What it needs that not every kernel has.
    pub needs: Option<Feature>,
    /// Which other scenarios it shares an Envoy with.
    pub bench: Bench,
    /// How its connections get to the listener.
    pub rules: Vec<Rules>,
    /// How the listener is made.
    pub listen: Listen,
    /// What is asked, one after the other.
    pub asks: Vec<Ask>,
    /// What both filters are to answer.
    pub expected: Expected,
    /// What the module is to answer instead, and why it differs on purpose.
    pub differs: Option<(Expected, &'static str)>,
    /// What is to be seen with no filter at all.
    pub without: Without,
    /// A counter of the module that is to count every ask.
    pub counter: Option<&'static str>,
}

/// Where a scenario runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bench {
    /// With the others, in a namespace whose connections are tracked.
    Shared,
    /// With the others, in a namespace that has no rule which would track connections.
    Untracked,
    /// In an Envoy of its own, which it may end.
    Alone,
}

/// How a listener is made.
#[derive(Clone)]
pub struct Listen {
    /// Its address, without the port.
    pub ip: String,
    /// Whether HTTP is spoken, not plain TCP.
    pub http: bool,
    /// Whether it forwards to a fixed upstream, not to the restored address.
    pub fixed: bool,
    /// The filter under test.
    pub own: Own,
    /// Listener filters in front of it.
    pub before: Vec<Value>,
    /// Listener filters behind it.
    pub after: Vec<Value>,
    /// Other properties of the listener, in order.
    pub with: Vec<fn(Listener) -> Listener>,
    /// Changes of the filter under test.
    pub edit_filter: Option<Edit>,
    /// Changes of the finished listener.
    pub edit: Option<Edit>,
    /// How its connections get to it through an internal listener.
    pub tunnel: Option<Passenger>,
    /// Listeners that are not bound, by their addresses.
    pub unbound: Vec<&'static str>,
}

/// How the filter under test is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// Once.
    Once,
    /// Two in a row.
    Twice,
    /// Once, and it hands connections over to the listener of the restored address.
    HandOff,
    /// As `HandOff`; Envoy adds its own filter by itself.
    ImpliedHandOff,
    /// Delivered by ECDS.
    Discovered,
}

/// What travels to an internal listener.
#[derive(Clone, Debug, Default)]
pub struct Passenger {
    /// Metadata of the endpoint and of the cluster, in the order in which they are listed.
    pub metadata: Vec<(Holder, Value)>,
    /// Filter state: key, factory, text.
    pub state: Vec<(&'static str, &'static str, String)>,
    /// Whether the tunnel cannot carry any of it.
    pub is_plain: bool,
}

/// Whose metadata it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The tunnel's endpoint.
    Host,
    /// The tunnel's cluster.
    Cluster,
}

/// What is to be seen. `=` stands for the address that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The local address in the access log.
    pub local: String,
    /// The remote address in the access log, its port as `*` if the kernel chose it; if not said,
    /// that of the one who asks.
    pub remote: Option<String>,
    /// The address at which the upstream was reached.
    pub upstream: Option<String>,
    /// The listener that proxied the connection; if not said, the one of the scenario.
    pub listener: Option<&'static str>,
    /// How many connections that listener proxied for each ask: the client's, and Envoy's own from
    /// the restored address.
    pub connections: usize,
    /// Whether Envoy is to die of it.
    pub dies: bool,
}

/// What is to be seen with no filter at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// The upstream is not reached, because nothing was restored.
    Fails,
    /// The upstream is reached, but the local address is not the one that the filter restores.
    NotRestored,
    /// The upstream is not reached, for another reason than that nothing was restored.
    Unreached,
    /// The upstream is reached, which the filter prevents.
    Reached,
    /// The same as with the filter: it leaves such connections alone, or restores what they have.
    Same,
}

impl Scenario {
    /// What a filter is to answer.
    pub fn expected_of(&self, kind: Kind) -> &Expected {
        match (&self.differs, kind) {
            (Some((expected, _)), Kind::Module) => expected,
            _ => &self.expected,
        }
    }
}

impl Expected {
    /// Restored to `local` and reached at `upstream`.
    pub fn new(local: &str, upstream: Option<&str>) -> Self {
        Self {
            local: local.to_owned(),
            remote: None,
            upstream: upstream.map(str::to_owned),
            listener: None,
            connections: 1,
            dies: false,
        }
    }
}
