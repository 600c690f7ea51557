//! What the filter tells: metadata for access logs, and log lines. No line comes more than once a
//! second, but for those of level debug.

mod metadata;
mod wording;

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_log_level as Level;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyListenerFilter, envoy_log_debug, envoy_log_info, envoy_log_warn, log,
};

use crate::recover::{OriginalDst, Unrecovered};
use crate::throttle::Throttle;
use crate::verdict::{Action, Verdict};
use wording::{Found, Outcome};

pub use wording::Client;

/// Reports on the connections of one listener.
pub struct Report {
    publish_metadata: bool,
    unredirected: Throttle,
    denied: Throttle,
    unavailable: Throttle,
    invalid: Throttle,
    invalid_source: Throttle,
}

impl Report {
    /// Reports, with metadata or without.
    pub fn new(publish_metadata: bool) -> Self {
        Self {
            publish_metadata,
            unredirected: Throttle::new(),
            denied: Throttle::new(),
            unavailable: Throttle::new(),
            invalid: Throttle::new(),
            invalid_source: Throttle::new(),
        }
    }

    /// A connection was dealt with.
    #[inline(always)]
    pub fn connection(
        &self,
        envoy: &mut impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
        verdict: Verdict,
        action: Action,
    ) {
        if log::enabled(Level::Debug) {
            debug(envoy, found, verdict, action);
        }
        if self.publish_metadata {
            metadata::publish(envoy, found, verdict);
        }
        if !matches!(verdict, Verdict::Restored(_)) {
            self.exception(envoy, found, verdict, action);
        }
    }

    /// The line about a connection that was not simply restored.
    #[cold]
    fn exception(
        &self,
        envoy: &impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
        verdict: Verdict,
        action: Action,
    ) {
        let lines = match verdict {
            Verdict::Restored(_) => return,
            Verdict::Unredirected if action == Action::Restore => return,
            Verdict::Unredirected => &self.unredirected,
            Verdict::Denied => &self.denied,
            Verdict::Unavailable => &self.unavailable,
            Verdict::Invalid => &self.invalid,
        };
        let Some(hidden) = lines.admit() else {
            return;
        };
        let (client, found, outcome) = (Client(envoy), Found(found), Outcome(verdict, action));
        // Without a destination is how probes of the port look: nothing to be alarmed about.
        if verdict == Verdict::Unavailable {
            envoy_log_info!("original_dst: {client}: {found}: {outcome}{hidden}");
        } else {
            envoy_log_warn!("original_dst: {client}: {found}: {outcome}{hidden}");
        }
    }

    /// A source address could not be restored.
    pub fn invalid_source(&self, envoy: &impl EnvoyListenerFilter) {
        if let Some(hidden) = self.invalid_source.admit() {
            let client = Client(envoy);
            envoy_log_warn!(
                "original_dst: {client}: the source in filter state is no IP:port{hidden}"
            );
        }
    }
}

/// The line that each connection gets.
#[cold]
fn debug(
    envoy: &impl EnvoyListenerFilter,
    found: &Result<OriginalDst, Unrecovered>,
    verdict: Verdict,
    action: Action,
) {
    envoy_log_debug!(
        "original_dst: {}: {}: {}",
        Client(envoy),
        Found(found),
        Outcome(verdict, action)
    );
}
