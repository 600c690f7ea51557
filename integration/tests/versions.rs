//! One library in every Envoy: it loads without a complaint, recovers in every way that the
//! version has, and takes its configuration in every form.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lab::access_log::{self, Source};
use lab::address::{GATEWAY_V4, UPSTREAM_V4, UPSTREAM_V6};
use lab::client::tcp_ask;
use lab::module::{module_filter, module_filter_with};
use lab::{
    Envoy, Failure, Lab, Listener, SetFilterState, To, Tunnel, Upstream, Version, bootstrap,
    validate, with_internal_listeners,
};
use serde_json::{Value, json};

const PORT: u16 = 8080;
const LISTENER: u16 = 15001;
const ADDRESS: &str = "10.2.0.2:8080";
const SOURCE: &str = "192.0.2.7:7777";
const LOCAL_IP: &str = "envoy.filters.listener.original_dst.local_ip";
const REMOTE_IP: &str = "envoy.filters.listener.original_dst.remote_ip";
const STRING: &str = "envoy.string";
const PREFIX: &str = "given";

fn start(lab: &Lab, version: Version, listener: Value) -> Envoy {
    Envoy::builder(&lab.gateway, version)
        .config(bootstrap([listener], []))
        .start()
}

fn listener(filter: Value) -> Listener {
    Listener::new("0.0.0.0:15001").filter(filter)
}

#[test]
fn the_abi_version_matches() {
    let lab = Lab::new();
    for version in Version::under_test() {
        let envoy = start(&lab, version, listener(module_filter(None)).tcp());
        let log = envoy.log();
        let about_modules: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("[dynamic_modules]"))
            .collect();
        let is_bad = |line: &&&str| line.contains("[warning]") || line.contains("[error]");
        assert_eq!(about_modules.iter().find(is_bad), None, "{version}");
        let matched = match version {
            // It compares, too, but says so only when it refuses.
            Version::V1_37 => continue,
            Version::V1_38 | Version::V1_39 => "Dynamic module ABI version v0.1.0 matched.",
            _ => "Dynamic module ABI version v0.2.0 matched.",
        };
        let is_said = |line: &&str| line.contains("[info]") && line.ends_with(matched);
        assert_eq!(
            about_modules.into_iter().filter(is_said).count(),
            1,
            "{version}:\n{log}"
        );
    }
}

#[test]
fn kernel_sockets() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let (v4, v6) = (
        SocketAddr::new(UPSTREAM_V4, PORT),
        SocketAddr::new(UPSTREAM_V6, PORT),
    );
    let dual_stack = || {
        Listener::new("[::]:15001")
            .filter(module_filter(None))
            .ipv4_compat()
    };
    for version in Version::under_test() {
        for (listener, is_tproxy, destinations, counter) in [
            (
                listener(module_filter(None)),
                false,
                vec![v4],
                "restored_redirect",
            ),
            (dual_stack(), false, vec![v4, v6], "restored_redirect"),
            (
                dual_stack().transparent(),
                true,
                vec![v4, v6],
                "restored_transparent",
            ),
        ] {
            let envoy = start(&lab, version, listener.tcp());
            if is_tproxy {
                lab.gateway.tproxy(To::Port(PORT), LISTENER);
            } else {
                lab.gateway.redirect(To::Port(PORT), LISTENER);
            }
            for to in &destinations {
                let answer = tcp_ask(&lab.client, *to).unwrap_or_else(|f| panic!("{version}: {f}"));
                assert_eq!(answer.reached.local, *to, "{version}");
            }
            assert_eq!(
                envoy.stat_sum(counter),
                Some(destinations.len() as u64),
                "{version}"
            );
            lab.gateway.flush();
        }
    }
}

/// What an internal connection brings along, and what becomes of its addresses.
struct Internal {
    tunnel: Tunnel,
    state: SetFilterState,
    is_restored: bool,
    is_source_restored: bool,
}

impl Internal {
    fn metadata() -> Self {
        Self {
            tunnel: Tunnel::new().host_metadata(json!({ "local": ADDRESS })),
            ..Self::state(SetFilterState::default(), true)
        }
    }

