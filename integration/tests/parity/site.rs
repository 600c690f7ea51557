//! A scenario's part of an Envoy config.

use std::path::PathBuf;
use std::{env, fs, process};

use lab::config::static_cluster;
use lab::module::{builtin_filter, module_filter};
use lab::{Listener, SetFilterState, Tunnel};
use serde_json::{Value, json};

use crate::scenario::{Holder, Listen, Own, Passenger};

/// The cluster of a fixed upstream, and where that is.
pub const FIXED: &str = "fixed";
/// Where [`FIXED`] leads.
pub const FIXED_UPSTREAM: &str = "10.2.0.2:9000";

/// Stands for the path of a scenario's pipe in addresses.
pub const PIPE: &str = "PIPE";

/// A directory for pipes and for files that Envoy reads: of this process alone, and named so that
/// a later lab removes it if this process is killed.
pub fn directory() -> PathBuf {
    env::temp_dir().join(format!("odst-{}-parity", process::id()))
}

/// Which filter a scenario runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Envoy's own.
    Builtin,
    /// The module.
    Module,
    /// None.
    Nothing,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Self::Builtin, Self::Module, Self::Nothing];

    /// The filter, with the module's options.
    fn filter(self, options: Option<Value>) -> Option<Value> {
        match self {
            Self::Builtin => Some(builtin_filter()),
            Self::Module => Some(module_filter(options)),
            Self::Nothing => None,
        }
    }
}

/// The ports of one scenario.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The one that clients ask for.
    pub destination: u16,
    /// The one that the listener is bound to.
    pub listener: u16,
}

impl Ports {
    /// Puts numbers for the letters `D` and `L` in an address, and the path for [`PIPE`].
    pub fn fill(self, address: &str) -> String {
        let Self {
            destination,
            listener,
        } = self;
        if address == PIPE {
            return directory()
                .join(format!("{listener}.pipe"))
                .display()
                .to_string();
        }
        address
            .replace(":D", &format!(":{destination}"))
            .replace(":L", &format!(":{listener}"))
    }
}

/// Where a scenario's listeners are to be.
#[derive(Clone, Copy)]
pub struct Site {
    /// The filter.
    pub kind: Kind,
    /// The ports.
    pub ports: Ports,
}

impl Site {
    /// The listeners and clusters of a scenario.
    pub fn build(&self, listen: &Listen) -> (Vec<Value>, Vec<Value>) {
        let address = self.ports.fill(&format!("{}:L", listen.ip));
        let under_test = match listen.tunnel {
            Some(_) => Listener::internal(&self.inner()),
            None => Listener::new(&address),
        };
        let listener = self.finish(under_test, listen);
        let (mut listeners, mut clusters) = (vec![listener], Vec::new());
        if let Some(passenger) = &listen.tunnel {
            let name = format!("tunnel:{}", self.ports.listener);
            let outer = Listener::new(&address).cluster(&name).tcp();
            listeners.push(state(passenger).in_front(outer));
            clusters.push(tunnel(passenger).cluster(&name, &self.inner()));
        }
        listeners.extend(listen.unbound.iter().map(|address| {
            let listener = Listener::new(&self.ports.fill(address));
            listener.field("bind_to_port", json!(false)).tcp()
        }));
        (listeners, clusters)
    }

    /// The internal listener.
    pub fn inner(&self) -> String {
        format!("inner:{}", self.ports.listener)
    }

    fn finish(&self, listener: Listener, listen: &Listen) -> Value {
        let filters = listen.before.iter().cloned().chain(self.own(listen));
        let filters = filters.chain(listen.after.iter().cloned());
        let listener = filters.fold(listener, Listener::filter);
        let listener = listen
            .with
            .iter()
            .fold(listener, |listener, with| with(listener));
        let listener = if listen.fixed {
            listener.cluster(FIXED)
        } else {
            listener
        };
        let mut listener = if listen.http {
            listener.http()
        } else {
            listener.tcp()
        };
        if self.kind == Kind::Builtin && listen.own.hands_off() {
            listener["use_original_dst"] = json!(true);
        }
        if let Some(edit) = listen.edit {
            edit(&mut listener, self);
        }
        listener
    }

    /// The filter under test, as often as it is listed.
    fn own(&self, listen: &Listen) -> Vec<Value> {
        let options = listen.own.hands_off().then(|| json!({ "hand_off": true }));
        let Some(mut filter) = self.kind.filter(options) else {
            return Vec::new();
        };
        if let Some(edit) = listen.edit_filter {
            edit(&mut filter, self);
        }
        match listen.own {
            Own::Twice => vec![filter.clone(), filter],
            Own::Discovered => vec![self.discovered(&filter)],
            // With `use_original_dst`, Envoy appends its own filter by itself.
            Own::ImpliedHandOff if self.kind == Kind::Builtin => Vec::new(),
            _ => vec![filter],
        }
    }

    /// A filter that Envoy reads from a file, as it would from an ECDS server.
    fn discovered(&self, filter: &Value) -> Value {
        let name = format!("discovered-{}", self.ports.listener);
        let config = &filter["typed_config"];
        let response = json!({ "version_info": "1", "resources": [{
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": name,
            "typed_config": config,
        }]});
        let path = directory().join(format!("{name}.json"));
        fs::write(&path, response.to_string()).expect("write a file for Envoy");
        json!({ "name": name, "config_discovery": {
            "config_source": {
                "path_config_source": { "path": path },
                "resource_api_version": "V3",
            },
            "type_urls": [config["@type"]],
        }})
    }
}

impl Own {
    fn hands_off(self) -> bool {
        matches!(self, Self::HandOff | Self::ImpliedHandOff)
    }
}

/// The clusters that every scenario may use.
pub fn clusters() -> [Value; 2] {
    let fixed = static_cluster(FIXED, FIXED_UPSTREAM.parse().expect("an address"));
    // A cluster of its own, so that its limit holds for the scenario that loops alone.
    let looping = json!({
        "name": "looping",
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "2s",
        "circuit_breakers": { "thresholds": [{ "max_connections": LOOP_LIMIT }] },
    });
    [fixed, looping]
}

/// How many connections the cluster `looping` makes at once.
pub const LOOP_LIMIT: usize = 20;

fn state(passenger: &Passenger) -> SetFilterState {
    let set = |filter: SetFilterState, (key, factory, text): &(&str, &str, String)| {
        // A percent sign begins a command.
        filter.set(key, factory, &text.replace('%', "%%"))
    };
    passenger.state.iter().fold(SetFilterState::default(), set)
}

fn tunnel(passenger: &Passenger) -> Tunnel {
    let tunnel = if passenger.is_plain {
        Tunnel::new().plain()
    } else {
        Tunnel::new()
    };
    passenger
        .metadata
        .iter()
        .fold(tunnel, |tunnel, (holder, value)| match holder {
            Holder::Host => tunnel.host_metadata(value.clone()),
            Holder::Cluster => tunnel.cluster_metadata(value.clone()),
        })
}
