//! All that was measured from end to end.

use serde::Serialize;

use super::client::Kind;
use super::layout::Layout;
use super::load::histogram;
use super::round::Sample;
use super::subject::Subject;
use crate::estimate::Estimate;
use crate::machine::Machine;

/// All of it. Every number says its unit in its name.
#[derive(Debug, Serialize)]
pub struct Figures {
    pub machine: Machine,
    pub rounds: usize,
    pub layouts: Vec<Layout>,
    pub rows: Vec<Row>,
}

/// An Envoy, with any number of workers.
#[derive(Debug, Serialize)]
pub struct Row {
    pub subject: Subject,
    pub name: &'static str,
    pub resident_kib_for_10000_connections: Option<f64>,
    pub instructions: Vec<Instructions>,
    pub exchanges: Vec<OfKind>,
}

/// Those in user space of the whole Envoy for one exchange, with one worker.
#[derive(Debug, Serialize)]
pub struct Instructions {
    pub kind: Kind,
    pub count: f64,
    pub ratio: f64,
}

/// One kind of exchange, with so many workers. Ratios are to what the subject is compared to, in the
/// same round: the built-in filter, with network RBAC if connections are refused.
#[derive(Debug, Serialize)]
pub struct OfKind {
    pub kind: Kind,
    pub workers: usize,
    pub cpu_microseconds: Estimate,
    pub cpu_ratio: Estimate,
    /// As fast as they are answered.
    pub per_second: Estimate,
    pub per_second_ratio: Estimate,
    pub latency: Option<Latency>,
    /// The ratio of CPU time, to the one with one worker.
    pub growth_ratio: Estimate,
}

/// From connect to first byte, at half the capacity of the built-in filter.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// Of the exchanges of all rounds.
    pub p50_microseconds: u64,
    pub p99_microseconds: u64,
    pub p50_ratio: Estimate,
    pub p99_ratio: Estimate,
}

/// Memory and instructions are in the order of [`Subject::passing`], those of [`Kind::ANSWERED`].
pub struct Measured {
    pub machine: Machine,
    pub layouts: Vec<Layout>,
    pub memory: Vec<f64>,
    pub instructions: Vec<[f64; 3]>,
    pub rounds: Vec<Vec<Sample>>,
}

impl Figures {
    pub fn new(measured: Measured) -> Self {
        Self {
            rounds: measured.rounds.len(),
            rows: Subject::ALL.map(|subject| measured.row(subject)).into(),
            machine: measured.machine,
            layouts: measured.layouts,
        }
    }

    /// One kind of exchange with a subject.
    pub fn of(&self, subject: Subject, kind: Kind, workers: usize) -> &OfKind {
        let mut exchanges = self.rows[subject as usize].exchanges.iter();
        exchanges
            .find(|of| (of.kind, of.workers) == (kind, workers))
            .expect("what was measured")
    }

    /// The numbers of workers.
    pub fn workers(&self) -> impl Iterator<Item = usize> {
        self.layouts.iter().map(|layout| layout.workers)
    }
}

impl Measured {
    fn row(&self, subject: Subject) -> Row {
        let layouts = 0..self.layouts.len();
        Row {
            subject,
            name: subject.name(),
            resident_kib_for_10000_connections: self.memory.get(subject as usize).copied(),
            instructions: self.instructions(subject),
            exchanges: layouts
                .flat_map(|layout| {
                    let kinds = subject.kinds().iter();
                    kinds.map(move |kind| self.exchange(subject, layout, *kind))
                })
                .collect(),
        }
    }

    fn instructions(&self, subject: Subject) -> Vec<Instructions> {
        let built_in = self.instructions[Subject::BuiltIn as usize];
        let own = self
            .instructions
            .get(subject as usize)
            .into_iter()
            .flatten();
        let kinds = Kind::ANSWERED.into_iter().zip(own).zip(built_in);
        kinds
            .map(|((kind, count), built_in)| Instructions {
                kind,
                count: *count,
                ratio: count / built_in,
            })
            .collect()
    }

    fn exchange(&self, subject: Subject, layout: usize, kind: Kind) -> OfKind {
        let ratios = |of: fn(&Sample) -> f64, layout| {
            let own = self.samples(subject, layout, kind).map(of);
            let reference = self.samples(subject.reference(), layout, kind).map(of);
            own.zip(reference).map(|(own, reference)| own / reference)
        };
        let estimate =
            |of: fn(&Sample) -> f64| Estimate::of(self.samples(subject, layout, kind).map(of));
        let growth = ratios(cpu, layout)
            .zip(ratios(cpu, 0))
            .map(|(many, one)| many / one);
        let latency = || {
            let mut all = histogram();
            for sample in self.samples(subject, layout, kind) {
                all.add(&sample.latency).expect("the same bounds");
            }
            Latency {
                p50_microseconds: all.value_at_quantile(0.5),
                p99_microseconds: all.value_at_quantile(0.99),
                p50_ratio: Estimate::of(ratios(p50, layout)),
                p99_ratio: Estimate::of(ratios(p99, layout)),
            }
        };
        OfKind {
            kind,
            workers: self.layouts[layout].workers,
            cpu_microseconds: estimate(cpu),
            cpu_ratio: Estimate::of(ratios(cpu, layout)),
            per_second: estimate(per_second),
            per_second_ratio: Estimate::of(ratios(per_second, layout)),
            latency: kind.has_latency().then(latency),
            growth_ratio: Estimate::of(growth),
        }
    }

    /// One of each round.
    fn samples(
        &self,
        subject: Subject,
        layout: usize,
        kind: Kind,
    ) -> impl Iterator<Item = &Sample> {
        let wanted = (subject, layout, kind);
        self.rounds.iter().map(move |round| {
            let mut samples = round.iter();
            samples
                .find(|sample| (sample.subject, sample.layout, sample.kind) == wanted)
                .expect("what was measured")
        })
    }
}

fn cpu(sample: &Sample) -> f64 {
    sample.cpu.as_secs_f64() * 1e6 / f64::from(sample.exchanges)
}

fn per_second(sample: &Sample) -> f64 {
    f64::from(sample.exchanges) / sample.elapsed.as_secs_f64()
}

fn p50(sample: &Sample) -> f64 {
    sample.latency.value_at_quantile(0.5) as f64
}

fn p99(sample: &Sample) -> f64 {
    sample.latency.value_at_quantile(0.99) as f64
}
