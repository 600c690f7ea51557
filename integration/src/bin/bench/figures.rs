//! All that was measured.

use serde::Serialize;

use crate::estimate::Estimate;
use crate::feed::Feed;
use crate::machine::Machine;
use crate::pieces::Piece;
use crate::rounds::{CONNECTIONS, Sample};
use crate::subject::{FEW, MANY, Subject};
use crate::{callgrind, syscalls};

/// All of it. Every number says its unit in its name.
#[derive(Debug, Serialize)]
pub struct Figures {
    pub machine: Machine,
    pub rounds: usize,
    pub connections_per_round: u32,
    pub library_bytes: u64,
    /// Of the reading of 100,000 rules and the making of their table.
    pub load_of_100000_rules_milliseconds: Estimate,
    /// Beyond what Envoy takes for the text of the rules: the table, and what its making left.
    pub resident_bytes_per_rule: Estimate,
    pub subjects: Vec<Row>,
    pub options: Vec<OptionRow>,
    pub pieces: Vec<Piece>,
    pub feeds: Vec<Feed>,
}

/// What was measured of a subject. What is per connection is of the whole Envoy.
#[derive(Debug, Serialize)]
pub struct Row {
    pub subject: Subject,
    pub name: &'static str,
    pub instructions_per_connection: f64,
    pub module_allocations_per_connection: f64,
    pub cpu_microseconds_per_connection: Estimate,
    pub user_microseconds_per_connection: f64,
    pub system_microseconds_per_connection: f64,
    /// To the built-in filter's of the same round.
    pub cpu_ratio_to_built_in: Estimate,
    pub system_calls_per_connection: f64,
    pub getsockopt_calls_per_connection: f64,
    pub resident_kib: f64,
    pub start_milliseconds: f64,
}

/// What an option adds to a connection.
#[derive(Debug, Serialize)]
pub struct OptionRow {
    pub subject: Subject,
    pub name: &'static str,
    pub instructions_per_connection: f64,
    pub instructions_above_plain: f64,
    pub system_calls_above_plain: f64,
    pub getsockopt_calls_above_plain: f64,
    pub module_allocations_per_connection: f64,
}

/// The counts are in the order of [`Subject::all`], the samples of each round in that of
/// [`Subject::ALL`].
pub struct Measured {
    pub machine: Machine,
    pub library_bytes: u64,
    pub pieces: Vec<Piece>,
    pub feeds: Vec<Feed>,
    pub instructions: Vec<callgrind::Count>,
    pub system_calls: Vec<syscalls::Count>,
    pub rounds: Vec<Vec<Sample>>,
}

impl Figures {
    pub fn new(measured: Measured) -> Self {
        Self {
            rounds: measured.rounds.len(),
            connections_per_round: CONNECTIONS,
            library_bytes: measured.library_bytes,
            load_of_100000_rules_milliseconds: measured.load_milliseconds(),
            resident_bytes_per_rule: measured.bytes_per_rule(),
            subjects: Subject::ALL.map(|subject| measured.row(subject)).into(),
            options: Subject::OPTIONS
                .map(|subject| measured.option(subject))
                .into(),
            machine: measured.machine,
            pieces: measured.pieces,
            feeds: measured.feeds,
        }
    }

    pub fn of(&self, subject: Subject) -> &Row {
        &self.subjects[subject as usize]
    }

    pub fn of_option(&self, subject: Subject) -> &OptionRow {
        let mut options = self.options.iter();
        let found = options.find(|row| row.subject == subject);
        found.expect("an option")
    }
}

impl Measured {
    fn row(&self, subject: Subject) -> Row {
        let samples = || self.samples(subject);
        let cpu = Estimate::of(samples().map(microseconds));
        let ticks = samples().map(|sample| sample.ticks);
        let [user, system] = ticks.fold([0, 0], |sum, ticks| [0, 1].map(|i| sum[i] + ticks[i]));
        let share = |ticks: u64| cpu.median * ticks as f64 / (user + system) as f64;
        let built_in = self.samples(Subject::BuiltIn);
        let ratios = samples()
            .zip(built_in)
            .map(|(sample, built_in)| microseconds(sample) / microseconds(built_in));
        let (count, calls) = (
            self.instructions[subject as usize],
            self.system_calls[subject as usize],
        );
        Row {
            subject,
            name: subject.name(),
            instructions_per_connection: count.instructions,
            module_allocations_per_connection: count.module_allocations,
            cpu_microseconds_per_connection: cpu,
            user_microseconds_per_connection: share(user),
            system_microseconds_per_connection: share(system),
            cpu_ratio_to_built_in: Estimate::of(ratios),
            system_calls_per_connection: calls.all,
            getsockopt_calls_per_connection: calls.getsockopt,
            resident_kib: Estimate::of(samples().map(|s| s.resident_kib as f64)).median,
            start_milliseconds: Estimate::of(samples().map(start)).median,
        }
    }

    fn option(&self, subject: Subject) -> OptionRow {
        let instructions = |subject| self.instructions[subject as usize].instructions;
        let above_plain = |of: fn(&syscalls::Count) -> f64| {
            let of = |subject| of(&self.system_calls[subject as usize]);
            of(subject) - of(Subject::Module)
        };
        OptionRow {
            subject,
            name: subject.name(),
            instructions_per_connection: instructions(subject),
            instructions_above_plain: instructions(subject) - instructions(Subject::Module),
            system_calls_above_plain: above_plain(|calls| calls.all),
            getsockopt_calls_above_plain: above_plain(|calls| calls.getsockopt),
            module_allocations_per_connection: self.instructions[subject as usize]
                .module_allocations,
        }
    }

    fn samples(&self, subject: Subject) -> impl Iterator<Item = &Sample> {
        self.rounds
            .iter()
            .map(move |round| &round[subject as usize])
    }

    /// What the module takes of the start: the example that ignores its options does not.
    fn load_milliseconds(&self) -> Estimate {
        let ignored = self.samples(Subject::EmptyWithRules).map(start);
        let loaded = self.samples(Subject::ManyRules).map(start);
        Estimate::of(
            loaded
                .zip(ignored)
                .map(|(loaded, ignored)| loaded - ignored),
        )
    }

    fn bytes_per_rule(&self) -> Estimate {
        let bytes = |round: &[Sample], with: Subject, without: Subject| {
            let kib = |subject: Subject| round[subject as usize].resident_kib as f64;
            1024.0 * (kib(with) - kib(without))
        };
        Estimate::of(self.rounds.iter().map(|round| {
            let many = bytes(round, Subject::ManyRules, Subject::EmptyWithRules);
            let few = bytes(round, Subject::FewRules, Subject::Empty);
            (many - few) / f64::from(MANY - FEW)
        }))
    }
}

fn microseconds(sample: &Sample) -> f64 {
    sample.cpu.as_secs_f64() * 1e6 / f64::from(CONNECTIONS)
}

fn start(sample: &Sample) -> f64 {
    sample.start.as_secs_f64() * 1e3
}
