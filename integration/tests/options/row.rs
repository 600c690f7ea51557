//! Tables: a row is one connection through a listener of its own.

use std::collections::BTreeMap;

use lab::access_log::{Source, of};
use lab::address::canonical;
use lab::client::tcp_ask;
use lab::{Answer, Envoy, Lab, Upstream, Version};
use serde_json::{Value, json};

use crate::way::{Way, config, module, with_port};
use crate::{LISTENER, PORT, start};

/// A service of the gateway's own.
pub const OWN_PORT: u16 = 8081;

/// One connection: options, way, destination, what the filter has to find, and the end.
///
/// The options are YAML. In them and in the destination, `LISTENER` stands for the listener's
/// port. What is found is a verdict `by` a method.
pub type Row = (&'static str, Way, &'static str, &'static str, End);

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It gets to the destination, which answers.
    Restored,
    /// It goes on unrestored: the cluster does not know where to.
    Left,
    /// The filter closes it.
    Closed,
}

/// Makes the connection of every row in every version, one after the other.
pub fn check(rows: &[Row]) {
    check_in(&Lab::new(), rows, |config| config);
}

/// The same in a lab that is prepared, with Envoy's config edited.
pub fn check_in(lab: &Lab, rows: &[Row], edit: impl FnOnce(Value) -> Value) {
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let _own = Upstream::start(&lab.gateway, &[OWN_PORT]);
    // A denied destination that is there: only the rules keep clients away from it.
    lab.upstream.ip("addr add 169.254.169.254/32 dev lo");
    lab.gateway.ip("route add 169.254.169.254/32 via 10.2.0.2");
    let rows: Vec<_> = rows.iter().zip(LISTENER..).map(Case::new).collect();
    let config = config(
        rows.iter()
            .map(|row| (row.filter(), row.way, &*row.to, row.port)),
    );
    let config = edit(config);
    for version in Version::under_test() {
        let envoy = start(lab, version, config.clone());
        for row in &rows {
            row.way.set_up(lab, row.port);
            row.check(lab, &envoy, version);
        }
    }
}

/// A row and its listener's port, which is in the place of `LISTENER` in the destination.
#[derive(Debug)]
struct Case {
    port: u16,
    options: &'static str,
    way: Way,
    to: String,
    verdict: &'static str,
    method: &'static str,
    end: End,
}

impl Case {
    fn new((&(options, way, to, found, end), port): (&Row, u16)) -> Self {
        let (verdict, method) = found.split_once(" by ").expect("a verdict and a method");
        Self {
            port,
            options,
            way,
            to: with_port(to, port),
            verdict,
            method,
            end,
        }
    }

    fn filter(&self) -> Value {
        let mut filter = module(self.options, self.port);
        filter["typed_config"]["filter_config"]["value"]["publish_metadata"] = json!(true);
        filter
    }

    fn check(&self, lab: &Lab, envoy: &Envoy, version: Version) {
        let before = filter_stats(envoy);
        let answer = tcp_ask(&lab.client, self.way.asked(&self.to, self.port));
        match (self.end, &answer) {
            (End::Restored, Ok(Answer { reached, local })) => {
                let place = place(&self.to);
                assert_eq!(reached.local.to_string(), place, "{self:?} in {version}");
                assert_ne!(
                    reached.peer, *local,
                    "{self:?} in {version}: not through Envoy"
                );
            }
            (End::Left | End::Closed, Err(failure)) if failure.is_closed() => {}
            _ => panic!("{self:?} in {version}: {answer:?}"),
        }
        let moved = moved(&before, &filter_stats(envoy));
        assert_eq!(moved, [self.counter()], "{self:?} in {version}");
        let client = answer.ok().map(|answer| answer.local.to_string());
        self.check_access_log(envoy, version, client.filter(|_| !self.way.is_internal()));
    }

    /// The listener's entry and, unless a filter closed the connection, the TCP proxy's.
    fn check_access_log(&self, envoy: &Envoy, version: Version, client: Option<String>) {
        let listener = self.way.listener(self.port);
        let is_ours = |entry: &&Value| entry["listener"] == *listener;
        let proxied = usize::from(self.end != End::Closed);
        let log = envoy.wait_access_log(|log| log.iter().filter(is_ours).count() > proxied);
        let log: Vec<Value> = log.iter().filter(is_ours).cloned().collect();
        let (of_listener, of_proxy) = (of(&log, Source::Listener), of(&log, Source::Tcp));
        let row = format!("{self:?} in {version}: {log:#?}");
        assert_eq!((of_listener.len(), of_proxy.len()), (1, proxied), "{row}");

        let entry = of_listener[0];
        let reason = self.reason();
        let details = match version {
            // It has no details for a listener filter to give.
            Version::V1_37 => &Value::Null,
            _ => &reason,
        };
        assert_eq!(entry["connection_termination_details"], *details, "{row}");
        assert_eq!(
            entry["downstream_transport_failure_reason"], reason,
            "{row}"
        );
        let remote = &entry["downstream_remote_address"];
        assert!(client.is_none_or(|client| *remote == client), "{row}");
        let mut published = entry["original_dst"].clone();
        let rule = published
            .as_object_mut()
            .and_then(|keys| keys.remove("rule"));
        assert_eq!(published, self.metadata(remote), "{row}");
        let rule = rule.as_ref().map(|rule| rule.as_str().unwrap_or_default());
        assert!(self.is_denied_by(rule), "{row}");

        match self.end {
            End::Restored => {
                assert_eq!(of_proxy[0]["upstream_host"], self.to, "{row}");
                assert_eq!(of_proxy[0]["downstream_local_address"], self.to, "{row}");
            }
            End::Left => assert_eq!(of_proxy[0]["response_flags"], "UH", "{row}"),
            End::Closed => {}
        }
    }

