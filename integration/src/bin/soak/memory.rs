//! Envoy's memory over the run.

use std::fs;
use std::thread;
use std::time::Duration;

use lab::Envoy;
use serde::Serialize;
use serde_json::Value;

/// Memory at one moment, in KiB.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sample {
    /// Connections so far.
    pub connections: u64,
    /// What the process holds of the machine's memory.
    pub resident: f64,
    /// What Envoy's allocator has given out.
    pub allocated: f64,
}

impl Sample {
    pub fn take(envoy: &Envoy, connections: u64) -> Self {
        let memory: Value = serde_json::from_str(&envoy.admin("/memory")).expect("JSON");
        let allocated = memory["allocated"]
            .as_str()
            .and_then(|n| n.parse::<f64>().ok());
        Self {
            connections,
            resident: resident(envoy.pid()),
            allocated: allocated.expect("a number of bytes") / 1024.0,
        }
    }
}

/// Growth by the straight line that is nearest to the samples.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Growth {
    /// In KiB.
    pub per_million: f64,
    /// From the line's first point to its last, in KiB.
    pub total: f64,
    /// As before, in percent of the line's first point.
    pub percent: f64,
}

impl Growth {
    pub fn of(samples: &[Sample], value: fn(&Sample) -> f64) -> Option<Self> {
        let (first, last) = (samples.first()?, samples.last()?);
        let points = samples
            .iter()
            .map(|sample| (sample.connections as f64, value(sample)));
        let count = samples.len() as f64;
        let (sum_x, sum_y) = points
            .clone()
            .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
        let (mean_x, mean_y) = (sum_x / count, sum_y / count);
        let (above, below) = points.fold((0.0, 0.0), |(a, b), (x, y)| {
            (a + (x - mean_x) * (y - mean_y), b + (x - mean_x).powi(2))
        });
        if below == 0.0 {
            return None;
        }
        let slope = above / below;
        let total = slope * (last.connections - first.connections) as f64;
        let start = mean_y + slope * (first.connections as f64 - mean_x);
        Some(Self {
            per_million: slope * 1e6,
            total,
            percent: 100.0 * total / start,
        })
    }
}

/// `VmRSS` of a process, in KiB.
fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .expect("VmRSS in kB")
}

/// How many files an idle Envoy has open. The least of some counts: the connections that ask it for
/// its state take one, for a moment.
pub fn open_files(envoy: &Envoy) -> usize {
    let count = |_| {
        thread::sleep(Duration::from_millis(20));
        envoy.open_files().len()
    };
    (0..10).map(count).min().expect("ten counts")
}
