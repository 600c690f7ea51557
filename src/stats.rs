//! The counters: one increment for a connection, and one more where a source was restored or bad. And
//! the gauge of the rules in force.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_metrics_result as MetricsResult;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyCounterId, EnvoyGaugeId, EnvoyListenerFilter, EnvoyListenerFilterConfig,
};

use crate::verdict::Verdict;

/// The filter's metrics in Envoy, but for the watch of redirection.
pub struct Stats {
    /// By the method that recovered the destination.
    restored: [EnvoyCounterId; 5],
    source_restored: EnvoyCounterId,
    unredirected: EnvoyCounterId,
    looped: EnvoyCounterId,
    unavailable: EnvoyCounterId,
    denied: EnvoyCounterId,
    invalid_address: EnvoyCounterId,
    error: EnvoyCounterId,
    destination_rules: EnvoyGaugeId,
    rules: u64,
    /// Whether the gauge says so. Before Envoy 1.39, only a connection can set it.
    rules_are_shown: AtomicBool,
}

/// A stat's name in Envoy, behind `prefix` and a dot if there is one.
pub fn name(prefix: &str, stat: &str) -> String {
    let dot = if prefix.is_empty() { "" } else { "." };
    format!("{prefix}{dot}original_dst.{stat}")
}

impl Stats {
    /// Defines the metrics; so many rules are in force.
    ///
    /// # Errors
    /// What Envoy answered.
    pub fn new(
        envoy: &mut impl EnvoyListenerFilterConfig,
        prefix: &str,
        rules: usize,
    ) -> Result<Self, MetricsResult> {
        let destination_rules = envoy.define_gauge(&name(prefix, "destination_rules"))?;
        let rules = rules as u64;
        let rules_are_shown = envoy.set_gauge(destination_rules, rules).into();
        let mut counter = |stat| envoy.define_counter(&name(prefix, stat));
        Ok(Self {
            restored: [
                counter("restored_redirect")?,
                counter("restored_transparent")?,
                counter("restored_local_address")?,
                counter("restored_metadata")?,
                counter("restored_filter_state")?,
            ],
            source_restored: counter("source_restored")?,
            unredirected: counter("unredirected")?,
            looped: counter("looped")?,
            unavailable: counter("unavailable")?,
            denied: counter("denied")?,
            invalid_address: counter("invalid_address")?,
            error: counter("error")?,
            destination_rules,
            rules,
            rules_are_shown,
        })
    }

    /// Counts a connection.
    #[inline(always)]
    pub fn count(&self, envoy: &impl EnvoyListenerFilter, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Restored(method) => self.restored[method as usize],
            Verdict::Unredirected => self.unredirected,
            Verdict::Looped => self.looped,
            Verdict::Denied => self.denied,
            Verdict::Unavailable => self.unavailable,
            Verdict::Invalid => self.invalid_address,
        };
        envoy.increment_counter(counter, 1);
        if !self.rules_are_shown.load(Relaxed) {
            self.show_rules(envoy);
        }
    }

    #[cold]
    fn show_rules(&self, envoy: &impl EnvoyListenerFilter) {
        envoy.set_gauge(self.destination_rules, self.rules);
        self.rules_are_shown.store(true, Relaxed);
    }

    /// Counts a source address that was restored.
    pub fn count_source(&self, envoy: &impl EnvoyListenerFilter) {
        envoy.increment_counter(self.source_restored, 1);
    }

    /// Counts a source address that could not be restored.
    pub fn count_invalid_source(&self, envoy: &impl EnvoyListenerFilter) {
        envoy.increment_counter(self.invalid_address, 1);
    }

    /// Counts a connection that ended in a panic.
    pub fn count_error(&self, envoy: &impl EnvoyListenerFilter) {
        envoy.increment_counter(self.error, 1);
    }
}
