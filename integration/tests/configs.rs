//! Every file of `envoy-configs/`: loaded by every Envoy under test, and used for what it is for.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};

use lab::access_log::{self, Source};
use lab::address::*;
use lab::client::{http_get, tcp_ask};
use lab::config::{listener_filter, load, with_access_log, with_filter, without_original_dst};
use lab::kernel::Feature;
use lab::module::module_filter;
use lab::{
    Envoy, Failure, Lab, To, Upstream, Version, Watched, eventually, validate_file_on, workspace,
};
use serde_json::{Value, json};

const PORT: u16 = 8080;
const LISTENER: u16 = 15001;
const IPV4: [IpAddr; 2] = [UPSTREAM_V4, PUBLIC_V4];
const IPV6: [IpAddr; 2] = [UPSTREAM_V6, PUBLIC_V6];

/// The files that a test below runs.
const USED: [&str; 12] = [
    "anyip.yaml",
    "dual-stack.yaml",
    "ecds.yaml",
    "first.yaml",
    "guarded-egress.yaml",
    "hand-off.yaml",
    "internal-listener.yaml",
    "marked.yaml",
    "observed.yaml",
    "redirect.yaml",
    "tproxy-behind-dnat.yaml",
    "tproxy.yaml",
];

fn start(lab: &Lab, version: Version, config: Value) -> Envoy {
    Envoy::builder(&lab.gateway, version).config(config).start()
}

/// The address at which a connection to `to` arrives.
#[derive(Clone, Copy)]
enum ArrivesAt {
    /// The gateway's own address, at the listener's port.
    Gateway,
    /// Unchanged.
    Destination,
}

impl ArrivesAt {
    fn of(self, to: SocketAddr) -> SocketAddr {
        match self {
            Self::Destination => to,
            Self::Gateway if to.is_ipv4() => SocketAddr::new(GATEWAY_V4, LISTENER),
            Self::Gateway => SocketAddr::new(GATEWAY_V6, LISTENER),
        }
    }
}

/// Asks over HTTP and plain TCP with a file's config, and without the module.
fn restores(lab: &Lab, file: &str, destinations: &[IpAddr], arrives_at: ArrivesAt) {
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    for version in Version::under_test() {
        let config = with_access_log(load(file));
        let envoy = start(lab, version, config.clone());
        for to in destinations.iter().map(|ip| SocketAddr::new(*ip, PORT)) {
            for ask in [http_get, tcp_ask] {
                let answer = ask(&lab.client, to)
                    .unwrap_or_else(|failure| panic!("{file} in {version:?}: {to}: {failure}"));
                assert_eq!(answer.reached.local, to, "{file} in {version:?}");
                let client = answer.local.to_string();
                let log = envoy.wait_access_log(|log| entry(log, &client).is_some());
                let entry = entry(&log, &client).expect("waited for");
                assert_eq!(entry["downstream_local_address"], to.to_string());
                let arrived_at = arrives_at.of(to).to_string();
                assert_eq!(entry["downstream_direct_local_address"], arrived_at);
                assert_eq!(entry["upstream_host"], to.to_string());
            }
        }
        drop(envoy);
        let envoy = start(lab, version, without_original_dst(config));
        for to in destinations.iter().map(|ip| SocketAddr::new(*ip, PORT)) {
            let failure = tcp_ask(&lab.client, to).expect_err("no destination without the module");
            // A TPROXY socket has the destination as its local address, but Envoy asks for more.
            assert!(
                failure.is_closed(),
                "{file} in {version:?}: {to}: {failure}"
            );
        }
        drop(envoy);
    }
}

/// The TCP proxy's entry for a client.
fn entry<'a>(log: &'a [Value], client: &str) -> Option<&'a Value> {
    access_log::of(log, Source::Tcp)
        .into_iter()
        .find(|entry| entry["downstream_remote_address"] == client)
}

