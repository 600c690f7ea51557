//! The listeners, and their updates while traffic runs.

use std::fs;
use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

use lab::address::UPSTREAM_V4;
use lab::config::static_cluster;
use lab::module::{builtin_filter, library, module_filter};
use lab::{
    Envoy, Lab, Listener, SetFilterState, Tunnel, Version, bootstrap, with_internal_listeners,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kinds::*;

const ALL: [u16; 9] = [
    REDIRECT,
    TPROXY,
    CLOSING,
    IGNORING,
    UNTRACKED,
    METADATA,
    FILTER_STATE,
    HAND_OFF,
    GUEST,
];
/// All listeners count in one scope, so that the keeper's counters are those of all.
const STAT_PREFIX: &str = "soak";
/// What the names of their stats begin with.
pub const SCOPE: &str = "listener.soak.";
/// After so many updates the guest has come and gone, and every listener was changed twice.
pub const ROUND: u32 = 4;

/// Envoy's listeners as they are after some updates.
pub struct Site {
    is_builtin: bool,
    directory: TempDir,
    updates: u32,
}

impl Site {
    pub fn new(is_builtin: bool) -> Self {
        let site = Self {
            is_builtin,
            directory: tempfile::tempdir().expect("a temporary directory"),
            updates: 0,
        };
        site.write(0);
        site
    }

    pub fn start(&self, lab: &Lab, version: Version) -> Envoy {
        let tunnels = [
            Tunnel::new()
                .host_metadata(json!({ "local": "10.2.0.2:8080" }))
                .cluster("metadata", "metadata"),
            Tunnel::new().cluster("filter_state", "filter_state"),
            static_cluster("fixed", (UPSTREAM_V4, FIXED).into()),
        ];
        // The lab does not see that the listeners, in a file of their own, need it.
        let library = library();
        let mut config = with_internal_listeners(bootstrap([], tunnels));
        config["node"] = json!({ "id": "soak", "cluster": "soak" });
        config["dynamic_resources"] =
            json!({ "lds_config": { "path_config_source": { "path": self.file("lds.json") } } });
        Envoy::builder(&lab.gateway, version)
            .config(config)
            .concurrency(2)
            .log_level("warn")
            .module_log_level("info")
            .modules(library.parent().expect("target/release"))
            // Replaced listeners stay for as long.
            .argument("--drain-time-s")
            .argument("5")
            .start()
    }

    pub fn updates(&self) -> u32 {
        self.updates
    }

    /// Goes to the next update. `guest` says whether the guest is there; each of its connections
    /// holds this for reading, so that none is under way while the guest comes or goes.
    pub fn update(&mut self, lab: &Lab, envoy: &Envoy, guest: &RwLock<bool>) {
        let next = self.updates + 1;
        let (was_there, is_there) = (guest_is_there(self.updates), guest_is_there(next));
        let gate = (was_there != is_there).then(|| guest.write().expect("no panic"));
        let accepted = update_success(envoy);
        self.write(next);
        wait("an accepted update", || update_success(envoy) > accepted);
        if let Some(mut gate) = gate {
            let listeners = format!("ss -Hltn sport = :{GUEST}");
            wait("the guest", || {
                lab.gateway.sh(&listeners).is_empty() != is_there
            });
            *gate = is_there;
        }
        self.updates = next;
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the listeners as they are after so many updates, in one move: Envoy watches.
    fn write(&self, updates: u32) {
        let mut resources: Vec<Value> = (0..)
            .zip(ALL)
            .filter(|(_, port)| *port != GUEST || guest_is_there(updates))
            // Each update changes every other listener.
            .flat_map(|(index, port)| self.listeners(port, (updates + index) / 2 % 2))
            .collect();
        if !self.is_builtin {
            resources.push(keeper());
        }
        for listener in &mut resources {
            listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
            listener["stat_prefix"] = json!(STAT_PREFIX);
            listener["access_log"] = json!([]);
            for filter in listener["filter_chains"][0]["filters"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                if filter["name"] == "envoy.filters.network.tcp_proxy" {
                    filter["typed_config"]["access_log"] = json!([]);
                }
            }
        }
        let text = json!({ "version_info": updates.to_string(), "resources": resources });
        fs::write(self.file("next.json"), text.to_string()).expect("write the listeners");
        fs::rename(self.file("next.json"), self.file("lds.json")).expect("move the file");
    }

    /// The listener with the filter on this port, in one of its two variants, and others that
    /// belong to it.
    fn listeners(&self, port: u16, variant: u32) -> Vec<Value> {
        let filter = match self.is_builtin {
            true => builtin_filter(),
            false => module_filter(Some(options(port, variant))),
        };
        let outer = || Listener::new(&format!("[::]:{port}")).ipv4_compat();
        let timeout = json!(["15s", "16s"][variant as usize]);
        let with = |listener: Listener| {
            listener
                .filter(filter.clone())
                .field("listener_filters_timeout", timeout.clone())
        };
        match port {
            TPROXY => vec![with(outer()).transparent().tcp()],
            IGNORING | UNTRACKED => vec![with(outer()).cluster("fixed").tcp()],
            METADATA => vec![
                with(Listener::internal("metadata")).tcp(),
                outer().cluster("metadata").tcp(),
            ],
            FILTER_STATE => {
                let key = |name| format!("envoy.filters.listener.original_dst.{name}");
                let state = SetFilterState::default()
                    .set(&key("local_ip"), "envoy.string", "[fd02::2]:8080")
                    .set(
                        &key("source_ip"),
                        "envoy.string",
                        "%DOWNSTREAM_REMOTE_ADDRESS%",
                    );
                vec![
                    with(Listener::internal("filter_state")).tcp(),
                    state.in_front(outer().cluster("filter_state").tcp()),
                ]
            }
            HAND_OFF => {
                let target = Listener::new(&format!("0.0.0.0:{HANDED_OFF}"))
                    .field("bind_to_port", json!(false))
                    .cluster("fixed");
                vec![with(outer()).tcp(), target.tcp()]
            }
            _ => vec![with(outer()).tcp()],
        }
    }
}

/// What a listener counts under, in each of its variants.
pub fn stat_prefix(port: u16, variant: u32) -> String {
    format!("{port}_{variant}")
}

/// The options of a listener. The two variants differ in what they say, not in what becomes of
/// connections.
fn options(port: u16, variant: u32) -> Value {
    let mut options = match (port, variant) {
        (REDIRECT, 0) => {
            json!({ "destinations": { "deny": ["198.51.100.0/24", "2001:db8::/32"] } })
        }
        (REDIRECT, _) => json!({ "destinations": { "allow": ["private"] } }),
        (TPROXY, 0) => json!({ "recovery_methods": ["TRANSPARENT"] }),
        (TPROXY, _) => json!({ "listener_ports": [TPROXY], "unredirected_connections": "CLOSE" }),
        (IGNORING, _) => json!({ "unredirected_connections": "IGNORE" }),
        (CLOSING, _) => json!({ "unredirected_connections": "CLOSE" }),
        (HAND_OFF, _) => json!({ "hand_off": true }),
        _ => json!({}),
    };
    options["publish_metadata"] = json!(variant == 1);
    options["stat_prefix"] = json!(stat_prefix(port, variant));
    options
}

/// A listener without connections that has the counters of all others. Envoy drops a counter with
/// the last listener that has it.
fn keeper() -> Value {
    let filters = ALL
        .into_iter()
        .flat_map(|port| [0, 1].map(|variant| (port, variant)));
    filters
        .fold(
            Listener::new("127.0.0.1:15000"),
            |listener, (port, variant)| {
                listener.filter(module_filter(Some(options(port, variant))))
            },
        )
        .tcp()
}

fn guest_is_there(updates: u32) -> bool {
    (updates + 1) % ROUND >= ROUND / 2
}

fn update_success(envoy: &Envoy) -> u64 {
    assert_eq!(envoy.stat("listener_manager.lds.update_rejected"), Some(0));
    envoy
        .stat("listener_manager.lds.update_success")
        .unwrap_or(0)
}

/// Waits for what Envoy does by itself.
pub fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
