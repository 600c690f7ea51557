//! Envoys side by side on the gateway, each with ports of its own.

use lab::module::module_filter;
use lab::{Builder, Envoy, Lab, Listener, Version};
use serde_json::{Value, json};

use crate::shipped;

/// One Envoy's place among the others.
#[derive(Clone, Copy)]
pub struct Place(pub u16);

impl Place {
    /// Its admin port.
    pub fn admin(self) -> u16 {
        9901 + self.0
    }

    /// The port of its listener with this number, of up to ten.
    pub fn listener(self, number: u16) -> u16 {
        15001 + 10 * self.0 + number
    }

    /// What clients of that listener ask for.
    pub fn asked(self, number: u16) -> u16 {
        8001 + 10 * self.0 + number
    }

    /// That listener's name in the stats.
    pub fn address(self, number: u16) -> String {
        format!("0.0.0.0_{}", self.listener(number))
    }

    /// That listener, with the module and these options.
    pub fn with_module(self, number: u16, options: Value) -> Listener {
        self.plain(number).filter(module_filter(Some(options)))
    }

    /// That listener, without the module.
    pub fn plain(self, number: u16) -> Listener {
        Listener::new(&format!("0.0.0.0:{}", self.listener(number)))
    }

    /// The Envoy, with the labels that are shipped.
    pub fn envoy(self, lab: &Lab, version: Version, mut config: Value) -> Builder {
        config["stats_config"] = shipped::stats_config();
        config["admin"] = json!({ "address": { "socket_address": {
            "address": "127.0.0.1",
            "port_value": self.admin(),
        }}});
        Envoy::builder(&lab.gateway, version)
            .config(config)
            .log_level("warn")
            .module_log_level("warn")
    }
}

/// The versions under test, each with a place.
pub fn versions() -> impl Iterator<Item = (Place, Version)> {
    (0..).map(Place).zip(Version::under_test())
}
