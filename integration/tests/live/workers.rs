//! Two configs of the module in one Envoy with many workers.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use lab::address::UPSTREAM_V4;
use lab::module::module_filter;
use lab::{Envoy, Lab, Listener, Load, Tally, To, Upstream, Version, bootstrap};
use serde_json::json;

/// The listeners, and the ports that they are asked for.
const RESTORES: (u16, u16) = (15001, 8080);
const REFUSES: (u16, u16) = (15002, 8081);

#[test]
fn each_connection_is_judged_by_its_own_listener() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[RESTORES.1, REFUSES.1]);
    for (listener, port) in [RESTORES, REFUSES] {
        lab.gateway.redirect(To::Port(port), listener);
    }
    let restores = json!({ "stat_prefix": "restores" });
    let refuses = json!({ "stat_prefix": "refuses", "destinations": { "deny": ["10.2.0.2"] } });
    for version in Version::under_test() {
        let listeners = [(RESTORES, &restores), (REFUSES, &refuses)].map(|((port, _), options)| {
            Listener::new(&format!("0.0.0.0:{port}"))
                .filter(module_filter(Some(options.clone())))
                .tcp()
        });
        let mut envoy = Envoy::builder(&lab.gateway, version)
            .config(bootstrap(listeners, []))
            .concurrency(4)
            .log_level("warn")
            .module_log_level("warn")
            .start();
        let loads = [RESTORES, REFUSES]
            .map(|(_, port)| Load::start(&lab.client, 6, &[SocketAddr::new(UPSTREAM_V4, port)]));
        thread::sleep(Duration::from_secs(1));
        let [restored, refused] = loads.map(Load::stop);
        let count = |name: &str| envoy.stat_sum(&format!(".{name}"));
        let Tally { answered, .. } = restored;
        assert!(answered > 100, "{version}: {restored:?}");
        assert_eq!(restored.connections(), answered, "{version}: {restored:?}");
        assert_eq!(
            count("restores.original_dst.restored_redirect"),
            Some(answered)
        );
        assert_eq!(refused.answered, 0, "{version}");
        assert!(refused.wrong.is_empty(), "{version}: {refused:?}");
        assert!(refused.failed.len() > 100, "{version}: {refused:?}");
        assert!(
            refused.failed.iter().all(|failure| failure.is_closed()),
            "{refused:?}"
        );
        assert_eq!(
            count("refuses.original_dst.denied"),
            Some(refused.connections())
        );
        for never in [
            "restores.original_dst.denied",
            "refuses.original_dst.restored_redirect",
        ] {
            assert_eq!(count(never).unwrap_or(0), 0, "{version}: {never}");
        }
        assert!(envoy.is_alive(), "{version}");
        assert!(envoy.stop().success(), "{version}");
    }
}