    fn state(state: SetFilterState, is_restored: bool) -> Self {
        Self {
            tunnel: Tunnel::new(),
            state,
            is_restored,
            is_source_restored: false,
        }
    }

    fn source(self, factory: &str, is_source_restored: bool) -> Self {
        let state = self.state.set(REMOTE_IP, factory, SOURCE);
        Self {
            state,
            is_source_restored,
            ..self
        }
    }

    fn check(self, lab: &Lab, version: Version) {
        let outer = Listener::new("0.0.0.0:15006").cluster("tunnel").tcp();
        let inner = Listener::internal("inner")
            .filter(module_filter(None))
            .tcp();
        let listeners = [self.state.in_front(outer), inner];
        let config = bootstrap(listeners, [self.tunnel.cluster("tunnel", "inner")]);
        let envoy = Envoy::builder(&lab.gateway, version).config(with_internal_listeners(config));
        let envoy = envoy.start();
        let answer = tcp_ask(&lab.client, SocketAddr::new(GATEWAY_V4, 15006));
        let reached = answer.map(|answer| answer.reached.local.to_string());
        let is_inner = |entry: &&&Value| entry["listener"] == "inner";
        let log = envoy.wait_access_log(|log| {
            access_log::of(log, Source::Tcp)
                .iter()
                .filter(is_inner)
                .count()
                == 1
        });
        let entries = access_log::of(&log, Source::Tcp);
        let entry = entries.iter().find(is_inner).expect("waited for");
        let (local, flags) = if self.is_restored {
            assert_eq!(reached.as_deref(), Ok(ADDRESS), "{version}");
            (ADDRESS, "-")
        } else {
            assert!(
                reached.as_ref().is_err_and(Failure::is_closed),
                "{version}: {reached:?}"
            );
            ("envoy://inner/", "UH")
        };
        let remote = if self.is_source_restored {
            SOURCE
        } else {
            "envoy://internal_client_address/"
        };
        assert_eq!(entry["downstream_local_address"], local, "{version}");
        assert_eq!(entry["response_flags"], flags, "{version}");
        assert_eq!(entry["downstream_remote_address"], remote, "{version}");
        assert_eq!(
            envoy.stat_sum("original_dst.unavailable"),
            Some(u64::from(!self.is_restored)),
            "{version}"
        );
    }
}

#[test]
fn internal_listeners() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    for version in Version::under_test() {
        // Before 1.40, Envoy gives modules no state but strings.
        let reads_objects = version >= Version::V1_40;
        let state = |factory| SetFilterState::default().set(LOCAL_IP, factory, ADDRESS);
        for internal in [
            Internal::metadata(),
            Internal::metadata().source(STRING, true),
            Internal::metadata().source(REMOTE_IP, reads_objects),
            Internal::state(state(STRING), true),
            Internal::state(state(LOCAL_IP), reads_objects),
        ] {
            internal.check(&lab, version);
        }
    }
}

fn any(message: &str, value: Value) -> Option<Value> {
    let url = format!("type.googleapis.com/google.protobuf.{message}");
    Some(json!({ "@type": url, "value": value }))
}

/// Forms of `filter_config`, and whether they bring the option [`PREFIX`].
fn forms() -> Vec<(Option<Value>, bool)> {
    let options = json!({ "stat_prefix": PREFIX });
    vec![
        (None, false),
        (
            Some(json!({
                "@type": "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
            })),
            false,
        ),
        (any("Struct", json!({})), false),
        (any("StringValue", json!("")), false),
        (any("StringValue", json!("{}")), false),
        (any("BytesValue", json!("")), false),
        // "{}" in base64.
        (any("BytesValue", json!("e30=")), false),
        (any("Struct", options.clone()), true),
        (any("StringValue", json!(options.to_string())), true),
        // The same in base64.
        (
            any("BytesValue", json!("eyJzdGF0X3ByZWZpeCI6ImdpdmVuIn0=")),
            true,
        ),
    ]
}

