//! Every recipe of `docs/recipes.md`, run as it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use lab::access_log::{self, Source};
use lab::address::{GATEWAY_V4, GATEWAY_V6, UPSTREAM_V4, UPSTREAM_V6};
use lab::client::{http_ask, tcp_ask};
use lab::config::{load, with_access_log};
use lab::module::module_filter;
use lab::{Answer, Client, Envoy, Lab, Listener, Netns, Upstream, Version, bootstrap, workspace};
use serde_json::json;

use lab::markdown::Document;

const PORT: u16 = 8080;
const SSH: u16 = 22;
/// A port that nothing on the gateway serves.
const OTHER_PORT: u16 = 9090;
/// The user that the recipes exempt.
const USER: u32 = 1337;
const UPSTREAM: [IpAddr; 2] = [UPSTREAM_V4, UPSTREAM_V6];
const GATEWAY: [IpAddr; 2] = [GATEWAY_V4, GATEWAY_V6];

/// Of the prefixes that a recipe makes the gateway's own.
const ANY: [&str; 2] = ["192.0.2.7", "2001:db8:77::7"];
/// The address that a recipe adds.
const VIP: &str = "203.0.113.7";

/// Runs a recipe, and asserts what it has to do.
type Check = fn(&Site, &str);

/// What each recipe has to do.
const CHECKS: [(&str, Check); 17] = [
    ("redirect-outbound-iptables", Site::redirects_outbound),
    ("redirect-outbound-nftables", Site::redirects_outbound),
    ("redirect-inbound-iptables", Site::redirects_inbound),
    ("redirect-inbound-nftables", Site::redirects_inbound),
    ("tproxy-iptables", Site::delivers),
    ("tproxy-nftables", Site::delivers),
    ("dnat-iptables", Site::translates),
    ("dnat-nftables", Site::translates),
    ("anyip", Site::takes_prefixes),
    ("vip", Site::takes_an_address),
    ("around-local", Site::takes_prefixes),
    ("sk-lookup", Site::steers),
    ("notrack-trap", Site::falls_into_the_trap),
    ("notrack-mend", Site::gets_out_of_the_trap),
    ("forward-drop", Site::drops_what_passes_by),
    ("conntrack-size", Site::shows_the_table),
    ("remove-notrack", Site::tracks_again),
];

/// A recipe, and what the names of those that take its rules away begin with.
const REMOVALS: [(&str, &str); 8] = [
    ("redirect-inbound-iptables", "remove-iptables"),
    ("redirect-outbound-iptables", "remove-iptables"),
    ("redirect-inbound-nftables", "remove-nftables"),
    ("redirect-outbound-nftables", "remove-nftables"),
    ("dnat-iptables", "remove-iptables"),
    ("dnat-nftables", "remove-nftables"),
    ("tproxy-iptables", "remove-tproxy-iptables"),
    ("tproxy-nftables", "remove-tproxy-nftables"),
];

/// A recipe that another one's check runs.
const REMOVED_BESIDES: &str = "remove-forward-drop";

#[test]
fn rules_are_taken_away_and_open_connections_live_on() {
    for (recipe, removal) in REMOVALS {
        println!("{recipe}");
        Site::new(recipes()).takes_away(recipe, removal);
    }
}

#[test]
fn every_recipe_works() {
    let recipes = recipes();
    let removing = REMOVALS.map(|(_, removal)| [removal.to_owned(), later(removal)]);
    let checked = CHECKS.map(|(name, _)| name.to_owned());
    let known: BTreeSet<String> = removing
        .into_iter()
        .flatten()
        .chain(checked)
        .chain([REMOVED_BESIDES.to_owned()])
        .collect();
    let unknown: Vec<&String> = recipes
        .keys()
        .filter(|name| !known.contains(*name))
        .collect();
    assert!(unknown.is_empty(), "recipes without a check: {unknown:?}");
    for (name, check) in CHECKS {
        assert!(
            recipes.contains_key(name),
            "docs/recipes.md has no recipe {name}"
        );
        println!("{name}");
        check(&Site::new(recipes.clone()), name);
    }
}

/// The recipe for when the last connection has ended.
fn later(removal: &str) -> String {
    format!("{removal}-later")
}

/// The code by its name.
type Recipes = BTreeMap<String, String>;

/// The blocks of code. What is no recipe has no place there.
fn recipes() -> Recipes {
    let blocks = Document::read("docs/recipes.md").blocks().into_iter();
    let named = blocks.map(|block| {
        let name = block.info.strip_prefix("sh recipe:");
        let name = name.unwrap_or_else(|| panic!("a block that is no recipe: {}", block.info));
        (name.to_owned(), block.code)
    });
    let recipes: Vec<_> = named.collect();
    let by_name: Recipes = recipes.iter().cloned().collect();
    assert_eq!(
        by_name.len(),
        recipes.len(),
        "a name stands for two recipes"
    );
    by_name
}

/// A lab of its own for a recipe.
struct Site {
    recipes: Recipes,
    lab: Lab,
    _servers: [Upstream; 2],
}

