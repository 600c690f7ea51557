//! Rounds: all Envoys at once, each with its turn again and again.

use std::thread::sleep;
use std::time::Duration;

use hdrhistogram::Histogram;
use lab::Envoy;

use super::client::{Client, Kind};
use super::layout::Layout;
use super::load::{closed, histogram, open};
use super::site::{Site, asked};
use super::subject::Subject;
use crate::process::cpu_time;

/// Of each kind in a round: so many that what else goes on falls on all alike, and so few, each of more
/// than a hundred exchanges, that what another Envoy has left in the caches hardly counts.
const TURNS: u32 = 4;
const CLIENTS: usize = 8;
/// Exchanges of each client in a turn.
const EXCHANGES: u32 = 16;
const REQUESTS: u32 = 48;
const EXCHANGES_AT_RATE: u32 = 6;
/// What clients leave behind is done by then.
const SETTLE: Duration = Duration::from_millis(1);

/// What a round says of one kind of exchange with one Envoy.
#[derive(Clone, Debug)]
pub struct Sample {
    pub subject: Subject,
    pub layout: usize,
    pub kind: Kind,
    pub exchanges: u32,
    /// What Envoy took of the processors for them.
    pub cpu: Duration,
    /// From the first to the last.
    pub elapsed: Duration,
    /// From connect to first byte, in microseconds, at half the capacity of the built-in filter.
    pub latency: Histogram<u64>,
}

/// One round. Envoys are started anew, since two processes of one program differ too.
pub fn round(site: &Site, layouts: &[Layout]) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (index, layout) in layouts.iter().enumerate() {
        let envoys = Subject::ALL.map(|subject| site.start(subject, layout, index));
        let mut runs: Vec<Run> = Subject::ALL
            .iter()
            .zip(&envoys)
            .flat_map(|(subject, envoy)| {
                let run = move |kind: &Kind| Run::new(*subject, index, *kind, envoy);
                subject.kinds().iter().map(run)
            })
            .collect();
        site.as_client(layout, || {
            runs.iter_mut().for_each(Run::warm_up);
            in_turns(&mut runs, Run::take_turn);
            let rates: Vec<_> = runs.iter().filter_map(Run::half_of_built_in).collect();
            in_turns(&mut runs, |run| {
                let rate = rates.iter().find(|(kind, _)| *kind == run.sample.kind);
                if let Some((_, interval)) = rate {
                    run.take_turn_at_rate(*interval);
                }
            });
        });
        samples.extend(runs.into_iter().map(|run| run.sample));
    }
    samples
}

/// In another order each time: what ran before leaves its traces in the caches, and what else the
/// machine does falls on all alike.
fn in_turns<'a>(runs: &mut [Run<'a>], turn: impl Fn(&mut Run<'a>)) {
    for _ in 0..TURNS {
        fastrand::shuffle(runs);
        runs.iter_mut().for_each(&turn);
    }
}

struct Run<'a> {
    envoy: &'a Envoy,
    clients: Vec<Client>,
    sample: Sample,
}

impl<'a> Run<'a> {
    fn new(subject: Subject, layout: usize, kind: Kind, envoy: &'a Envoy) -> Self {
        let asked = asked(subject, layout, kind);
        Self {
            envoy,
            clients: (0..CLIENTS).map(|_| Client::new(kind, asked)).collect(),
            sample: Sample {
                subject,
                layout,
                kind,
                exchanges: 0,
                cpu: Duration::ZERO,
                elapsed: Duration::ZERO,
                latency: histogram(),
            },
        }
    }

    fn warm_up(&mut self) {
        closed(&mut self.clients, EXCHANGES);
    }

    fn take_turn(&mut self) {
        let each = match self.sample.kind {
            Kind::KeepAlive => REQUESTS,
            _ => EXCHANGES,
        };
        let before = self.settled_cpu_time();
        self.sample.elapsed += closed(&mut self.clients, each);
        self.sample.cpu += self.settled_cpu_time() - before;
        self.sample.exchanges += each * CLIENTS as u32;
    }

    fn take_turn_at_rate(&mut self, interval: Duration) {
        let latency = open(&mut self.clients, EXCHANGES_AT_RATE, interval);
        self.sample.latency.add(latency).expect("the same bounds");
    }

    /// The time between exchanges at half the capacity, if this is the built-in filter.
    fn half_of_built_in(&self) -> Option<(Kind, Duration)> {
        let Sample { subject, kind, .. } = self.sample;
        let interval = 2 * self.sample.elapsed / self.sample.exchanges;
        (subject == Subject::BuiltIn && kind.has_latency()).then_some((kind, interval))
    }

    fn settled_cpu_time(&self) -> Duration {
        sleep(SETTLE);
        cpu_time(self.envoy.pid())
    }
}