    /// Whether that can be the rule that denied it: one of the list, or that none allows it.
    fn is_denied_by(&self, rule: Option<&str>) -> bool {
        match rule {
            None => self.verdict != "DENIED",
            Some("no allow entry matches") => {
                self.verdict == "DENIED" && self.options.contains("allow:")
            }
            Some(rule) => {
                self.verdict == "DENIED"
                    && rule.starts_with("deny[")
                    && rule
                        .split_once("] ")
                        .is_some_and(|(_, name)| self.options.contains(name))
            }
        }
    }

    /// The one counter that counts it.
    fn counter(&self) -> &'static str {
        match (self.verdict, self.method) {
            ("RESTORED", "SO_ORIGINAL_DST") => "restored_redirect",
            ("RESTORED", "TRANSPARENT") => "restored_transparent",
            ("RESTORED", "LOCAL_ADDRESS") => "restored_local_address",
            ("RESTORED", "METADATA") => "restored_metadata",
            ("RESTORED", "FILTER_STATE") => "restored_filter_state",
            ("UNREDIRECTED", _) => "unredirected",
            ("DENIED", _) => "denied",
            ("UNAVAILABLE", "NONE") => "unavailable",
            ("INVALID", "NONE") => "invalid_address",
            found => panic!("no counter for {found:?}"),
        }
    }

    /// Why it was closed.
    fn reason(&self) -> Value {
        match (self.end, self.verdict) {
            (End::Closed, "UNREDIRECTED") => json!("original_dst_unredirected"),
            (End::Closed, "DENIED") => json!("original_dst_denied"),
            (End::Closed, "UNAVAILABLE") => json!("original_dst_unavailable"),
            (End::Closed, "INVALID") => json!("original_dst_invalid_address"),
            _ => Value::Null,
        }
    }

    /// All that the filter publishes: nothing about what there is not, and no address of a restored
    /// connection, which Envoy's own operators show.
    fn metadata(&self, client: &Value) -> Value {
        let asked = self.way.asked(&self.to, self.port);
        let arrived_at = self.way.arrived_at(asked, self.port).to_string();
        let mut metadata = json!({ "verdict": self.verdict, "method": self.method });
        if self.verdict == "RESTORED" {
            return metadata;
        }
        if !self.way.is_internal() {
            metadata["source"] = client.clone();
            metadata["listener_address"] = json!(arrived_at);
        }
        match self.method {
            "NONE" => {}
            "TRANSPARENT" => metadata["destination"] = json!(arrived_at),
            _ => metadata["destination"] = json!(canonical_text(&self.to)),
        }
        metadata
    }
}

/// A v4-mapped address is the IPv4 address that it stands for.
fn canonical_text(address: &str) -> String {
    address
        .parse()
        .map_or(address.to_owned(), |address| canonical(address).to_string())
}

/// Linux connects to loopback instead of the unspecified address.
fn place(address: &str) -> String {
    let loopback = [("0.0.0.0:", "127.0.0.1:"), ("[::]:", "[::1]:")];
    let mut places = loopback.iter().filter_map(|(unspecified, loopback)| {
        Some(format!("{loopback}{}", address.strip_prefix(unspecified)?))
    });
    places.next().unwrap_or_else(|| address.to_owned())
}

/// Counters by their names.
pub type Stats = BTreeMap<String, u64>;

/// The filter's stats in all listeners, but for the number of rules: before Envoy 1.39 it is there from
/// the first connection on.
pub fn filter_stats(envoy: &Envoy) -> Stats {
    let mut stats = envoy.stats();
    stats.retain(|name, _| {
        name.starts_with("listener.")
            && name.contains(".original_dst.")
            && !name.ends_with(".destination_rules")
    });
    stats
}

/// The last parts of the names of the stats that moved; the number too if it is not by one.
pub fn moved(before: &Stats, after: &Stats) -> Vec<String> {
    let moved = after.iter().filter_map(|(name, value)| {
        let last = name.rsplit_once('.')?.1;
        match value - before.get(name).unwrap_or(&0) {
            0 => None,
            1 => Some(last.to_owned()),
            n => Some(format!("{last} +{n}")),
        }
    });
    moved.collect()
}
