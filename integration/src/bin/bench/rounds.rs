//! Processor time and memory, in rounds.

use std::time::{Duration, Instant};

use lab::Envoy;

use crate::load::connect;
use crate::process::{cpu_time, resident_kib, user_and_system_ticks};
use crate::site::Site;
use crate::subject::Subject;

/// The connections of each subject in a round.
pub const CONNECTIONS: u32 = TURNS * CONNECTIONS_A_TURN;
const TURNS: u32 = 50;
const CONNECTIONS_A_TURN: u32 = 20;
const WARM_UP: u32 = 50;

/// What a round says of a subject.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// What its connections took of the processor.
    pub cpu: Duration,
    /// The same in ticks, in user space and in the kernel.
    pub ticks: [u64; 2],
    /// Its memory afterwards.
    pub resident_kib: u64,
    /// How long its Envoy took to be ready.
    pub start: Duration,
}

/// A round starts all Envoys anew, since two processes of one program differ too, and lets each have
/// its turn again and again: what else the machine does falls on all of them alike. The samples are
/// in the order of [`Subject::ALL`].
pub fn round(site: &Site) -> Vec<Sample> {
    let mut runs = Subject::ALL.map(|subject| Run::start(site, subject));
    site.as_client(|| {
        runs.iter_mut().for_each(Run::warm_up);
        for _ in 0..TURNS {
            // In another order each time: what ran before leaves its traces in the caches.
            fastrand::shuffle(&mut runs);
            runs.iter_mut().for_each(Run::take_turn);
        }
    });
    runs.sort_by_key(|run| run.subject as usize);
    runs.into_iter().map(Run::end).collect()
}

struct Run {
    subject: Subject,
    envoy: Envoy,
    sample: Sample,
    ticks_before: [u64; 2],
}

impl Run {
    fn start(site: &Site, subject: Subject) -> Self {
        let begin = Instant::now();
        let envoy = site.envoy_of(subject).start();
        let start = begin.elapsed();
        Self {
            subject,
            envoy,
            sample: Sample {
                start,
                ..Sample::default()
            },
            ticks_before: [0; 2],
        }
    }

    fn warm_up(&mut self) {
        connect(self.subject, WARM_UP);
        self.ticks_before = user_and_system_ticks(self.envoy.pid());
    }

    fn take_turn(&mut self) {
        let before = cpu_time(self.envoy.pid());
        connect(self.subject, CONNECTIONS_A_TURN);
        self.sample.cpu += cpu_time(self.envoy.pid()) - before;
    }

    fn end(mut self) -> Sample {
        let pid = self.envoy.pid();
        let (ticks, before) = (user_and_system_ticks(pid), self.ticks_before);
        self.sample.ticks = [ticks[0] - before[0], ticks[1] - before[1]];
        self.sample.resident_kib = resident_kib(pid);
        self.sample
    }
}
