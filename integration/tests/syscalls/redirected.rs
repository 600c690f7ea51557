//! What rules redirect.

use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{Envoy, Lab, Listener, To, Upstream, Version, bootstrap};

use crate::trace::{getsockopt_calls, is_original_dst};

const PORT: u16 = 8080;
const CONNECTIONS: usize = 5;

#[test]
fn one_call_for_a_redirected_connection() {
    let lab = Lab::new();
    let upstream = SocketAddr::new(UPSTREAM_V4, PORT);
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.redirect(To::Port(PORT), 15001);
    for version in Version::under_test() {
        // A fixed cluster, so that Envoy does the same with the module and without it.
        let start = |listener: Listener| {
            let cluster = lab::config::static_cluster("upstream", upstream);
            let config = bootstrap([listener.cluster("upstream").tcp()], [cluster]);
            Envoy::builder(&lab.gateway, version).config(config).start()
        };
        let ask = || {
            for _ in 0..CONNECTIONS {
                let _ = tcp_ask(&lab.client, upstream);
            }
        };
        let without = getsockopt_calls(&start(Listener::new("0.0.0.0:15001")), ask);
        let envoy = start(Listener::new("0.0.0.0:15001").filter(module_filter(None)));
        let with = getsockopt_calls(&envoy, ask);
        assert_eq!(
            envoy.stat_sum("restored_redirect"),
            Some(CONNECTIONS as u64)
        );
        let asked = with.iter().filter(is_original_dst).count();
        assert_eq!(asked, CONNECTIONS, "{version}: {with:#?}");
        assert_eq!(
            with.len(),
            without.len() + CONNECTIONS,
            "{version}: {with:#?}\n{without:#?}"
        );
    }
}
