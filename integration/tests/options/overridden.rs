//! A cluster that takes the destination from elsewhere: the rules judge what the listener filter restores,
//! and nothing that comes after it.

use std::net::SocketAddr;

use lab::address::{PUBLIC_V4, UPSTREAM_V4};
use lab::client::{http_request, tcp_ask};
use lab::config::original_dst_cluster;
use lab::module::module_filter;
use lab::{Client, Lab, Listener, To, Upstream, Version, bootstrap};
use serde_json::json;

use crate::{LISTENER, PORT, start};

/// Clients that may name an address to the cluster get to one that is denied.
#[test]
fn a_header_passes_the_rules() {
    let denied = SocketAddr::new(PUBLIC_V4, PORT);
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let options = json!({ "destinations": { "deny": [PUBLIC_V4] } });
    let listener = Listener::new(&format!("0.0.0.0:{LISTENER}"))
        .filter(module_filter(Some(options)))
        .cluster("by_header");
    let mut cluster = original_dst_cluster("by_header");
    cluster["original_dst_lb_config"] = json!({ "use_http_header": true });
    let config = bootstrap([listener.http()], [cluster]);
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        let refused = tcp_ask(&lab.client, denied).expect_err("denied");
        assert!(refused.is_closed(), "{version}: {refused}");
        let ask = |headers: &str| {
            let allowed = SocketAddr::new(UPSTREAM_V4, PORT);
            let mut stream = Client::new(&lab.client).connect(allowed)?;
            let headers = format!("host: upstream\r\nconnection: close{headers}");
            http_request(&mut stream, &headers).map(|answer| answer.reached.local.ip())
        };
        assert_eq!(ask(""), Ok(UPSTREAM_V4), "{version}");
        let header = format!("\r\nx-envoy-original-dst-host: {denied}");
        assert_eq!(ask(&header), Ok(PUBLIC_V4), "{version}");
        assert_eq!(envoy.stat_sum("original_dst.denied"), Some(1), "{version}");
    }
}