/// Before 1.40, Envoy hands over its bytes as they are.
#[test]
fn a_typed_struct() {
    let config = |options: Value| {
        let form =
            json!({ "@type": "type.googleapis.com/xds.type.v3.TypedStruct", "value": options });
        bootstrap([listener(module_filter_with(Some(form))).tcp()], [])
    };
    for version in Version::under_test() {
        let good = validate(version, &config(json!({ "stat_prefix": PREFIX })));
        assert_eq!(
            good.is_ok(),
            version >= Version::V1_40,
            "{version}: {good:?}"
        );
        let bad = validate(version, &config(json!({ "unknown": 1 })));
        let log = bad.expect_err("no such option");
        let is_read = log.contains("unknown: 1: unknown field");
        assert_eq!(is_read, version >= Version::V1_40, "{version}: {log}");
    }
}

#[test]
fn every_form_of_the_configuration() {
    let lab = Lab::new();
    let places = (0..)
        .zip(forms())
        .map(|(index, form)| (20_000 + index, 15_000 + index, form));
    let places: Vec<(u16, u16, _)> = places.collect();
    let destinations: Vec<u16> = places.iter().map(|(port, ..)| *port).collect();
    let _upstream = Upstream::start(&lab.upstream, &destinations);
    for (port, listener, _) in &places {
        lab.gateway.redirect(To::Port(*port), *listener);
    }
    for version in Version::under_test() {
        let listeners = places.iter().map(|(_, port, (form, _))| {
            let mut filter = module_filter_with(form.clone());
            if port % 2 == 0 {
                // The type's URL is a name of the filter, too.
                filter["typed_config"]["filter_name"] = json!(
                    "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst"
                );
            }
            Listener::new(&format!("0.0.0.0:{port}")).filter(filter).tcp()
        });
        let config = bootstrap(listeners, []);
        let envoy = Envoy::builder(&lab.gateway, version).config(config).start();
        for (port, listener, (form, is_prefixed)) in &places {
            let to = SocketAddr::new(UPSTREAM_V4, *port);
            let answer = tcp_ask(&lab.client, to);
            let answer = answer.unwrap_or_else(|f| panic!("{version}: {form:?}: {f}"));
            assert_eq!(answer.reached.local, to, "{version}: {form:?}");
            let stats = envoy.stats();
            let found = stats.iter().find(|(name, _)| {
                name.contains(&format!("0.0.0.0_{listener}."))
                    && name.ends_with(".original_dst.restored_redirect")
            });
            let (name, count) = found.expect("a counter");
            assert_eq!(*count, 1, "{version}: {form:?}");
            let prefix = format!(".{PREFIX}.");
            assert_eq!(
                name.contains(&prefix),
                *is_prefixed,
                "{version}: {form:?}: {name}"
            );
        }
    }
}

#[test]
fn what_is_refused() {
    let lab = Lab::new();
    let mut named = module_filter(None);
    named["typed_config"]["filter_name"] = json!("nonsense");
    let nonsense = module_filter_with(any("StringValue", json!("nonsense")));
    for version in Version::under_test() {
        for (filter, line) in [
            (
                &named,
                "original_dst: filter_name \"nonsense\": must be \
                 \"type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst\" \
                 or \"envoy.filters.listener.original_dst\"",
            ),
            (
                &nonsense,
                "original_dst: filter_config: \"nonsense\": not JSON: expected ident at line 1 \
                 column 2",
            ),
        ] {
            let config = bootstrap([listener(filter.clone()).tcp()], []);
            let checked = validate(version, &config).expect_err("an error status");
            let start = Instant::now();
            let started = Envoy::builder(&lab.gateway, version)
                .config(config)
                .try_start();
            let started = started.expect_err("an Envoy that ends");
            assert!(
                start.elapsed() < Duration::from_secs(15),
                "{version}: it does not end"
            );
            for log in [checked, started] {
                let is_error =
                    |said: &&str| said.contains("[error][dynamic_modules]") && said.ends_with(line);
                assert_eq!(
                    log.lines().filter(is_error).count(),
                    1,
                    "{version}: {line}\n{log}"
                );
                assert!(
                    log.contains("Failed to initialize dynamic module listener filter config"),
                    "{version}:\n{log}"
                );
            }
        }
    }
}
