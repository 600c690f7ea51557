//! Connects in every cell of a table.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use lab::access_log::{Source, of};
use lab::client::tcp_ask;
use lab::module::{builtin_filter, module_filter};
use lab::{Answer, Envoy, Failure, Lab, Netns, Version, bootstrap};
use serde_json::Value;

use super::gateway::{lab, resolve};
use super::guard::Guard;
use super::place::{Bound, Client, LIMIT, Place};
use super::table::{Cell, Row};
use crate::{LISTENER, namespace};

/// Where Envoy runs. Its listeners are always the gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envoys {
    /// On the gateway.
    Inside,
    /// On the upstream, from where it reaches what of the gateway's addresses is routed there.
    Outside,
}

/// How many connections came to the network filters of a place, and how many the module counted as
/// unredirected and as without a destination.
type Counts = [u64; 3];

/// Connects in every cell, in every version: first through Envoy's own filter, to see that the table
/// is right about where it loops, then guarded.
pub fn check(rows: &[Row], envoys: Envoys, guard: Guard) {
    let lab = lab();
    guard.set_up(&lab);
    let places = places(rows);
    places.iter().for_each(|place| place.set_up(&lab.gateway));
    let mut wrong = Vec::new();
    for version in Version::under_test() {
        for guard in [None, Some(guard)] {
            let round = Round {
                lab: &lab,
                places: &places,
                version,
                guard,
                envoy: start(&lab, &places, envoys, guard, version),
            };
            let rows = rows.iter().filter(|row| round.survives(row));
            let misses: Vec<String> = rows.flat_map(|row| round.connect(row)).collect();
            let what = format!("{version}, Envoy {envoys:?}, {guard:?}");
            wrong.extend(misses.iter().map(|miss| format!("{what}: {miss}")));
            round.check_access_log();
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cells:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Every place that a row needs.
fn places(rows: &[Row]) -> Vec<Place> {
    let mut ways = Vec::new();
    for way in rows.iter().flat_map(Row::ways) {
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    let places = ways.into_iter().flat_map(|(column, client)| {
        let bounds = [Bound::V4, Bound::V6, Bound::Both];
        bounds.map(|bound| (column, client, bound))
    });
    let place = |((column, client, bound), port)| Place {
        column,
        client,
        bound,
        port,
    };
    places.zip((LISTENER..).step_by(2)).map(place).collect()
}

/// The filter of Envoy's own without a guard.
fn start(
    lab: &Lab,
    places: &[Place],
    envoys: Envoys,
    guard: Option<Guard>,
    version: Version,
) -> Envoy {
    let (host, listen_on) = match envoys {
        Envoys::Inside => (&lab.gateway, None),
        Envoys::Outside => (&lab.upstream, Some(&lab.gateway)),
    };
    let listeners = places.iter().flat_map(|place| {
        let filter = match guard {
            None => builtin_filter(),
            Some(guard) => module_filter(Some(guard.options(place))),
        };
        place.listeners(filter, listen_on)
    });
    let config = bootstrap(listeners, places.iter().map(Place::cluster));
    Envoy::builder(host, version).config(config).start()
}

/// One Envoy and its filter.
struct Round<'a> {
    lab: &'a Lab,
    places: &'a [Place],
    version: Version,
    guard: Option<Guard>,
    envoy: Envoy,
}

impl Round<'_> {
    /// Old Envoys end when they connect to a restored address with a scope.
    fn survives(&self, row: &Row) -> bool {
        self.guard.is_some() || self.version >= Version::V1_39 || !row.address.contains('%')
    }

    /// Connects to one address by all ways at once, and says which cells are not as they should be.
    fn connect(&self, row: &Row) -> Vec<String> {
        let is_ipv4 = is_ipv4(row.address);
        let takes = |place: &&Place| place.bound.takes(is_ipv4);
        let cells: Vec<(&Place, Cell)> = (self.places.iter().filter(takes))
            .filter_map(|place| Some((place, row.cell(place.column, place.client)?)))
            .collect();
        let before = self.counts(&cells);
        let answers = self.ask(row.address, &cells);
        let after = self.counts_after(&before, &cells);
        let seen = before.into_iter().zip(after).zip(answers);
        let seen = seen.map(|((before, after), answer)| {
            let counts: Counts = [0, 1, 2].map(|count| after[count] - before[count]);
            (counts, answer)
        });
        let miss =
            |(&(place, cell), (counts, answer)): (&(_, Cell), (Counts, Result<_, Failure>))| {
                let is_closed = answer.as_ref().is_err_and(Failure::is_closed);
                let wanted = self.wanted(cell);
                let is_right = counts == wanted && is_closed;
                (!is_right).then(|| {
                    let address = row.address;
                    format!("{address} at {place:?}: {counts:?}, not {wanted:?}: {answer:?}")
                })
            };
        cells.iter().zip(seen).filter_map(miss).collect()
    }

    fn wanted(&self, cell: Cell) -> Counts {
        match (self.guard, cell) {
            (None, Cell::Loops) => [1 + LIMIT, 0, 0],
            (None, _) | (Some(Guard::ListenerPorts), Cell::Anycast) => [1, 0, 0],
            (Some(Guard::ListenerPorts), Cell::NoDestination) => [1, 0, 1],
            (Some(_), _) => [0, 1, 0],
        }
    }

    fn ask(&self, address: &str, cells: &[(&Place, Cell)]) -> Vec<Result<Answer, Failure>> {
        let ask = |place: &Place| {
            let host = self.host(place.client);
            tcp_ask(host, resolve(host, address, place.asked()))
        };
        thread::scope(|scope| {
            let clients: Vec<_> = cells
                .iter()
                .map(|(place, _)| scope.spawn(move || ask(place)))
                .collect();
            let answers = clients.into_iter().map(|client| client.join());
            answers
                .map(|answer| answer.expect("clients do not panic"))
                .collect()
        })
    }

    fn host(&self, client: Client) -> &Netns {
        match client {
            Client::Local => &self.lab.gateway,
            Client::Remote => &self.lab.client,
        }
    }

    /// The counts once each cell's connection is among them. Envoy counts one that it has nowhere to
    /// send after it has closed it.
    fn counts_after(&self, before: &[Counts], cells: &[(&Place, Cell)]) -> Vec<Counts> {
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            let after = self.counts(cells);
            let mut pairs = before.iter().zip(&after);
            if pairs.all(|(before, after)| before != after) || Instant::now() > deadline {
                return after;
            }
        }
    }

    fn counts(&self, cells: &[(&Place, Cell)]) -> Vec<Counts> {
        let stats = self.envoy.idle_stats();
        let names = [
            "downstream_cx_total".to_owned(),
            format!("{}.original_dst.unredirected", namespace(self.version)),
            format!("{}.original_dst.unavailable", namespace(self.version)),
        ];
        let count = |place: &Place, name: &str| {
            let listeners = place.listener_stats();
            let values = listeners.filter_map(|listener| stats.get(&format!("{listener}.{name}")));
            values.sum()
        };
        cells
            .iter()
            .map(|(place, _)| [0, 1, 2].map(|index| count(place, &names[index])))
            .collect()
    }

    /// Each connection that the module counted as unredirected was closed as such.
    fn check_access_log(&self) {
        let counted = self.envoy.stat_sum("original_dst.unredirected");
        let refused = |log: &[Value]| {
            let entries = of(log, Source::Listener).into_iter();
            entries
                .filter(|entry| {
                    entry["downstream_transport_failure_reason"] == "original_dst_unredirected"
                })
                .count() as u64
        };
        self.envoy
            .wait_access_log(|log| refused(log) == counted.unwrap_or(0));
    }
}

fn is_ipv4(address: &str) -> bool {
    let ip: Result<IpAddr, _> = address.parse();
    ip.is_ok_and(|ip| ip.to_canonical().is_ipv4())
}