impl Site {
    fn new(recipes: Recipes) -> Self {
        let lab = Lab::new();
        let servers = [&lab.upstream, &lab.gateway].map(|host| Upstream::start(host, &[PORT, SSH]));
        Self {
            recipes,
            lab,
            _servers: servers,
        }
    }

    /// Runs it in the directory of the project.
    fn run(&self, recipe: &str) -> String {
        let directory = workspace().display();
        let script = format!("cd {directory}\n{}", self.recipes[recipe]);
        self.lab.gateway.sh(&script)
    }

    fn redirects_outbound(&self, recipe: &str) {
        let envoy = self.proxy();
        self.run(recipe);
        self.restores(&envoy, &self.lab.gateway, &UPSTREAM, "restored_redirect");
        self.passes_by(&self.lab.gateway, &GATEWAY, PORT);
    }

    fn redirects_inbound(&self, recipe: &str) {
        let envoy = self.proxy();
        self.run(recipe);
        let destinations = [UPSTREAM, GATEWAY].concat();
        self.restores(&envoy, &self.lab.client, &destinations, "restored_redirect");
        self.passes_by(&self.lab.client, &destinations, SSH);
    }

    fn delivers(&self, recipe: &str) {
        let envoy = self.proxy_for(recipe);
        self.run(recipe);
        self.restores(&envoy, &self.lab.client, &UPSTREAM, "restored_transparent");
        self.passes_by(&self.lab.client, &GATEWAY, PORT);
    }

    fn translates(&self, recipe: &str) {
        let envoy = self.proxy_for(recipe);
        self.run(recipe);
        self.restores(&envoy, &self.lab.client, &UPSTREAM, "restored_redirect");
    }

    fn takes_prefixes(&self, recipe: &str) {
        let other = if recipe == "anyip" {
            "around-local"
        } else {
            "anyip"
        };
        self.takes(&[recipe, other], &ANY, OTHER_PORT, OTHER_PORT);
    }

    fn takes_an_address(&self, recipe: &str) {
        self.takes(&[recipe, "around-local"], &[VIP], OTHER_PORT, OTHER_PORT);
    }

    fn steers(&self, recipe: &str) {
        self.takes(&["anyip", "around-local", recipe], &ANY, 15001, PORT);
    }

    /// What comes as it is to a listener, also if it asks for another port, goes to where it asked for,
    /// as `anyip.yaml` has it.
    fn takes(&self, recipes: &[&str], destinations: &[&str], listener: u16, port: u16) {
        let _upstream = Upstream::start(&self.lab.upstream, &[OTHER_PORT]);
        for ip in destinations {
            self.lab
                .upstream
                .ip(&format!("route add local {ip} dev lo"));
        }
        let mut config = with_access_log(load("anyip.yaml"));
        let address = &mut config["static_resources"]["listeners"][0]["address"];
        address["socket_address"]["port_value"] = json!(listener);
        let envoy = Envoy::builder(&self.lab.gateway, newest())
            .config(config)
            .start();
        recipes.iter().for_each(|recipe| drop(self.run(recipe)));
        let asked = destinations.iter().map(|ip| {
            let ip = ip.parse().expect("an address");
            SocketAddr::new(ip, port)
        });
        let asked: Vec<_> = asked.collect();
        self.restores_at(&envoy, &self.lab.client, &asked, "restored_local_address");
    }

    fn falls_into_the_trap(&self, recipe: &str) {
        let _envoy = self.proxy();
        self.run("redirect-inbound-iptables");
        self.run(recipe);
        self.passes_by(&self.lab.client, &UPSTREAM, PORT);
    }

    /// With the redirecting rules and without them.
    fn drops_what_passes_by(&self, recipe: &str) {
        let envoy = self.proxy();
        self.run("redirect-inbound-iptables");
        self.run(recipe);
        self.restores(&envoy, &self.lab.client, &UPSTREAM, "restored_redirect");
        self.run("remove-iptables");
        for ip in UPSTREAM {
            let to = SocketAddr::new(ip, PORT);
            tcp_ask(&self.lab.client, to).expect_err("nothing is forwarded");
        }
        self.run(REMOVED_BESIDES);
        self.passes_by(&self.lab.client, &UPSTREAM, PORT);
        self.leaves_nothing("forward -i");
    }

    fn gets_out_of_the_trap(&self, recipe: &str) {
        let envoy = self.proxy();
        self.run("redirect-inbound-iptables");
        self.run("notrack-trap");
        self.run(recipe);
        self.restores(&envoy, &self.lab.client, &UPSTREAM, "restored_redirect");
    }

    fn shows_the_table(&self, recipe: &str) {
        self.lab.gateway.track();
        let shown = self.run(recipe);
        for name in ["count", "max"] {
            let start = format!("net.netfilter.nf_conntrack_{name} = ");
            let number = shown.lines().find_map(|line| line.strip_prefix(&start));
            number
                .and_then(|number| number.parse::<u64>().ok())
                .unwrap_or_else(|| panic!("no {name} in {shown:?}"));
        }
    }