#[test]
fn every_file_is_loaded_and_used() {
    if Feature::FwmarkAccept.is_missing_for("every_file_is_loaded_and_used") {
        return;
    }
    let directory = workspace().join("envoy-configs");
    let files: BTreeSet<String> = fs::read_dir(&directory)
        .expect("the configs are there")
        .map(|file| {
            file.expect("readable")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    assert_eq!(
        files,
        USED.map(str::to_owned).into(),
        "a file without a test, or the reverse"
    );
    let lab = Lab::new();
    lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
    for version in Version::under_test() {
        for file in &files {
            let path = directory.join(file);
            if let Err(log) = validate_file_on(&lab.gateway, version, &path) {
                panic!("{file} in {version:?}:\n{log}");
            }
        }
    }
}

#[test]
fn first() {
    let lab = Lab::new();
    // A host that is connected to others.
    lab.gateway
        .ip(&format!("route add default via {UPSTREAM_V4}"));
    lab.gateway.sh(&commands("first.yaml"));
    let told = |version: Version| {
        let request = minreq::get("http://192.0.2.10:8080/").with_timeout(5);
        let answer = lab.gateway.run(|| request.send());
        let answer = answer.unwrap_or_else(|error| panic!("{version}: {error}"));
        answer.as_str().expect("text").trim().to_owned()
    };
    for version in Version::under_test() {
        let config = load("first.yaml");
        let envoy = start(&lab, version, config.clone());
        let restored = "You connected to 192.0.2.10:8080. Envoy accepted this at 127.0.0.1:15001.";
        assert_eq!(told(version), restored, "{version}");
        for refused in ["192.0.2.66:80", "127.0.0.1:15001"] {
            let answer = tcp_ask(&lab.gateway, refused.parse().expect("an address"));
            let is_closed = answer.as_ref().is_err_and(Failure::is_closed);
            assert!(is_closed, "{refused} in {version}: {answer:?}");
        }
        let count = |counter: &str| envoy.stat_sum(&format!(".original_dst.{counter}"));
        let counted = ["restored_redirect", "denied", "unredirected"].map(count);
        assert_eq!(counted, [Some(1); 3], "{version}");
        drop(envoy);
        let _envoy = start(&lab, version, without_original_dst(config));
        let unrestored =
            "You connected to 127.0.0.1:15001. Envoy accepted this at 127.0.0.1:15001.";
        assert_eq!(told(version), unrestored, "{version}");
    }
}

#[test]
fn redirect() {
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    restores(&lab, "redirect.yaml", &IPV4, ArrivesAt::Gateway);
}

#[test]
fn tproxy() {
    let lab = Lab::new();
    lab.gateway.tproxy(To::Port(PORT), LISTENER);
    restores(
        &lab,
        "tproxy.yaml",
        &[IPV4, IPV6].concat(),
        ArrivesAt::Destination,
    );
}

#[test]
fn dual_stack() {
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    restores(
        &lab,
        "dual-stack.yaml",
        &[IPV4, IPV6].concat(),
        ArrivesAt::Gateway,
    );
}

#[test]
fn internal_listener() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let destination = SocketAddr::new(UPSTREAM_V4, PORT);
    for version in Version::under_test() {
        let config = with_access_log(load("internal-listener.yaml"));
        let envoy = start(&lab, version, config.clone());
        for (port, restored) in [
            (15006, "restored_metadata"),
            (15007, "restored_filter_state"),
        ] {
            let to = SocketAddr::new(GATEWAY_V4, port);
            let answer =
                tcp_ask(&lab.client, to).unwrap_or_else(|f| panic!("{version:?}: {to}: {f}"));
            assert_eq!(answer.reached.local, destination, "{version:?}: {to}");
            assert_eq!(envoy.stat_sum(restored), Some(1), "{version:?}");
            if port == 15007 {
                let client = answer.local.to_string();
                envoy.wait_access_log(|log| {
                    access_log::of(log, Source::Tcp).iter().any(|entry| {
                        entry["listener"] == "inner"
                            && entry["downstream_remote_address"] == client
                            && entry["downstream_local_address"] == destination.to_string()
                    })
                });
            }
        }
        assert_eq!(envoy.stat_sum("source_restored"), Some(1), "{version:?}");
        drop(envoy);
        let _envoy = start(&lab, version, without_original_dst(config));
        for port in [15006, 15007] {
            let failure = tcp_ask(&lab.client, SocketAddr::new(GATEWAY_V4, port));
            let failure = failure.expect_err("no destination without the module");
            assert!(failure.is_closed(), "{version:?}: {failure}");
        }
    }
}

/// Behind the module, a filter that gives good connections a reason of failure as well, if they are not
/// of TLS: what was closed is to be told from these.
fn with_tls_inspector(mut config: Value) -> Value {
    let listeners = config["static_resources"]["listeners"].as_array_mut();
    for listener in listeners.expect("listeners") {
        let filters = listener["listener_filters"].as_array_mut();
        let inspector = listener_filter("tls_inspector", json!({}));
        filters.expect("listener filters").push(inspector);
    }
    config
}

#[test]
fn guarded_egress() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT, 6443]);
    let _own = Upstream::start(&lab.gateway, &[PORT]);
    for version in Version::under_test() {
        let config = with_tls_inspector(load("guarded-egress.yaml"));
        let envoy = start(&lab, version, config);
        for (port, transparent) in [(15001, false), (15002, true)] {
            if transparent {
                lab.gateway.tproxy(To::OtherHosts, port);
            } else {
                lab.gateway.redirect(To::OtherHosts, port);
            }
            let allowed = SocketAddr::new(PUBLIC_V4, PORT);
            let answer = http_get(&lab.client, allowed).expect("an answer");
            assert_eq!(answer.reached.local, allowed, "{version:?}");
            let client = answer.local.to_string();
            envoy.wait_output("the good connection", |line| line.starts_with(&client));
            for (to, details) in [
                (SocketAddr::new(UPSTREAM_V4, 6443), "original_dst_denied"),
                (
                    SocketAddr::from(([169, 254, 169, 254], 80)),
                    "original_dst_denied",
                ),
                (
                    SocketAddr::new(GATEWAY_V4, port),
                    "original_dst_unredirected",
                ),
            ] {
                let failure = tcp_ask(&lab.client, to).expect_err("refused");
                assert!(failure.is_closed(), "{version:?}: {to}: {failure}");
                let what = format!(" -> {to}: {details}");
                envoy.wait_output(&what, |line| {
                    line.starts_with("refused ") && line.ends_with(&what)
                });
            }
            let output = envoy.output();
            let logged = output.lines().filter(|line| line.contains(&client));
            assert_eq!(logged.count(), 1, "{version:?}: {output}");
            lab.gateway.flush();
        }
        assert_eq!(
            envoy.stat_sum("original_dst.denied"),
            Some(4),
            "{version:?}"
        );
        assert_eq!(
            envoy.stat_sum("original_dst.unredirected"),
            Some(2),
            "{version:?}"
        );
        // Envoy made no connection of what was refused.
        for listener in ["listener.0.0.0.0_15001", "listener.0.0.0.0_15002"] {
            let connections = envoy.stat(&format!("{listener}.downstream_cx_total"));
            assert_eq!(connections, Some(1), "{version:?}: {listener}");
        }
    }
}

