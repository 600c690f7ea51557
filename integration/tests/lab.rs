//! The lab itself, with Envoy's own filter.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use lab::address::*;
use lab::client::{http_get, tcp_ask};
use lab::config::{static_cluster, with_builtin, without_original_dst};
use lab::module::{builtin_filter, module_filter};
use lab::{
    Client, Envoy, Failure, Lab, Listener, Netns, To, Upstream, Version, access_log, bootstrap,
    validate,
};
use serde_json::{Value, json};

const HTTP: u16 = 8080;
const TCP: u16 = 9090;
const HTTP_LISTENER: u16 = 15001;
const TCP_LISTENER: u16 = 15002;

const DESTINATIONS: [IpAddr; 4] = [UPSTREAM_V4, UPSTREAM_V6, PUBLIC_V4, PUBLIC_V6];

fn newest() -> Version {
    Version::under_test()
        .into_iter()
        .max()
        .expect("a version under test")
}

/// A listener for HTTP and one for TCP, IPv4 and IPv6 each.
fn proxy(host: &Netns, filters: &[Value], transparent: bool) -> Envoy {
    let listener = |port| {
        let listener = Listener::new(&format!("[::]:{port}")).ipv4_compat();
        let listener = if transparent {
            listener.transparent()
        } else {
            listener
        };
        filters.iter().cloned().fold(listener, Listener::filter)
    };
    let listeners = [listener(HTTP_LISTENER).http(), listener(TCP_LISTENER).tcp()];
    Envoy::builder(host, newest())
        .config(bootstrap(listeners, []))
        .start()
}

/// Asks at every destination over HTTP and TCP, and wants to be answered from just there, by way
/// of the gateway.
fn assert_original_destinations(lab: &Lab) {
    for ip in DESTINATIONS {
        let (http, tcp) = (SocketAddr::new(ip, HTTP), SocketAddr::new(ip, TCP));
        let gateway = if ip.is_ipv4() {
            GATEWAY_UPSTREAM_V4
        } else {
            GATEWAY_UPSTREAM_V6
        };
        for (to, answer) in [
            (http, http_get(&lab.client, http)),
            (tcp, tcp_ask(&lab.client, tcp)),
        ] {
            let answer = answer.unwrap_or_else(|failure| panic!("{to}: {failure}"));
            assert_eq!(answer.reached.local, to);
            assert_eq!(answer.reached.peer.ip(), gateway, "{to}: not through Envoy");
        }
    }
}

#[test]
fn hosts_reach_each_other() {
    let lab = Lab::new();
    let upstream = Upstream::start(&lab.upstream, &[HTTP]);
    let _gateway = Upstream::start(&lab.gateway, &[HTTP]);
    let _greeter = Upstream::start_speaking_first(&lab.upstream, &[TCP]);
    for ip in DESTINATIONS
        .into_iter()
        .chain([GATEWAY_V4, GATEWAY_V6, GATEWAY_UPSTREAM_V6])
    {
        let to = SocketAddr::new(ip, HTTP);
        for ask in [http_get, tcp_ask] {
            let answer = ask(&lab.client, to).unwrap_or_else(|failure| panic!("{to}: {failure}"));
            assert_eq!(
                (answer.reached.local, answer.reached.peer),
                (to, answer.local)
            );
            assert_eq!(
                answer.local.ip(),
                if ip.is_ipv4() { CLIENT_V4 } else { CLIENT_V6 }
            );
        }
    }
    assert_eq!(upstream.connections(), 2 * DESTINATIONS.len());

    let from = SocketAddr::new(CLIENT_V4, 40_000);
    let answer = Client::new(&lab.client)
        .from(from)
        .tcp_ask(SocketAddr::new(UPSTREAM_V4, TCP));
    assert_eq!(answer.expect("an answer").reached.peer, from);

    let refused = http_get(&lab.client, SocketAddr::new(UPSTREAM_V4, 1));
    assert_eq!(refused, Err(Failure::Refused));
    for nobody in [NOBODY_V4, NOBODY_V6] {
        let nobody = http_get(&lab.client, SocketAddr::new(nobody, HTTP));
        assert_eq!(nobody, Err(Failure::Unreachable));
    }
}