    fn tracks_again(&self, recipe: &str) {
        let envoy = self.proxy();
        self.run("redirect-inbound-iptables");
        self.run("notrack-trap");
        self.run("notrack-mend");
        self.run(recipe);
        self.restores(&envoy, &self.lab.client, &UPSTREAM, "restored_redirect");
        self.leaves_nothing("notrack");
        self.leaves_nothing("-j accept");
    }

    /// New connections pass by, while those that are open go on; rules of others stay.
    fn takes_away(&self, recipe: &str, removal: &str) {
        const THEIRS: &str = "PREROUTING -p tcp --dport 9999 -j ACCEPT";
        let _envoy = self.proxy_for(recipe);
        let from = match recipe.contains("outbound") {
            true => &self.lab.gateway,
            false => &self.lab.client,
        };
        let theirs = |what: &str| {
            self.lab
                .gateway
                .iptables(&format!("-t nat {what} {THEIRS}"))
        };
        theirs("-A");
        self.run(recipe);
        let mut open = UPSTREAM.map(|ip| {
            let to = SocketAddr::new(ip, PORT);
            let mut stream = Client::new(from).connect(to).expect("a connection");
            let answer = http_ask(&mut stream).expect("an answer");
            assert_eq!(answer.reached.local, to);
            assert_ne!(answer.reached.peer, answer.local, "{to}: by no proxy");
            stream
        });
        self.run(removal);
        self.passes_by(from, &UPSTREAM, PORT);
        // The kernel looks anew for the routes that it keeps with a socket.
        let routes = "route add 192.0.2.0/24 dev lo\nroute add 2001:db8:2::/64 dev lo";
        self.lab.gateway.ip(routes);
        for stream in &mut open {
            http_ask(stream).unwrap_or_else(|failure| panic!("{removal}: {failure}"));
        }
        drop(open);
        self.run(&later(removal));
        self.passes_by(from, &UPSTREAM, PORT);
        for trace in ["original_dst", "15001", "fwmark", "socket", "table 100"] {
            self.leaves_nothing(trace);
        }
        theirs("-C");
    }

    fn leaves_nothing(&self, trace: &str) {
        let show = "iptables-save; ip6tables-save; nft list ruleset; ip rule; ip -6 rule; \
                    ip route show table all; ip -6 route show table all";
        let left = self.lab.gateway.sh(show);
        let left = left.to_lowercase();
        assert!(!left.contains(trace), "{trace} is left:\n{left}");
    }

    /// An Envoy as a recipe wants it.
    fn proxy_for(&self, recipe: &str) -> Envoy {
        let listeners = match recipe.split('-').next() {
            Some("tproxy") => vec![wildcard().transparent().tcp()],
            Some("dnat") => ["10.1.0.1:15001", "[fd01::1]:15001"]
                .map(|address| Listener::new(address).filter(module_filter(None)).tcp())
                .into(),
            _ => return self.proxy(),
        };
        Envoy::builder(&self.lab.gateway, newest())
            .config(bootstrap(listeners, []))
            .start()
    }

    /// An Envoy as the recipes' user.
    fn proxy(&self) -> Envoy {
        let config = bootstrap([wildcard().tcp()], []);
        Envoy::builder(&self.lab.gateway, newest())
            .config(config)
            .user(USER)
            .start()
    }

    /// Connections go through Envoy, which restores where they were going.
    fn restores(&self, envoy: &Envoy, from: &Netns, destinations: &[IpAddr], counter: &str) {
        let asked = destinations.iter().map(|ip| SocketAddr::new(*ip, PORT));
        self.restores_at(envoy, from, &asked.collect::<Vec<_>>(), counter);
    }

    fn restores_at(&self, envoy: &Envoy, from: &Netns, asked: &[SocketAddr], counter: &str) {
        for &to in asked {
            let Answer { reached, local } =
                tcp_ask(from, to).unwrap_or_else(|f| panic!("{to}: {f}"));
            assert_eq!(reached.local, to);
            let client = local.to_string();
            envoy.wait_access_log(|log| {
                access_log::of(log, Source::Tcp).iter().any(|entry| {
                    entry["downstream_remote_address"] == client
                        && entry["downstream_local_address"] == to.to_string()
                })
            });
        }
        let count = asked.len() as u64;
        assert_eq!(
            envoy.stat_sum(&format!("original_dst.{counter}")),
            Some(count)
        );
    }

    /// Connections do not go through Envoy: the server sees the client itself.
    fn passes_by(&self, from: &Netns, destinations: &[IpAddr], port: u16) {
        for to in destinations.iter().map(|ip| SocketAddr::new(*ip, port)) {
            let answer = tcp_ask(from, to).unwrap_or_else(|f| panic!("{to}: {f}"));
            assert_eq!(answer.reached.peer, answer.local, "{to}");
        }
    }
}

fn newest() -> Version {
    Version::V1_40
}

fn wildcard() -> Listener {
    Listener::new("[::]:15001")
        .filter(module_filter(None))
        .ipv4_compat()
}
