//! An Envoy whose rules change, every other time to the contrary.

use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::{library, module_filter};
use lab::{
    Answer, Envoy, Failure, Lab, Listener, To, Upstream, Version, Watched, bootstrap, eventually,
    with_node,
};
use serde_json::{Value, json};

pub const LISTENER: u16 = 15001;
pub const PORT: u16 = 8080;
pub const ASKED: SocketAddr = SocketAddr::new(UPSTREAM_V4, PORT);
pub const RULES: &str = "rules.json";
const LISTENERS: &str = "listeners.json";
/// What the names of the filter's own stats begin with.
pub const DISCOVERY: &str = "extension_config_discovery.tcp_listener_filter.original_dst";

/// What an update changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The filter.
    Ecds,
    /// The listener that it is in.
    Lds,
}

/// An Envoy whose rules change.
pub struct Site {
    by: By,
    pub lab: Lab,
    _upstream: Upstream,
    watched: Watched,
    pub envoy: Envoy,
    updates: u64,
}

impl Site {
    /// An Envoy with these options of the module. Rules redirect to it.
    pub fn start(version: Version, by: By, options: Value) -> Self {
        let watched = Watched::new();
        put(&watched, by, 0, options);
        let config = match by {
            By::Ecds => {
                let filter = watched.discovered(RULES, &filter(json!({})));
                with_node(bootstrap([listener(filter)], []))
            }
            By::Lds => watched.with_listeners(bootstrap([], []), LISTENERS),
        };
        let lab = Lab::new();
        lab.gateway.redirect(To::Port(PORT), LISTENER);
        let upstream = Upstream::start(&lab.upstream, &[PORT]);
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(config)
            .concurrency(2)
            .log_level("warn")
            .module_log_level("info")
            .modules(library().parent().expect("a directory"))
            // Listeners that are replaced stay for as long.
            .argument("--drain-time-s")
            .argument("1")
            .start();
        Self {
            by,
            lab,
            _upstream: upstream,
            watched,
            envoy,
            updates: 0,
        }
    }

    pub fn put(&mut self, options: Value) {
        self.updates += 1;
        put(&self.watched, self.by, self.updates, options);
    }

    /// Goes over to these options, and waits until Envoy says that it has.
    pub fn update(&mut self, options: Value) {
        let counter = match self.by {
            By::Ecds => format!("{DISCOVERY}.config_reload"),
            By::Lds => "listener_manager.lds.update_success".to_owned(),
        };
        let count = |envoy: &Envoy| envoy.stat(&counter).unwrap_or(0);
        let before = count(&self.envoy);
        self.put(options);
        eventually("an update", || count(&self.envoy) > before);
    }

    pub fn ask(&self) -> Result<Answer, Failure> {
        tcp_ask(&self.lab.client, ASKED)
    }

    pub fn stat(&self, name: &str) -> u64 {
        self.envoy.stat_sum(name).unwrap_or(0)
    }

    /// Whether a listener that was replaced is still there.
    pub fn drains(&self) -> bool {
        self.envoy.stat("listener_manager.total_listeners_draining") != Some(0)
    }

    /// The version that Envoy names as the one in force.
    pub fn version_text(&self) -> String {
        let path = format!("/stats?filter={DISCOVERY}.version_text");
        let text = self.envoy.admin(&path);
        let quoted = text.split('"').nth(1);
        quoted.expect("a version in quotes").to_owned()
    }
}

fn put(watched: &Watched, by: By, version: u64, options: Value) {
    let filter = filter(options);
    match by {
        By::Ecds => watched.put_filter(RULES, version, &filter),
        By::Lds => watched.put_listeners(LISTENERS, version, &[listener(filter)]),
    }
}

pub fn filter(options: Value) -> Value {
    let mut filter = module_filter(Some(options));
    filter["name"] = json!("original_dst");
    filter
}

pub fn listener(filter: Value) -> Value {
    Listener::new(&format!("[::]:{LISTENER}"))
        .ipv4_compat()
        .filter(filter)
        .tcp()
}

/// Every other time what clients ask for is denied.
pub fn flip(update: u64) -> Value {
    let denied = if refuses(update) {
        "10.2.0.0/16"
    } else {
        "198.51.100.0/24"
    };
    json!({ "destinations": { "deny": [denied] } })
}

pub fn refuses(update: u64) -> bool {
    update % 2 == 1
}

/// Whether a connection met the rules of this update.
pub fn is_as_wanted(answer: Result<Answer, Failure>, update: u64) -> bool {
    match answer {
        Ok(answer) => !refuses(update) && answer.reached.local == ASKED,
        Err(failure) => refuses(update) && failure.is_closed(),
    }
}
