//! The probe of the page: it sees what no metric of Envoy does.

use lab::{Envoy, Lab, To, bootstrap};
use serde_json::json;

use crate::shipped;
use crate::site::versions;

/// What the probe asks for.
const PORT: u16 = 8080;

#[test]
fn the_probe_sees_flushed_rules() {
    let lab = Lab::new();
    let probe = &shipped::blocks("sh probe")[0];
    let passes = || {
        let output = lab.client.command("sh").args(["-c", probe]).output();
        output.expect("run sh").status.success()
    };
    let restored = |envoy: &Envoy| envoy.stat_sum(".original_dst.restored_redirect");
    for (place, version) in versions() {
        let listener = place.with_module(0, json!({})).tcp();
        let envoy = place
            .envoy(&lab, version, bootstrap([listener], []))
            .start();
        assert!(!passes(), "{version}: before there are rules");
        lab.gateway.redirect(To::Port(PORT), place.listener(0));
        assert!(passes(), "{version}");
        assert_eq!(restored(&envoy), Some(1), "{version}");
        lab.gateway.flush();
        assert!(!passes(), "{version}: the rules are flushed");
        assert_eq!(restored(&envoy), Some(1), "{version}");
        assert_eq!(envoy.stat_sum("redirection_broken"), Some(0), "{version}");
    }
}
