//! Rules that change while connections are open: the filter alone, by file (ECDS), and, for contrast, its
//! whole listener (LDS).

use std::net::{SocketAddr, TcpStream};

use lab::address::{GATEWAY_V6, UPSTREAM_V4};
use lab::client::{http_ask, tcp_ask};
use lab::module::{library, module_filter};
use lab::{
    Answer, Client, Envoy, Failure, Lab, Listener, Load, To, Upstream, Version, Watched, bootstrap,
    eventually, with_node,
};
use serde_json::{Value, json};

use crate::in_every_version;

const LISTENER: u16 = 15001;
const PORT: u16 = 8080;
const ASKED: SocketAddr = SocketAddr::new(UPSTREAM_V4, PORT);
const FLIPS: u64 = 40;
const OPEN: usize = 50;
const UPDATES: u64 = 200;
const RULES: &str = "rules.json";
const LISTENERS: &str = "listeners.json";
/// What the names of the filter's own stats begin with.
const DISCOVERY: &str = "extension_config_discovery.tcp_listener_filter.original_dst";

/// What an update changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The filter.
    Ecds,
    /// The listener that it is in.
    Lds,
}

/// An Envoy whose rules change.
struct Site {
    by: By,
    lab: Lab,
    _upstream: Upstream,
    watched: Watched,
    envoy: Envoy,
    updates: u64,
}

impl Site {
    /// An Envoy with these options of the module. Rules redirect to it.
    fn start(version: Version, by: By, options: Value) -> Self {
        let watched = Watched::new();
        put(&watched, by, 0, options);
        let config = match by {
            By::Ecds => {
                let filter = watched.discovered(RULES, &filter(json!({})));
                with_node(bootstrap([listener(filter)], []))
            }
            By::Lds => watched.with_listeners(bootstrap([], []), LISTENERS),
        };
        let lab = Lab::new();
        lab.gateway.redirect(To::Port(PORT), LISTENER);
        let upstream = Upstream::start(&lab.upstream, &[PORT]);
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(config)
            .concurrency(2)
            .log_level("warn")
            .module_log_level("info")
            .modules(library().parent().expect("a directory"))
            // Listeners that are replaced stay for as long.
            .argument("--drain-time-s")
            .argument("1")
            .start();
        Self {
            by,
            lab,
            _upstream: upstream,
            watched,
            envoy,
            updates: 0,
        }
    }

    fn put(&mut self, options: Value) {
        self.updates += 1;
        put(&self.watched, self.by, self.updates, options);
    }

    /// Goes over to these options, and waits until Envoy says that it has.
    fn update(&mut self, options: Value) {
        let counter = match self.by {
            By::Ecds => format!("{DISCOVERY}.config_reload"),
            By::Lds => "listener_manager.lds.update_success".to_owned(),
        };
        let count = |envoy: &Envoy| envoy.stat(&counter).unwrap_or(0);
        let before = count(&self.envoy);
        self.put(options);
        eventually("an update", || count(&self.envoy) > before);
    }

    fn ask(&self) -> Result<Answer, Failure> {
        tcp_ask(&self.lab.client, ASKED)
    }

    fn stat(&self, name: &str) -> u64 {
        self.envoy.stat_sum(name).unwrap_or(0)
    }

    /// Whether a listener that was replaced is still there.
    fn drains(&self) -> bool {
        self.envoy.stat("listener_manager.total_listeners_draining") != Some(0)
    }

    /// The version that Envoy names as the one in force.
    fn version_text(&self) -> String {
        let path = format!("/stats?filter={DISCOVERY}.version_text");
        let text = self.envoy.admin(&path);
        let quoted = text.split('"').nth(1);
        quoted.expect("a version in quotes").to_owned()
    }
}

fn put(watched: &Watched, by: By, version: u64, options: Value) {
    let filter = filter(options);
    match by {
        By::Ecds => watched.put_filter(RULES, version, &filter),
        By::Lds => watched.put_listeners(LISTENERS, version, &[listener(filter)]),
    }
}

