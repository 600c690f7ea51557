//! Counters and gauges.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The metrics of one listener, by id. Envoy 1.37 counts ids from 0, for each kind.
pub(crate) struct Metrics {
    /// As many as there may be.
    room: usize,
    pub(crate) counters: Vec<Metric>,
    pub(crate) gauges: Vec<Metric>,
}

/// One metric. Worker threads share it.
pub(crate) struct Metric {
    name: String,
    value: AtomicU64,
}

impl Metrics {
    pub(crate) fn with_room(room: usize) -> Self {
        Self {
            room,
            counters: Vec::new(),
            gauges: Vec::new(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.counters.len() + self.gauges.len() >= self.room
    }

    pub(crate) fn counter(&self, name: &str) -> Option<u64> {
        find(&self.counters, name)
    }

    pub(crate) fn gauge(&self, name: &str) -> Option<u64> {
        find(&self.gauges, name)
    }

    pub(crate) fn counted(&self) -> Vec<(&str, u64)> {
        let values = self.counters.iter();
        let values = values.map(|metric| (metric.name.as_str(), metric.value.load(Relaxed)));
        values.filter(|(_, value)| *value != 0).collect()
    }
}

impl Metric {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            value: AtomicU64::new(0),
        }
    }

    pub(crate) fn add(&self, value: u64) {
        self.value.fetch_add(value, Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.value.store(value, Relaxed);
    }
}

fn find(metrics: &[Metric], name: &str) -> Option<u64> {
    let metric = metrics.iter().find(|metric| metric.name == name)?;
    Some(metric.value.load(Relaxed))
}
