//! Envoy, and the updates of its listeners while traffic runs.

use std::fs;
use std::path::PathBuf;
use std::sync::RwLock;

use lab::{Envoy, Lab, Version, bootstrap, eventually, module, with_internal_listeners};
use serde_json::json;
use tempfile::TempDir;

use crate::kinds::GUEST;
use crate::listeners::{clusters, guest_is_there, listeners};

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
        // The lab does not see that the listeners, in a file of their own, need it.
        let library = module::library();
        let mut config = with_internal_listeners(bootstrap([], clusters()));
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

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the listeners as they are after so many updates, in one move: Envoy watches.
    fn write(&self, updates: u32) {
        let resources = listeners(self.is_builtin, updates);
        let text = json!({ "version_info": updates.to_string(), "resources": resources });
        fs::write(self.file("next.json"), text.to_string()).expect("write the listeners");
        fs::rename(self.file("next.json"), self.file("lds.json")).expect("move the file");
    }
}

fn update_success(envoy: &Envoy) -> u64 {
    assert_eq!(envoy.stat("listener_manager.lds.update_rejected"), Some(0));
    envoy
        .stat("listener_manager.lds.update_success")
        .unwrap_or(0)
}
