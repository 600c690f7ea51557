//! Runs scenarios in one Envoy.

use std::thread;
use std::time::{Duration, Instant};

use lab::{Builder, Envoy, Lab, Netns, Version, bootstrap, with_internal_listeners};
use serde_json::Value;

use crate::scenario::{Bench, Scenario};
use crate::site::{Kind, Ports, Site, clusters};
use crate::traffic::{Ask, normalize};

/// A scenario with its ports.
pub type Placed<'a> = (&'a Scenario, Ports);

/// What a scenario came to, without the ports that the kernel chose.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What each client got.
    pub got: Vec<String>,
    /// The entries of its listeners in the access log, in the order of their text.
    pub log: Vec<Value>,
    /// What Envoy said when it died of it.
    pub death: Option<String>,
    /// What Envoy said when it did not start with it.
    pub refused: Option<String>,
    /// The module's counters that are not zero; of all scenarios of the same Envoy.
    pub counters: Vec<(String, u64)>,
}

/// How long connections may take to end after their clients are done.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs scenarios one after the other in one Envoy; in two if it does not start with all of them, and
/// so on, until those that it refuses are alone.
pub fn run(lab: &Lab, version: Version, kind: Kind, scenarios: &[Placed]) -> Vec<Observed> {
    match builder(lab, version, kind, scenarios).try_start() {
        Ok(envoy) => observe(lab, envoy, kind, scenarios),
        Err(log) if scenarios.len() == 1 => vec![Observed {
            refused: Some(last_words(&log)),
            ..Observed::default()
        }],
        Err(_) => {
            let (some, others) = scenarios.split_at(scenarios.len() / 2);
            let half = |scenarios| run(lab, version, kind, scenarios);
            [half(some), half(others)].concat()
        }
    }
}

/// An Envoy for some scenarios.
fn builder(lab: &Lab, version: Version, kind: Kind, scenarios: &[Placed]) -> Builder {
    let (mut listeners, mut all_clusters) = (Vec::new(), Vec::from(clusters()));
    for (scenario, ports) in scenarios {
        let site = Site {
            kind,
            ports: *ports,
        };
        let (more_listeners, more_clusters) = site.build(&scenario.listen);
        listeners.extend(more_listeners);
        all_clusters.extend(more_clusters);
    }
    let config = with_internal_listeners(bootstrap(listeners, all_clusters));
    // A loop through two workers ends elsewhere each time.
    let is_alone = scenarios
        .iter()
        .any(|(scenario, _)| scenario.bench == Bench::Alone);
    let workers = if is_alone { 1 } else { 2 };
    // ECDS asks for a node.
    let node = ["--service-node", "lab", "--service-cluster", "lab"];
    let builder = Envoy::builder(&lab.gateway, version)
        .config(config)
        .log_level("warning")
        .concurrency(workers);
    node.into_iter().fold(builder, Builder::argument)
}

/// Runs scenarios in an Envoy that has started with them.
fn observe(lab: &Lab, mut envoy: Envoy, kind: Kind, scenarios: &[Placed]) -> Vec<Observed> {
    let mut observed: Vec<Observed> = Vec::new();
    for (scenario, ports) in scenarios {
        let mut seen = Observed::default();
        if envoy.is_alive() {
            seen.got = ask(lab, scenario, *ports);
        }
        seen.death = death(&mut envoy, patience(scenario, kind));
        observed.push(seen);
    }
    if envoy.is_alive() {
        wait_ended(&lab.gateway, &envoy);
        let counters = counters(&envoy);
        observed
            .iter_mut()
            .for_each(|seen| seen.counters.clone_from(&counters));
    }
    let log = envoy.access_log();
    for (seen, (_, ports)) in observed.iter_mut().zip(scenarios) {
        seen.log = log
            .iter()
            .filter(|entry| is_of(entry, *ports))
            .cloned()
            .collect();
        seen.log.iter_mut().for_each(normalize);
        seen.log.sort_by_key(Value::to_string);
    }
    observed
}

fn ask(lab: &Lab, scenario: &Scenario, ports: Ports) -> Vec<String> {
    let in_turn =
        |asks: &[Ask]| -> Vec<String> { asks.iter().map(|ask| ask.run(lab, ports)).collect() };
    thread::scope(|scope| {
        let shares = scenario.asks.chunks(CROWD);
        let crowd: Vec<_> = shares
            .map(|asks| scope.spawn(move || in_turn(asks)))
            .collect();
        crowd
            .into_iter()
            .flat_map(|client| client.join().expect("a client"))
            .collect()
    })
}

/// So many connections come one after the other; if there are more, others come beside them.
const CROWD: usize = 10;

/// How long to wait for an Envoy that a scenario may end.
fn patience(scenario: &Scenario, kind: Kind) -> Duration {
    if scenario.bench != Bench::Alone {
        Duration::ZERO
    } else if kind != Kind::Nothing && scenario.expected_of(kind).dies {
        END_TIMEOUT
    } else {
        Duration::from_millis(300)
    }
}

/// The last words of an Envoy that dies soon.
fn death(envoy: &mut Envoy, patience: Duration) -> Option<String> {
    let deadline = Instant::now() + patience;
    while envoy.is_alive() {
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Some(last_words(&envoy.log()))
}

/// Why an Envoy ended, by its log.
fn last_words(log: &str) -> String {
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("[critical]"));
    line.unwrap_or("nothing").to_owned()
}

/// Whether a listener with one of these ports has written the entry.
fn is_of(entry: &Value, ports: Ports) -> bool {
    let port = entry["listener"]
        .as_str()
        .and_then(|name| name.rsplit_once(':')?.1.parse().ok());
    port.is_some_and(|port: u16| port == ports.destination || port == ports.listener)
}

/// Waits until every connection has been accepted and has ended, and its entries are written.
fn wait_ended(host: &Netns, envoy: &Envoy) {
    let deadline = Instant::now() + END_TIMEOUT;
    while (host.waiting("") > 0 || active(envoy) > 0) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    // Twice the interval at which Envoy writes its log.
    thread::sleep(Duration::from_millis(100));
}

fn active(envoy: &Envoy) -> u64 {
    let text = envoy.admin("/stats?usedonly&filter=downstream_(pre_)?cx_active");
    let lines = text
        .lines()
        .filter(|line| line.starts_with("listener.") && !line.contains("admin"));
    lines
        .filter_map(|line| line.rsplit_once(": ")?.1.parse::<u64>().ok())
        .sum()
}

fn counters(envoy: &Envoy) -> Vec<(String, u64)> {
    let text = envoy.admin("/stats?usedonly&filter=original_dst\\.");
    let counter = |line: &str| {
        let (name, value) = line.rsplit_once(": ")?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.lines().filter_map(counter).collect()
}
