//! The listeners.

use lab::address::UPSTREAM_V4;
use lab::config::static_cluster;
use lab::module::{builtin_filter, module_filter};
use lab::{Listener, SetFilterState, Tunnel, Watched};
use serde_json::{Value, json};

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
/// Those whose filter comes from a file of its own (ECDS). Envoy's own filter has nothing to change.
const DISCOVERED: [u16; 3] = [REDIRECT, CLOSING, METADATA];
/// All listeners count in one scope, so that the keeper's counters are those of all.
const STAT_PREFIX: &str = "soak";
/// What the names of their stats begin with.
pub const SCOPE: &str = "listener.soak.";
/// After so many updates the guest has come and gone, and every listener was changed twice.
pub const ROUND: u32 = 4;

/// The clusters that listeners lead to, besides that of the restored address.
pub fn clusters() -> [Value; 3] {
    [
        Tunnel::new()
            .host_metadata(json!({ "local": "10.2.0.2:8080" }))
            .cluster("metadata", "metadata"),
        Tunnel::new().cluster("filter_state", "filter_state"),
        static_cluster("fixed", (UPSTREAM_V4, FIXED).into()),
    ]
}

/// All listeners, as they are after so many updates.
pub fn listeners(is_builtin: bool, updates: u32, watched: &Watched) -> Vec<Value> {
    let ports = ALL
        .iter()
        .filter(|port| **port != GUEST || guest_is_there(updates));
    let listeners = ports.flat_map(|port| {
        let variant = variant(*port, updates);
        if is_builtin {
            return listeners_of(*port, builtin_filter(), variant);
        }
        let filter = filter(*port, variant);
        match DISCOVERED.contains(port) {
            // Its listener stays as it is.
            true => listeners_of(*port, watched.discovered(&filters_file(*port), &filter), 0),
            false => listeners_of(*port, filter, variant),
        }
    });
    let keeper = (!is_builtin).then(keeper);
    listeners.chain(keeper).map(finish).collect()
}

/// The filters in files of their own, as they are after so many updates, by the names of the files.
pub fn discovered(updates: u32) -> [(String, Value); DISCOVERED.len()] {
    DISCOVERED.map(|port| (filters_file(port), filter(port, variant(port, updates))))
}

fn filters_file(port: u16) -> String {
    format!("{port}.json")
}

/// Each update changes every other listener, or its filter.
fn variant(port: u16, updates: u32) -> u32 {
    let index = ALL.iter().position(|other| *other == port);
    let index = u32::try_from(index.expect("one of them")).expect("a small number");
    (updates + index) / 2 % 2
}

/// In the scope of all, and without access logs: they would fill the disk.
fn finish(mut listener: Value) -> Value {
    listener["stat_prefix"] = json!(STAT_PREFIX);
    listener["access_log"] = json!([]);
    let filters = listener["filter_chains"][0]["filters"].as_array_mut();
    // The TCP proxy is the last one of the chain.
    let proxy = filters.and_then(|filters| filters.last_mut());
    proxy.expect("a finished listener")["typed_config"]["access_log"] = json!([]);
    listener
}

/// Whether the guest is there after so many updates.
pub fn guest_is_there(updates: u32) -> bool {
    (updates + 1) % ROUND >= ROUND / 2
}

/// The listener with the filter on this port, in one of its two variants, and others that
/// belong to it.
fn listeners_of(port: u16, filter: Value, variant: u32) -> Vec<Value> {
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

/// The module for a listener, in one of its two variants.
fn filter(port: u16, variant: u32) -> Value {
    let mut filter = module_filter(Some(options(port, variant)));
    // Its own name, as filters that are fetched have to have.
    filter["name"] = json!(format!("original_dst_{port}"));
    filter
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