/// The commands in the comment at the top of a file.
fn commands(file: &str) -> String {
    let path = workspace().join("envoy-configs").join(file);
    let text = fs::read_to_string(path).expect("the file is there");
    let comment = text.lines().map_while(|line| line.strip_prefix('#'));
    let commands = comment.filter_map(|line| line.strip_prefix("   "));
    commands.collect::<Vec<_>>().join("\n")
}

#[test]
fn marked() {
    const TPROXIED: u16 = 9090;
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT, TPROXIED]);
    lab.gateway.sh(&commands("marked.yaml"));
    for version in Version::under_test() {
        let envoy = start(&lab, version, with_access_log(load("marked.yaml")));
        for ip in [UPSTREAM_V4, UPSTREAM_V6] {
            for (client, port) in [
                (&lab.client, PORT),
                (&lab.client, TPROXIED),
                (&lab.gateway, PORT),
            ] {
                let to = SocketAddr::new(ip, port);
                let answer = tcp_ask(client, to);
                let answer =
                    answer.unwrap_or_else(|failure| panic!("{version:?}: {to}: {failure}"));
                assert_eq!(answer.reached.local, to, "{version:?}");
                assert_ne!(answer.reached.peer, answer.local, "{version:?}: {to}");
            }
        }
        for ip in [GATEWAY_V4, GATEWAY_UPSTREAM_V6] {
            for (client, port) in [
                (&lab.client, LISTENER),
                (&lab.gateway, LISTENER),
                (&lab.client, LISTENER + 1),
                (&lab.gateway, LISTENER + 1),
            ] {
                let direct = tcp_ask(client, SocketAddr::new(ip, port));
                assert!(direct.expect_err("refused").is_closed(), "{version:?}");
            }
        }
        let count = |counter: &str| envoy.stat_sum(&format!(".original_dst.{counter}"));
        let counted = ["restored_redirect", "restored_transparent", "unredirected"].map(count);
        assert_eq!(counted, [Some(4), Some(2), Some(8)], "{version:?}");

        // A rule that does not exempt Envoy.
        let rule = format!("-p tcp --dport {PORT} -j REDIRECT --to-ports {LISTENER}");
        lab.gateway.iptables(&format!("-t nat -A OUTPUT {rule}"));
        let looped = tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, PORT));
        assert!(looped.expect_err("refused").is_closed(), "{version:?}");
        let counted = ["restored_redirect", "looped"].map(count);
        assert_eq!(counted, [Some(5), Some(1)], "{version:?}");
        lab.gateway.iptables(&format!("-t nat -D OUTPUT {rule}"));
    }
}