#[test]
fn a_link_local_address_is_one_host_on_each_link() {
    let lab = Lab::new();
    let _gateway = Upstream::start(&lab.gateway, &[HTTP]);
    let upstream = Upstream::start(&lab.upstream, &[HTTP]);
    for (interface, at_upstream) in [("eth0", 0), ("eth1", 1)] {
        let to = lab.gateway.scoped(UPSTREAM_LINK_LOCAL, HTTP, interface);
        let answer = http_get(&lab.gateway, to).unwrap_or_else(|f| panic!("{to}: {f}"));
        assert_eq!(answer.reached.local.ip(), to.ip());
        assert_eq!(upstream.connections(), at_upstream, "{to}");
    }
}

#[test]
fn redirect() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[HTTP, TCP]);
    let envoy = proxy(&lab.gateway, &[builtin_filter()], false);
    lab.gateway.redirect(To::Port(HTTP), HTTP_LISTENER);
    lab.gateway.redirect(To::OtherHosts, TCP_LISTENER);
    assert_original_destinations(&lab);

    let entries = envoy.wait_access_log(|entries| entries.len() == 4 * DESTINATIONS.len());
    let http = access_log::of(&entries, access_log::Source::Http);
    assert_eq!(http[0]["downstream_local_address"], "10.2.0.2:8080");
    assert_eq!(http[0]["upstream_host"], "10.2.0.2:8080");
    assert_eq!(http[0]["response_code"], 200);
    assert_eq!(http[0]["original_dst"], Value::Null);

    lab.gateway.flush();
    let direct = http_get(&lab.client, SocketAddr::new(UPSTREAM_V4, HTTP)).expect("an answer");
    assert_eq!(direct.reached.peer.ip(), CLIENT_V4);
}

#[test]
fn tproxy() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[HTTP, TCP]);
    let _envoy = proxy(&lab.gateway, &[builtin_filter()], true);
    lab.gateway.notrack();
    lab.gateway.tproxy(To::Port(HTTP), HTTP_LISTENER);
    lab.gateway.tproxy(To::Port(TCP), TCP_LISTENER);
    assert_original_destinations(&lab);
}

#[test]
fn dnat_and_tproxy_to_one_address() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[HTTP]);
    let http = |address: &str| Listener::new(address).filter(builtin_filter());
    let listeners = [
        http("10.1.0.1:15001").http(),
        http("[fd01::1]:15001").http(),
        http("127.0.0.1:15003").transparent().http(),
        http("[::1]:15003").transparent().http(),
    ];
    let _envoy = Envoy::builder(&lab.gateway, newest())
        .config(bootstrap(listeners, []))
        .start();
    for (listeners, rule) in [
        (
            ["10.1.0.1:15001", "[fd01::1]:15001"],
            Netns::dnat as fn(&Netns, To, SocketAddr),
        ),
        (["127.0.0.1:15003", "[::1]:15003"], Netns::tproxy_on_ip),
    ] {
        for listener in listeners {
            rule(
                &lab.gateway,
                To::Port(HTTP),
                listener.parse().expect("an address"),
            );
        }
        for ip in DESTINATIONS {
            let to = SocketAddr::new(ip, HTTP);
            let answer = http_get(&lab.client, to).unwrap_or_else(|f| panic!("{to}: {f}"));
            assert_eq!(answer.reached.local, to);
            assert_ne!(
                answer.reached.peer.ip(),
                answer.local.ip(),
                "{to}: not through Envoy"
            );
        }
        lab.gateway.flush();
    }
}

#[test]
fn redirect_of_local_processes() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[HTTP]);
    let envoy = proxy(&lab.gateway, &[builtin_filter()], false);
    lab.gateway.redirect_output(To::OtherHosts, HTTP_LISTENER);
    for ip in DESTINATIONS {
        let to = SocketAddr::new(ip, HTTP);
        let answer = http_get(&lab.gateway, to).unwrap_or_else(|f| panic!("{to}: {f}"));
        assert_eq!(answer.reached.local, to);
        assert_ne!(answer.reached.peer, answer.local, "{to}: not through Envoy");
    }
    let prefix = "listener.[__]_15001";
    assert_eq!(
        envoy.stat(&format!("{prefix}.downstream_cx_total")),
        Some(4),
        "{prefix}"
    );
}

