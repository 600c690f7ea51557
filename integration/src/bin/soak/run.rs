//! The run itself: traffic in stages, updates meanwhile, and a look at the idle Envoy after each.

use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Envoy, Lab, eventually};

use crate::crowd::Crowd;
use crate::listeners::ROUND;
use crate::memory::Sample;
use crate::report;
use crate::site::Site;

const SAMPLE: Duration = Duration::from_secs(1);
const PROGRESS: Duration = Duration::from_secs(5);

/// Traffic until there are so many connections and so many updates, one in each period.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    pub connections: u64,
    pub updates: u32,
    pub period: Duration,
}

/// A run under way.
pub struct Run<'a> {
    pub lab: &'a Lab,
    pub envoy: &'a Envoy,
    pub crowd: &'a Crowd,
    pub site: Site,
    pub guest: RwLock<bool>,
    pub began: Instant,
    /// So many connections will there be.
    pub wanted: u64,
    /// Under load.
    pub busy: Vec<Sample>,
    /// After each stage: no connection, no replaced listener is left, and the listeners are as they
    /// were at the start.
    pub idle: Vec<Sample>,
}

impl Run<'_> {
    pub fn stage(&mut self, stage: Stage) {
        let (crowd, lab) = (self.crowd, self.lab);
        let guest = &self.guest;
        crowd.resume();
        thread::scope(|scope| {
            scope.spawn(|| crowd.run(&lab.client, guest));
            let _stop = Stop(crowd);
            let begin = Instant::now();
            let (mut updates, mut sampled, mut told) = (0, begin, begin);
            while crowd.done() < stage.connections || updates < stage.updates {
                thread::sleep(stage.period.min(SAMPLE));
                if sampled.elapsed() >= SAMPLE {
                    sampled = Instant::now();
                    self.busy.push(Sample::take(self.envoy, crowd.done()));
                }
                if begin.elapsed() >= stage.period * (updates + 1) {
                    self.site.update(lab, self.envoy, guest);
                    updates += 1;
                }
                if told.elapsed() >= PROGRESS {
                    told = Instant::now();
                    report::progress(self.wanted, self.began.elapsed(), self.busy.last());
                }
            }
        });
        self.rest();
    }

    fn rest(&mut self) {
        while !self.site.updates().is_multiple_of(ROUND) {
            self.site.update(self.lab, self.envoy, &self.guest);
        }
        let envoy = self.envoy;
        eventually("no connection and no replaced listener", || is_idle(envoy));
        self.idle.push(Sample::take(envoy, self.crowd.done()));
    }
}

fn is_idle(envoy: &Envoy) -> bool {
    let stats = envoy.stats();
    let mut connections = stats
        .iter()
        .filter(|(name, _)| name.ends_with("_cx_active") && !name.contains("admin."));
    stats["listener_manager.total_listeners_draining"] == 0 && connections.all(|(_, n)| *n == 0)
}

/// Stops the clients when it is dropped, also by a panic.
struct Stop<'a>(&'a Crowd);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
