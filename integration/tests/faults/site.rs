//! A redirected listener under a fault.

use std::net::{SocketAddr, TcpStream};

use lab::address::{UPSTREAM_V4, UPSTREAM_V6};
use lab::client::tcp_ask;
use lab::module::{builtin_filter, module_filter};
use lab::{
    Builder, Client, Envoy, Failure, Lab, Listener, Load, Netns, Tally, To, Upstream, Version,
    bootstrap, eventually,
};
use serde_json::Value;

/// The port of the upstream.
pub const PORT: u16 = 8080;
/// The port of the listener.
pub const LISTENER: u16 = 15001;

/// A client, an upstream, and what lies between.
pub struct Site {
    pub lab: Lab,
    _upstream: Upstream,
}

impl Site {
    /// Nothing is redirected yet.
    pub fn new() -> Self {
        let lab = Lab::new();
        let upstream = Upstream::start(&lab.upstream, &[PORT]);
        Self {
            lab,
            _upstream: upstream,
        }
    }

    pub fn gateway(&self) -> &Netns {
        &self.lab.gateway
    }

    /// What clients ask for.
    pub fn destinations(&self) -> [SocketAddr; 2] {
        [UPSTREAM_V4, UPSTREAM_V6].map(|ip| SocketAddr::new(ip, PORT))
    }

    /// Envoy with one listener, to be started.
    pub fn envoy(&self, version: Version, filter: Value) -> Builder {
        let listener = Listener::new(&format!("[::]:{LISTENER}"))
            .ipv4_compat()
            .filter(filter)
            .tcp();
        Envoy::builder(&self.lab.gateway, version).config(bootstrap([listener], []))
    }

    /// Connections to the IPv4 destination that wait for a paused Envoy to accept them.
    pub fn knock(&self, clients: usize) -> Vec<TcpStream> {
        let [to, _] = self.destinations();
        let client = Client::new(&self.lab.client);
        let connect = |_| client.connect(to).expect("the kernel accepts it");
        let streams = (0..clients).map(connect).collect();
        eventually("all clients wait", || self.waiting() == clients);
        streams
    }

    /// How many connections wait to be accepted.
    pub fn waiting(&self) -> usize {
        self.gateway().waiting(&format!("sport = :{LISTENER}"))
    }

    /// Asks for both destinations, and must get there.
    #[track_caller]
    pub fn works(&self, what: &str) {
        for to in self.destinations() {
            let answer = tcp_ask(&self.lab.client, to);
            let reached = answer.map(|answer| answer.reached.local);
            assert_eq!(reached, Ok(to), "{what}");
        }
    }

    /// How a connection fails.
    #[track_caller]
    pub fn fails(&self, to: SocketAddr, what: &str) -> Failure {
        match tcp_ask(&self.lab.client, to) {
            Ok(answer) => panic!("{what}: {answer:?}"),
            Err(failure) => failure,
        }
    }
}

/// Lets clients connect while the fault goes on, through each filter in each Envoy, and gives `check`
/// what they saw. Nobody may get to anybody else, and each connection is counted.
pub fn under_load(fault: impl Fn(&Netns), check: impl Fn(&Tally, &str)) {
    let site = Site::new();
    for version in Version::under_test() {
        for (name, filter) in filters() {
            let what = format!("{version}, {name}");
            site.gateway().redirect(To::OtherHosts, LISTENER);
            let mut envoy = site.envoy(version, filter).start();
            site.works("before");
            let load = Load::start(&site.lab.client, 8, &site.destinations());
            fault(site.gateway());
            let tally = load.stop();
            assert!(tally.wrong.is_empty(), "{what}: {tally:?}");
            check(&tally, &what);
            site.works("after");
            assert!(envoy.is_alive(), "{what}");
            if name == "the module" {
                let came = envoy.stat_sum(&format!("_{LISTENER}.downstream_cx_total"));
                assert_eq!(Some(counted(&envoy)), came, "{what}");
                let restored = count(&envoy, "restored_redirect");
                assert!(restored >= tally.answered - tally.direct, "{what}");
            }
            site.gateway().flush();
        }
    }
}

/// The module and Envoy's own filter, by name.
pub fn filters() -> [(&'static str, Value); 2] {
    [
        ("the module", module_filter(None)),
        ("Envoy's own filter", builtin_filter()),
    ]
}

/// How many connections the module has counted, by their outcome.
pub fn counted(envoy: &Envoy) -> u64 {
    let outcomes = [
        "restored_redirect",
        "restored_transparent",
        "unredirected",
        "unavailable",
        "denied",
        "invalid_address",
        "error",
    ];
    outcomes.iter().map(|outcome| count(envoy, outcome)).sum()
}

/// How many connections the module has counted for one outcome.
pub fn count(envoy: &Envoy, outcome: &str) -> u64 {
    let name = format!(".original_dst.{outcome}");
    envoy.stat_sum(&name).unwrap_or(0)
}