fn filter(options: Value) -> Value {
    let mut filter = module_filter(Some(options));
    filter["name"] = json!("original_dst");
    filter
}

fn listener(filter: Value) -> Value {
    Listener::new(&format!("[::]:{LISTENER}"))
        .ipv4_compat()
        .filter(filter)
        .tcp()
}

/// Every other time what clients ask for is denied.
fn flip(update: u64) -> Value {
    let denied = if refuses(update) {
        "10.2.0.0/16"
    } else {
        "198.51.100.0/24"
    };
    json!({ "destinations": { "deny": [denied] } })
}

fn refuses(update: u64) -> bool {
    update % 2 == 1
}

/// Whether a connection met the rules of this update.
fn is_as_wanted(answer: Result<Answer, Failure>, update: u64) -> bool {
    match answer {
        Ok(answer) => !refuses(update) && answer.reached.local == ASKED,
        Err(failure) => refuses(update) && failure.is_closed(),
    }
}

/// Connections that stay open, each of which has been answered.
fn open(lab: &Lab) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = Client::new(&lab.client).connect(ASKED).expect("open");
        http_ask(&mut stream).expect("an answer");
        stream
    };
    (0..OPEN).map(connect).collect()
}

/// How many of them are still answered.
fn live(open: &mut [TcpStream]) -> usize {
    open.iter_mut().filter_map(|s| http_ask(s).ok()).count()
}

#[test]
fn the_next_connection_meets_the_new_rules() {
    in_every_version(|version| {
        let mut site = Site::start(version, By::Ecds, flip(0));
        let mut open = open(&site.lab);
        for update in 1..=FLIPS {
            site.update(flip(update));
            let first = site.ask();
            assert!(is_as_wanted(first.clone(), update), "{version}: {first:?}");
            assert_eq!(live(&mut open), OPEN, "{version}, update {update}");
        }
        // If there were a listener before this one, it would end them now.
        eventually("no listener drains", || !site.drains());
        assert_eq!(live(&mut open), OPEN, "{version}");
        assert!(site.envoy.stop().success(), "{version}");
    });
}

/// For contrast: an update of the listener ends what is open, once its drain time is over.
#[test]
fn an_update_of_the_listener_ends_what_is_open() {
    in_every_version(|version| {
        let mut site = Site::start(version, By::Lds, flip(0));
        let mut open = open(&site.lab);
        for update in 1..=FLIPS {
            site.update(flip(update));
            eventually("the new rules", || is_as_wanted(site.ask(), update));
        }
        eventually("the open connections have ended", || live(&mut open) == 0);
        assert!(site.envoy.stop().success(), "{version}");
    });
}

#[test]
fn updates_under_load_lose_none() {
    in_every_version(|version| {
        let rules = |update| flip(2 * update);
        let mut site = Site::start(version, By::Ecds, rules(0));
        let load = Load::start(&site.lab.client, 4, &[ASKED]);
        for update in 1..=UPDATES {
            // What differs is of no matter to the clients.
            let mut options = rules(update);
            options["publish_metadata"] = json!(refuses(update));
            site.update(options);
        }
        let tally = load.stop();
        assert!(tally.answered > UPDATES, "{version}: {tally:?}");
        assert_eq!(tally.connections(), tally.answered, "{version}: {tally:?}");
        let counted = site.stat(".original_dst.restored_redirect");
        assert_eq!(counted, tally.answered, "{version}");
        println!("{version}: {UPDATES} updates, {counted} connections");
        assert!(site.envoy.stop().success(), "{version}");
    });
}

