//! Listeners that come, change and go by file (LDS).

use std::fs;
use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::{library, module_filter};
use lab::{Envoy, Lab, Listener, Load, To, Upstream, Version, Watched, bootstrap, eventually};
use serde_json::{Value, json};

use crate::in_every_version;

/// The listener that stays: its port, and that of the upstream.
const STAYS: (u16, u16) = (15001, 8080);
/// The listener that changes.
const CHANGES: (u16, u16) = (15002, 8081);
const UPDATES: u64 = 200;
const LISTENERS: &str = "lds.json";
const LIBRARY: &str = "liboriginal_dst.so";

/// A directory that Envoy reads its listeners and the library from.
struct Lds(Watched);

impl Lds {
    fn new() -> Self {
        let lds = Self(Watched::new());
        lds.write(0, &[]);
        lds.0
            .put(LIBRARY, fs::read(library()).expect("the library"));
        lds
    }

    /// Puts these listeners in place of those before.
    fn write(&self, version: u64, listeners: &[Value]) {
        self.0.put_listeners(LISTENERS, version, listeners);
    }

    fn start(&self, lab: &Lab, version: Version, listeners: Vec<Value>) -> Envoy {
        let config = self.0.with_listeners(bootstrap(listeners, []), LISTENERS);
        Envoy::builder(&lab.gateway, version)
            .config(config)
            .log_level("warn")
            .module_log_level("info")
            .modules(self.0.path())
            // Listeners that are replaced stay for as long.
            .argument("--drain-time-s")
            .argument("1")
            .start()
    }
}

/// A listener with the module and these options.
fn listener(port: u16, options: Value) -> Value {
    Listener::new(&format!("0.0.0.0:{port}"))
        .filter(module_filter(Some(options)))
        .tcp()
}

/// The one that changes: every other time it refuses what it is asked for.
fn changing(update: u64) -> Value {
    let mut options = json!({ "stat_prefix": format!("update_{}", update % 7) });
    if refuses(update) {
        options["destinations"] = json!({ "deny": ["10.2.0.0/16"] });
    }
    listener(CHANGES.0, options)
}

fn refuses(update: u64) -> bool {
    update % 2 == 1
}

/// Every tenth time there is none.
fn is_there(update: u64) -> bool {
    update % 10 != 9
}

fn stat(envoy: &Envoy, name: &str) -> u64 {
    envoy.stat(&format!("listener_manager.{name}")).unwrap_or(0)
}

fn lab() -> (Lab, Upstream) {
    let lab = Lab::new();
    for (listener, port) in [STAYS, CHANGES] {
        lab.gateway.redirect(To::Port(port), listener);
    }
    let upstream = Upstream::start(&lab.upstream, &[STAYS.1, CHANGES.1]);
    (lab, upstream)
}

#[test]
fn updates_touch_no_other_listener() {
    in_every_version(|version| {
        let (lab, _upstream) = lab();
        let lds = Lds::new();
        let stays = vec![listener(STAYS.0, json!({}))];
        let mut envoy = lds.start(&lab, version, stays);
        let load = Load::start(&lab.client, 2, &[SocketAddr::new(UPSTREAM_V4, STAYS.1)]);
        for update in 1..=UPDATES {
            let accepted = stat(&envoy, "lds.update_success");
            let listeners = if is_there(update) {
                vec![changing(update)]
            } else {
                Vec::new()
            };
            lds.write(update, &listeners);
            eventually("an update", || {
                stat(&envoy, "lds.update_success") > accepted
            });
            if is_there(update) {
                eventually("the new listener", || {
                    let answer = tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, CHANGES.1));
                    match answer {
                        Ok(answer) => {
                            assert_eq!(answer.reached.local.port(), CHANGES.1, "{version}");
                            !refuses(update)
                        }
                        Err(_) => refuses(update),
                    }
                });
            }
        }
        let rejected = stat(&envoy, "lds.update_rejected");
        lds.write(
            0,
            &[listener(
                CHANGES.0,
                json!({ "unredirected_connections": "NONSENSE" }),
            )],
        );
        eventually("a refusal", || {
            stat(&envoy, "lds.update_rejected") > rejected
        });
        envoy.wait_log("why it is refused", |line| {
            line.contains("unredirected_connections: \"NONSENSE\": expected one of")
        });
        let tally = load.stop();
        assert!(tally.answered > UPDATES, "{version}: {tally:?}");
        assert!(tally.wrong.is_empty(), "{version}: {tally:?}");
        assert!(tally.failed.is_empty(), "{version}: {tally:?}");
        let stays = format!("listener.0.0.0.0_{}.", STAYS.0);
        let restored = envoy.stats().into_iter().find(|(name, _)| {
            name.starts_with(&stays) && name.ends_with(".original_dst.restored_redirect")
        });
        assert_eq!(
            restored.expect("its counter").1,
            tally.answered,
            "{version}"
        );
        assert!(envoy.is_alive(), "{version}");
        assert!(envoy.stop().success(), "{version}");
    });
}

/// Whether the library is mapped into Envoy.
fn is_mapped(envoy: &Envoy) -> bool {
    let maps = fs::read_to_string(format!("/proc/{}/maps", envoy.pid()));
    maps.expect("our own child").contains(LIBRARY)
}

/// With its last listener, Envoy lets go of the library, and maps it anew for the next: what is then in
/// its place.
#[test]
fn the_library_comes_and_goes() {
    in_every_version(|version| {
        let (lab, _upstream) = lab();
        let lds = Lds::new();
        let mut envoy = lds.start(&lab, version, Vec::new());
        for round in 0..10 {
            assert!(!is_mapped(&envoy), "{version}, {round}");
            lds.write(2 * round + 1, &[changing(0)]);
            eventually("the listener", || {
                let answer = tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, CHANGES.1));
                answer.is_ok_and(|answer| answer.reached.local.port() == CHANGES.1)
                    && is_mapped(&envoy)
            });
            lds.write(2 * round + 2, &[]);
            eventually("the library to be unmapped", || !is_mapped(&envoy));
        }
        lds.0.put(LIBRARY, "no library");
        lds.write(100, &[changing(0)]);
        eventually("a refusal", || stat(&envoy, "lds.update_rejected") == 1);
        assert!(envoy.is_alive(), "{version}");
        assert!(envoy.stop().success(), "{version}");
    });
}