#[test]
fn anyip() {
    let lab = Lab::new();
    lab.gateway.sh(&commands("anyip.yaml"));
    lab.upstream.ip("route add local 192.0.2.0/24 dev lo
                     route add local 2001:db8:77::/64 dev lo
                     addr add 203.0.113.7/32 dev lo");
    let destinations = ["192.0.2.7", "2001:db8:77::7", "203.0.113.7"];
    let destinations = destinations.map(|ip| ip.parse().expect("an address"));
    for tracked in [false, true] {
        if tracked {
            lab.gateway.track();
        }
        restores(&lab, "anyip.yaml", &destinations, ArrivesAt::Destination);
        let reason = match tracked {
            false => "unavailable",
            true => "unredirected",
        };
        for version in Version::under_test() {
            let envoy = start(&lab, version, load("anyip.yaml"));
            for ip in [GATEWAY_V4, GATEWAY_V6] {
                let own = tcp_ask(&lab.client, SocketAddr::new(ip, PORT));
                assert!(own.expect_err("refused").is_closed(), "{version:?}");
            }
            let counter = format!(".original_dst.{reason}");
            assert_eq!(envoy.stat_sum(&counter), Some(2), "{version:?}");
            let connections = envoy.stat("listener.[__]_8080.downstream_cx_total");
            assert_eq!(connections, Some(0), "{version:?}");
        }
    }
}

#[test]
fn tproxy_behind_dnat() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let (service, endpoint) = (
        SocketAddr::new(NOBODY_V4, PORT),
        SocketAddr::new(UPSTREAM_V4, PORT),
    );
    // A local process asks for the service; what is marked is routed back to this host, translated.
    lab.gateway.deliver_marked("0x1/0x1", "lo");
    for rule in [
        format!("-t nat -A OUTPUT -d {NOBODY_V4} -p tcp -j DNAT --to {endpoint}"),
        format!("-t mangle -A OUTPUT -d {NOBODY_V4} -p tcp -j MARK --set-mark 0x1/0x1"),
        format!(
            "-t mangle -A PREROUTING -i lo -d {UPSTREAM_V4} -p tcp --dport {PORT} \
             -j TPROXY --on-port {LISTENER} --tproxy-mark 0x1/0x1"
        ),
    ] {
        lab.gateway.iptables(&rule);
    }
    for version in Version::under_test() {
        let envoy = start(&lab, version, load("tproxy-behind-dnat.yaml"));
        let answer = tcp_ask(&lab.gateway, service);
        assert_eq!(
            answer.expect("an answer").reached.local,
            endpoint,
            "{version:?}"
        );
        assert_eq!(
            envoy.stat_sum("restored_transparent"),
            Some(1),
            "{version:?}"
        );
        drop(envoy);

        // In the usual order, connection tracking answers first, with the service.
        let config = with_filter(load("tproxy-behind-dnat.yaml"), &module_filter(None));
        let envoy = start(&lab, version, with_access_log(config));
        tcp_ask(&lab.gateway, service).expect_err("nobody has the service's address");
        let restored = service.to_string();
        envoy.wait_access_log(|log| {
            log.iter()
                .any(|entry| entry["downstream_local_address"] == restored)
        });
    }
}

#[test]
fn hand_off() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT, 8081]);
    lab.gateway.redirect(To::OtherHosts, LISTENER);
    for version in Version::under_test() {
        let mut envoy = start(&lab, version, with_access_log(load("hand-off.yaml")));
        for (port, listener) in [(PORT, "port_8080"), (8081, "redirect")] {
            let to = SocketAddr::new(UPSTREAM_V4, port);
            let answer = tcp_ask(&lab.client, to).expect("an answer");
            assert_eq!(answer.reached.local, to, "{version:?}");
            let client = answer.local.to_string();
            let log = envoy.wait_access_log(|log| entry(log, &client).is_some());
            assert_eq!(
                entry(&log, &client).expect("waited for")["listener"],
                listener
            );
        }
        let direct = tcp_ask(&lab.client, SocketAddr::new(GATEWAY_V4, LISTENER));
        assert!(direct.expect_err("refused").is_closed(), "{version:?}");
        assert!(envoy.is_alive(), "{version:?}");
    }
}