#[test]
fn a_bad_update_leaves_the_rules_as_they_were() {
    in_every_version(|version| {
        let mut site = Site::start(version, By::Ecds, flip(0));
        site.update(flip(1));
        let rejected = |site: &Site| site.stat(&format!("{DISCOVERY}.update_rejected"));
        assert_eq!(rejected(&site), 0, "{version}");
        site.put(json!({ "destinations": { "deny": ["NONSENSE"] } }));
        eventually("a refusal", || rejected(&site) == 1);
        assert_eq!(
            site.stat(&format!("{DISCOVERY}.config_fail")),
            1,
            "{version}"
        );
        site.envoy.wait_log("why", |line| {
            line.contains("destinations.deny[0]: \"NONSENSE\": expected an address")
        });
        // All that a control plane would hear.
        site.envoy.wait_log("what Envoy makes of it", |line| {
            line.ends_with(
                "update rejected: Failed to create filter config: Failed to initialize dynamic module \
                 listener filter config",
            )
        });
        let asked = site.ask();
        assert!(is_as_wanted(asked.clone(), 1), "{version}: {asked:?}");
        assert_eq!(site.version_text(), "1", "{version}");
        // What it shows is what it was sent, not what is in force.
        let dump = site.envoy.admin("/config_dump?resource=ecds_filters");
        assert!(dump.contains("NONSENSE"), "{version}: {dump}");
        site.update(flip(2));
        let asked = site.ask();
        assert!(is_as_wanted(asked.clone(), 2), "{version}: {asked:?}");
        assert_eq!(site.version_text(), "3", "{version}");
        assert!(site.envoy.stop().success(), "{version}");
    });
}

/// What was broken before an update is mended by the first connection after it.
#[test]
fn the_gauge_is_right_across_updates() {
    in_every_version(|version| {
        for by in [By::Ecds, By::Lds] {
            let mut site = Site::start(version, by, flip(0));
            let gauge = |site: &Site| site.envoy.stat_sum(".redirection_broken");
            // Over IPv6: as IPv4 connections, those with the source port of a redirected one would have
            // its answer.
            site.lab.gateway.flush();
            site.lab.gateway.notrack();
            for _ in 0..200 {
                let direct = SocketAddr::new(GATEWAY_V6, LISTENER);
                tcp_ask(&site.lab.client, direct).expect_err("no destination");
            }
            eventually("redirection is broken", || gauge(&site) == Some(1));
            site.update(json!({}));
            eventually("the listener before has gone", || !site.drains());
            site.lab.gateway.flush();
            site.lab.gateway.redirect(To::Port(PORT), LISTENER);
            site.ask().expect("an answer");
            assert_eq!(gauge(&site), Some(0), "{version}, {by:?}");
            assert!(site.envoy.stop().success(), "{version}");
        }
    });
}

/// Until there are rules, connections are refused, or judged by the default config if there is one.
#[test]
fn nothing_is_fetched_yet() {
    in_every_version(|version| {
        let lab = Lab::new();
        lab.gateway.redirect(To::Port(PORT), LISTENER);
        let _upstream = Upstream::start(&lab.upstream, &[PORT]);
        let start = |watched: &Watched, default: Option<Value>| {
            let mut discovered = watched.discovered(RULES, &filter(json!({})));
            if let Some(options) = default {
                let default = &mut discovered["config_discovery"]["default_config"];
                *default = filter(options)["typed_config"].take();
            }
            Envoy::builder(&lab.gateway, version)
                .config(with_node(bootstrap([listener(discovered)], [])))
                .try_start()
        };
        let watched = Watched::new();
        let log = start(&watched, Some(flip(0))).expect_err("no file");
        assert!(
            log.contains("paths must refer to an existing path in the system"),
            "{version}: {log}"
        );
        watched.put(RULES, "{}");
        let missing = format!("listener.[__]_{LISTENER}.extension_config_missing");
        for (default, update, is_missing) in [(None, 1, 1), (Some(1), 1, 0), (Some(0), 0, 0)] {
            let envoy = start(&watched, default.map(flip)).expect("an empty file is no fault");
            let asked = tcp_ask(&lab.client, ASKED);
            assert!(is_as_wanted(asked.clone(), update), "{version}: {asked:?}");
            assert_eq!(envoy.stat(&missing), Some(is_missing), "{version}");
            assert!(envoy.stop().success(), "{version}");
        }
    });
}
