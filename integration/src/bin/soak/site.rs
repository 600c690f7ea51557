//! Envoy, and the updates of its listeners while traffic runs.

use std::sync::RwLock;

use lab::{Envoy, Lab, Version, Watched, bootstrap, eventually, module, with_internal_listeners};

use crate::kinds::GUEST;
use crate::listeners::{clusters, discovered, guest_is_there, listeners};

const LISTENERS: &str = "listeners.json";

/// Envoy's listeners as they are after some updates.
pub struct Site {
    is_builtin: bool,
    watched: Watched,
    updates: u32,
}

impl Site {
    pub fn new(is_builtin: bool) -> Self {
        let site = Self {
            is_builtin,
            watched: Watched::new(),
            updates: 0,
        };
        for (file, filter) in discovered(0) {
            site.watched.put_filter(&file, 0, &filter);
        }
        site.write_listeners(0);
        site
    }

    pub fn start(&self, lab: &Lab, version: Version) -> Envoy {
        // The lab does not see that the listeners, in a file of their own, need it.
        let library = module::library();
        let config = with_internal_listeners(bootstrap([], clusters()));
        let config = self.watched.with_listeners(config, LISTENERS);
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
        self.update_filters(envoy, next);
        let accepted = update_success(envoy);
        self.write_listeners(next);
        eventually("an accepted update", || update_success(envoy) > accepted);
        if let Some(mut gate) = gate {
            let listeners = format!("ss -Hltn sport = :{GUEST}");
            eventually("the guest", || {
                lab.gateway.sh(&listeners).is_empty() != is_there
            });
            *gate = is_there;
        }
        self.updates = next;
    }

    /// Writes the filters that change, and waits for them.
    fn update_filters(&self, envoy: &Envoy, next: u32) {
        if self.is_builtin {
            return;
        }
        let (before, reloaded) = (discovered(self.updates), filters_reloaded(envoy));
        let now = discovered(next).into_iter();
        let changed: Vec<_> = now.filter(|filter| !before.contains(filter)).collect();
        for (file, filter) in &changed {
            self.watched.put_filter(file, next.into(), filter);
        }
        let wanted = reloaded + changed.len() as u64;
        eventually("new filters", || filters_reloaded(envoy) == wanted);
    }

    /// Writes the listeners as they are after so many updates.
    fn write_listeners(&self, updates: u32) {
        let listeners = listeners(self.is_builtin, updates, &self.watched);
        self.watched
            .put_listeners(LISTENERS, updates.into(), &listeners);
    }
}

/// How many filters in files of their own Envoy has taken.
fn filters_reloaded(envoy: &Envoy) -> u64 {
    envoy.stat_sum(".config_reload").unwrap_or(0)
}

fn update_success(envoy: &Envoy) -> u64 {
    assert_eq!(envoy.stat("listener_manager.lds.update_rejected"), Some(0));
    envoy
        .stat("listener_manager.lds.update_success")
        .unwrap_or(0)
}