#[test]
fn observed() {
    let lab = Lab::new();
    let ports = [PORT, PORT + 1];
    let _upstream = Upstream::start(&lab.upstream, &ports);
    let listeners = [LISTENER, LISTENER + 1];
    for (port, listener) in ports.into_iter().zip(listeners) {
        lab.gateway.redirect(To::Port(port), listener);
    }
    for version in Version::under_test() {
        let config = with_tls_inspector(load("observed.yaml"));
        let envoy = start(&lab, version, config);
        let mut good = Vec::new();
        for (kind, (port, listener)) in ["TCP", "HTTP"]
            .into_iter()
            .zip(ports.into_iter().zip(listeners))
        {
            let to = SocketAddr::new(UPSTREAM_V4, port);
            let client = http_get(&lab.client, to).expect("an answer").local;
            good.push(format!(
                "{kind} RESTORED by SO_ORIGINAL_DST: {client} asked for {to} at {GATEWAY_V4}:{listener}"
            ));
        }
        let denied = SocketAddr::from(([169, 254, 169, 254], PORT));
        assert!(tcp_ask(&lab.client, denied).is_err_and(|failure: Failure| failure.is_closed()));
        let is_refusal = |line: &str| line.contains("original_dst_denied");
        envoy.wait_output("the refusal", is_refusal);
        for line in &good {
            envoy.wait_output(line, |logged| logged == line);
        }
        // Each once, and nothing else.
        let output = envoy.output();
        let lines: Vec<_> = output
            .lines()
            .filter(|line| line.contains("original_dst") || line.contains("ORIGINAL_DST"))
            .collect();
        assert_eq!(lines.len(), 3, "{version:?}: {lines:#?}");
        let refusal: Value = lines
            .iter()
            .find(|line| is_refusal(line))
            .and_then(|line| serde_json::from_str(line).ok())
            .expect("a line of JSON");
        let published = &refusal["original_dst"];
        assert_eq!(published["destination"], denied.to_string(), "{refusal}");
        assert_eq!(published["rule"], "deny[0] link-local", "{refusal}");

        let stats = envoy.stats();
        let named = |end: &str| -> u64 {
            let values = stats.iter().filter(|(name, _)| name.ends_with(end));
            values.map(|(_, value)| value).sum()
        };
        assert_eq!(
            named(".egress.original_dst.restored_redirect"),
            2,
            "{version:?}"
        );
        assert_eq!(named(".egress.original_dst.denied"), 1, "{version:?}");
        assert_eq!(
            named(".egress.original_dst.destination_rules"),
            2,
            "{version:?}"
        );
        let prometheus = envoy.admin("/stats/prometheus");
        assert!(
            prometheus.contains("_egress_original_dst_restored_redirect{"),
            "{prometheus}"
        );
    }
}

/// Nobody gets anywhere until there are rules; then those of the file hold, and those of the next.
#[test]
fn ecds() {
    const COUNTER: &str =
        "extension_config_discovery.tcp_listener_filter.original_dst.config_reload";
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let rules = load("ecds/rules.yaml");
    let asked = SocketAddr::new(UPSTREAM_V4, PORT);
    for version in Version::under_test() {
        let watched = Watched::new();
        watched.put("rules.yaml", "{}");
        let mut config = load("ecds.yaml");
        let filter = &mut config["static_resources"]["listeners"][0]["listener_filters"][0];
        let path = &mut filter["config_discovery"]["config_source"]["path_config_source"]["path"];
        assert_eq!(*path, "envoy-configs/ecds/rules.yaml");
        *path = json!(watched.file("rules.yaml"));
        let envoy = start(&lab, version, config);
        let denied = || tcp_ask(&lab.client, asked).expect_err("denied").is_closed();
        assert!(denied(), "{version}");
        watched.put("rules.yaml", rules.to_string());
        eventually("the rules", || envoy.stat(COUNTER) == Some(1));
        let answer = tcp_ask(&lab.client, asked).expect("an answer");
        assert_eq!(answer.reached.local, asked, "{version}");
        let text = rules.to_string().replace("loopback", "private");
        watched.put("rules.yaml", text);
        eventually("the next rules", || envoy.stat(COUNTER) == Some(2));
        assert!(denied(), "{version}");
        assert_eq!(envoy.stat_sum("original_dst.denied"), Some(2), "{version}");
    }
}
