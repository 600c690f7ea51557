//! DNAT to a listed address: the service and the endpoint are both known.

use std::net::SocketAddr;

use lab::address::NOBODY_V4;
use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{Lab, Listener, To, Upstream, Version, bootstrap};

use super::site::{ANY_V4, LISTED, exempt_envoy, marked, take_addresses, upstream};
use crate::row::{filter_stats, moved};
use crate::{LISTENER, PORT, options, start};

/// The first method that has an answer has it.
#[test]
fn the_order_chooses() {
    let lab = Lab::new();
    take_addresses(&lab);
    exempt_envoy(&lab);
    let _upstream = upstream(&lab, 2);
    // The service is where the upstream is, so that either answer leads to a server.
    let service = SocketAddr::new(NOBODY_V4, PORT);
    lab.upstream.ip(&format!("addr add {NOBODY_V4}/32 dev lo"));
    let _service = Upstream::start(&lab.upstream, &[PORT]);
    let orders = [
        "SO_ORIGINAL_DST, LOCAL_ADDRESS",
        "LOCAL_ADDRESS, SO_ORIGINAL_DST",
    ];
    let listeners = orders.iter().zip(LISTENER..).map(|(order, port)| {
        let yaml = format!("{{ recovery_methods: [{order}], {LISTED} }}");
        Listener::new(&format!("0.0.0.0:{port}"))
            .filter(module_filter(Some(options(&yaml))))
            .tcp()
    });
    let config = marked(bootstrap(listeners, []));
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        for (port, counter) in (LISTENER..).zip(["restored_redirect", "restored_local_address"]) {
            let endpoint: SocketAddr = format!("{ANY_V4}:{port}").parse().expect("an address");
            lab.gateway.flush();
            lab.gateway.dnat(To::Port(PORT), endpoint);
            let before = filter_stats(&envoy);
            let answer = tcp_ask(&lab.client, service).expect("an answer");
            let restored = if port == LISTENER { service } else { endpoint };
            assert_eq!(answer.reached.local, restored, "{counter} in {version}");
            assert_eq!(
                moved(&before, &filter_stats(&envoy)),
                [counter],
                "{version}"
            );
        }
    }
}
