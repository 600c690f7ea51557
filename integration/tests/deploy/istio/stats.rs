//! Which stats of the module a sidecar has.

use lab::Version;
use lab::address::GATEWAY_V4;

use super::pilot::{Mode, stats_config};
use super::proxy_config::ProxyStatsMatcher;
use super::sidecar::{Pod, config, patched};
use super::workload::annotations;
use crate::arrives;

/// All counters that a listener of the module has, with Istio's stats and what the workload adds to
/// them; without it, none.
#[test]
fn stats() {
    let mode = Mode::Redirect;
    let pod = Pod::new(mode);
    let added = annotations("example").proxy.proxy_stats_matcher;
    for version in Version::under_test() {
        for (matcher, counted) in [
            (ProxyStatsMatcher::default(), None),
            (added.clone(), Some(1)),
        ] {
            let mut config = config(patched(mode));
            config["stats_config"] = stats_config(&matcher);
            let envoy = mode.envoy(&pod.lab.gateway, version).config(config).start();
            arrives(&pod.lab.client, GATEWAY_V4);
            let counter = ".inbound.original_dst.restored_redirect";
            assert_eq!(envoy.stat_sum(counter), counted, "{version}");
            assert!(
                envoy.stat_sum("server.live").is_some(),
                "{version}: Istio's own"
            );
            assert_eq!(envoy.stat_sum("downstream_cx_total"), None, "{version}");
        }
    }
}