#[test]
fn without_the_filter_nothing_is_restored() {
    let lab = Lab::new();
    let upstream = Upstream::start(&lab.upstream, &[HTTP, TCP]);
    let envoy = proxy(&lab.gateway, &[], false);
    lab.gateway.redirect(To::Port(HTTP), HTTP_LISTENER);
    lab.gateway.redirect(To::Port(TCP), TCP_LISTENER);
    for ip in DESTINATIONS {
        match http_get(&lab.client, SocketAddr::new(ip, HTTP)) {
            Err(Failure::Status(503, body)) => assert_eq!(body, "no healthy upstream"),
            other => panic!("{ip}: {other:?}"),
        }
        let tcp = tcp_ask(&lab.client, SocketAddr::new(ip, TCP)).expect_err("an answer");
        assert!(tcp.is_closed(), "{ip}: {tcp}");
    }
    assert_eq!(upstream.connections(), 0);
    let unhealthy = |entries: &[Value]| {
        let flagged = entries
            .iter()
            .filter(|entry| entry["response_flags"] == "UH");
        flagged.count() >= 2 * DESTINATIONS.len()
    };
    envoy.wait_access_log(unhealthy);
}

#[test]
fn a_panic_leaves_nothing_behind() {
    let mut left = (Vec::new(), 0);
    let test = AssertUnwindSafe(|| {
        let lab = Lab::new();
        let envoy = proxy(&lab.gateway, &[], false);
        let names = [&lab.client, &lab.gateway, &lab.upstream].map(|host| host.name().to_owned());
        left = (names.to_vec(), envoy.pid());
        lab.gateway.run(|| panic!("on purpose"));
    });
    let panic = catch_unwind(test).expect_err("the panic in the namespace goes on in the test");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    let (names, pid) = left;
    assert_eq!(names.len(), 3);
    for name in names {
        assert!(
            !Path::new("/run/netns").join(&name).exists(),
            "{name} is left"
        );
    }
    assert!(
        !Path::new("/proc").join(pid.to_string()).exists(),
        "Envoy is left"
    );
}

#[test]
fn the_lab_of_a_killed_process_is_removed() {
    let lab = Lab::new();
    let sleep = || Command::new("sleep").arg("60").spawn();
    let mut orphan = lab.client.run(sleep).expect("run sleep");
    let mut gone = Command::new("true").spawn().expect("run true");
    gone.wait().expect("wait for true");
    // Labs of other tests may remove it as soon as it is there, so it is made with all in it.
    let name = format!("odst-{}-0-gateway", gone.id());
    let pid = orphan.id().to_string();
    let attach = Command::new("ip")
        .args(["netns", "attach", &name, &pid])
        .status();
    assert!(attach.expect("run ip").success());
    let _another = Lab::new();
    assert!(
        !Path::new("/run/netns").join(&name).exists(),
        "{name} is left"
    );
    let status = orphan.wait().expect("wait for sleep");
    assert_eq!(status.signal(), Some(9), "a process is left");
}

#[test]
fn envoy_stops_when_asked() {
    let lab = Lab::new();
    let mut envoy = proxy(&lab.gateway, &[], false);
    assert!(envoy.is_alive());
    assert!(envoy.log().contains("all clusters initialized"));
    assert!(envoy.admin("/server_info").contains(&newest().number()));
    assert_eq!(envoy.stat("server.live"), Some(1));
    assert_eq!(envoy.stat("server.no_such"), None);
    assert!(envoy.stop().success());
}

#[test]
fn every_version_accepts_the_configs() {
    let upstream = SocketAddr::new(UPSTREAM_V6, HTTP);
    let config = |filter: Value| {
        let listener = |address| {
            Listener::new(address)
                .filter(filter.clone())
                .cluster("fixed")
        };
        let listeners = [
            listener("0.0.0.0:15001").http(),
            listener("0.0.0.0:15002").tcp(),
        ];
        bootstrap(listeners, [static_cluster("fixed", upstream)])
    };
    let builtin = config(builtin_filter());
    assert_eq!(
        with_builtin(config(module_filter(Some(json!({}))))),
        builtin
    );
    let mut bare = builtin.clone();
    for listener in bare["static_resources"]["listeners"]
        .as_array_mut()
        .expect("listeners")
    {
        listener["listener_filters"] = json!([]);
    }
    assert_eq!(without_original_dst(builtin.clone()), bare);
    for version in Version::under_test() {
        validate(version, &builtin).unwrap_or_else(|log| panic!("{version}: {log}"));
        let nonsense = json!({ "static_resources": { "listeners": [{ "nonsense": 1 }] } });
        assert!(validate(version, &nonsense).is_err_and(|log| log.contains("nonsense")));
    }
}
