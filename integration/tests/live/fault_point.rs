//! A build of the module that panics where it is told to. Envoy lives, and only what the hook was
//! for ends.

use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{Builder, Envoy, FaultPoint, Lab, Listener, To, Upstream, Version, bootstrap};

const LISTENER: u16 = 15001;
const PORT: u16 = 8080;

fn envoy(lab: &Lab, version: Version, fault: &FaultPoint) -> Builder {
    let listener = Listener::new(&format!("0.0.0.0:{LISTENER}")).filter(module_filter(None));
    fault.arm(Envoy::builder(&lab.gateway, version).config(bootstrap([listener.tcp()], [])))
}

#[test]
fn a_panic_ends_what_it_was_in_and_nothing_else() {
    let fault = FaultPoint::new();
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let to = SocketAddr::new(UPSTREAM_V4, PORT);
    for version in Version::under_test() {
        for hook in ["init", "config"] {
            fault.set(hook);
            let log = match envoy(&lab, version, &fault).try_start() {
                // 1.37 takes a module whose first hook failed for loaded.
                Ok(envoy) if (version, hook) == (Version::V1_37, "init") => envoy.log(),
                Ok(_) => panic!("{version}, {hook}: accepted"),
                Err(log) => log,
            };
            let line = "panic in the module at src/fault_point.rs:";
            assert!(log.contains(line), "{version}, {hook}: {log}");
            assert!(
                log.contains(&format!("fault point {hook}")),
                "{version}: {log}"
            );
        }
        fault.set("");
        let mut envoy = envoy(&lab, version, &fault).start();
        let works = |what: &str| {
            let answer = tcp_ask(&lab.client, to);
            assert_eq!(answer.map(|answer| answer.reached.local), Ok(to), "{what}");
        };
        works("before");
        for (hook, errors) in [("filter", 0), ("accept", 1), ("accept", 2)] {
            fault.set(hook);
            let failure = tcp_ask(&lab.client, to).expect_err("closed");
            assert!(failure.is_closed(), "{version}, {hook}: {failure}");
            fault.set("");
            works(hook);
            let error = envoy.stat_sum(".original_dst.error");
            assert_eq!(error.unwrap_or(0), errors, "{version}, {hook}");
            envoy.wait_log(hook, |line| {
                line.contains("panic in the module at src/fault_point.rs:")
                    && line.contains(&format!("fault point {hook}"))
            });
        }
        envoy.wait_access_log(|log| {
            let closed = log.iter().filter(|entry| {
                entry["downstream_transport_failure_reason"] == "original_dst_error"
                    && (version == Version::V1_37
                        || entry["connection_termination_details"] == "original_dst_error")
            });
            closed.count() == 2
        });
        assert!(envoy.is_alive(), "{version}");
        assert!(envoy.stop().success(), "{version}");
    }
}
