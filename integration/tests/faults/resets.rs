//! Clients that are gone before Envoy looks at them.

use lab::client::reset;
use lab::module::module_filter;
use lab::{To, Version, eventually};
use serde_json::json;

use crate::site::{LISTENER, Site, counted, filters};

const CLIENTS: usize = 500;

#[test]
fn before_they_are_accepted() {
    let site = Site::new();
    site.gateway().redirect(To::OtherHosts, LISTENER);
    let refuse = json!({ "destinations": { "deny": ["10.2.0.0/16"] } });
    let refusing = ("the module, refusing", module_filter(Some(refuse)));
    for version in Version::under_test() {
        for (name, filter) in filters().into_iter().chain([refusing.clone()]) {
            let mut envoy = site.envoy(version, filter).start();
            envoy.pause();
            for stream in site.knock(CLIENTS) {
                reset(stream).expect("a reset");
            }
            assert_eq!(site.waiting(), CLIENTS, "{version}, {name}: not accepted");
            envoy.resume();
            // Envoy connects to the destination for each of them. On a slow machine, the time that a
            // connection of its may take is over before it looks at the next one's.
            eventually("they are accepted", || site.waiting() == 0);
            envoy.idle_stats();
            match name {
                "the module, refusing" => {
                    let [to, _] = site.destinations();
                    assert!(site.fails(to, name).is_closed(), "{version}");
                }
                _ => site.works(name),
            }
            assert!(envoy.is_alive(), "{version}, {name}");
            let asked = match name {
                "the module" => CLIENTS as u64 + 2,
                "the module, refusing" => CLIENTS as u64 + 1,
                _ => 0,
            };
            assert_eq!(counted(&envoy), asked, "{version}, {name}");
            assert!(envoy.stop().success(), "{version}, {name}");
        }
    }
}
