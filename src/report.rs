//! What the filter tells: what access logs show, and log lines. No line comes more than once a
//! second, but for those of level debug.

mod publish;
mod wording;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_log_level as Level;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyListenerFilter, envoy_log_debug, envoy_log_info, envoy_log_warn, log,
};

use crate::destinations::Denial;
use crate::recover::{OriginalDst, PassedOver, Unrecovered};
use crate::throttle::Throttle;
use crate::verdict::{Action, Evidence, Redirector, Verdict};
use wording::{Found, Outcome};

pub use publish::Publish;
pub use wording::{Client, LOST, NO_MARKS};

/// Reports on the connections of one listener.
pub struct Report {
    publish: Publish,
    unredirected: Throttle,
    /// Whether it was told that a connection was restored to the listener.
    restored_to_listener: AtomicBool,
    looped: Throttle,
    denied: Throttle,
    unavailable: Throttle,
    invalid: Throttle,
    invalid_source: Throttle,
}

/// A connection that was dealt with.
pub struct Case<'a> {
    /// What was found of its destination.
    pub found: &'a Result<OriginalDst, Unrecovered>,
    /// Who sent it here.
    pub redirector: Redirector,
    /// What it is.
    pub verdict: Verdict,
    /// What became of it.
    pub action: Action,
    /// What denied it.
    pub denial: Option<Denial>,
}

impl Case<'_> {
    /// Whether an `ORIGINAL_DST` cluster now connects Envoy to one of its own listeners.
    fn leads_to_envoy(&self) -> bool {
        self.action == Action::Restore
            && matches!(
                self.redirector,
                Redirector::Nobody(Evidence::PassedOver(
                    PassedOver::Arrival | PassedOver::Listener
                ))
            )
    }
}

impl Report {
    /// Reports in the log, and where `publish` says.
    pub fn new(publish: Publish) -> Self {
        Self {
            publish,
            unredirected: Throttle::new(),
            restored_to_listener: AtomicBool::new(false),
            looped: Throttle::new(),
            denied: Throttle::new(),
            unavailable: Throttle::new(),
            invalid: Throttle::new(),
            invalid_source: Throttle::new(),
        }
    }

    /// Whether there is something to tell of such a connection: mostly there is not.
    #[inline(always)]
    pub fn has_to_tell(&self, verdict: Verdict) -> bool {
        !matches!(verdict, Verdict::Restored(_))
            || self.publish.is_any()
            || log::enabled(Level::Debug)
    }

    /// A connection was dealt with.
    pub fn connection(&self, envoy: &mut impl EnvoyListenerFilter, case: &Case) {
        if log::enabled(Level::Debug) {
            debug(envoy, case);
        }
        self.publish.publish(envoy, case);
        self.exception(envoy, case);
    }

    /// The line about a connection that was not simply restored.
    fn exception(&self, envoy: &impl EnvoyListenerFilter, case: &Case) {
        let lines = match case.verdict {
            Verdict::Restored(_) => return,
            Verdict::Unredirected if case.leads_to_envoy() => {
                return self.restored_to_listener(envoy, case);
            }
            Verdict::Unredirected => &self.unredirected,
            Verdict::Looped => &self.looped,
            Verdict::Denied => &self.denied,
            Verdict::Unavailable => &self.unavailable,
            Verdict::Invalid => &self.invalid,
        };
        let Some(hidden) = lines.admit() else {
            return;
        };
        let (client, found, outcome) = (Client(envoy), Found(case.found), Outcome(case));
        // Without a destination is how probes of the port look: nothing to be alarmed about.
        if case.verdict == Verdict::Unavailable && !wording::is_misconfigured(case.found) {
            envoy_log_info!("original_dst: {client}: {found}: {outcome}{hidden}");
        } else {
            envoy_log_warn!("original_dst: {client}: {found}: {outcome}{hidden}");
        }
    }

    /// A connection to the listener itself was restored to where it is. What comes of that may be many
    /// connections, so that the first one says it, and no other.
    fn restored_to_listener(&self, envoy: &impl EnvoyListenerFilter, case: &Case) {
        if self.restored_to_listener.swap(true, Relaxed) {
            return;
        }
        let (client, found, outcome) = (Client(envoy), Found(case.found), Outcome(case));
        envoy_log_warn!(
            "original_dst: {client}: {found}: {outcome}: an ORIGINAL_DST cluster now connects Envoy \
             to itself, over and over; unredirected_connections: CLOSE refuses such connections \
             (this line is not repeated)"
        );
    }

    /// A source address could not be restored.
    pub fn invalid_source(&self, envoy: &impl EnvoyListenerFilter) {
        if let Some(hidden) = self.invalid_source.admit() {
            let client = Client(envoy);
            envoy_log_warn!(
                "original_dst: {client}: the source in filter state is not of the form IP:port, \
                 such as 10.2.0.2:8080{hidden}"
            );
        }
    }
}

/// The line that each connection gets.
fn debug(envoy: &impl EnvoyListenerFilter, case: &Case) {
    envoy_log_debug!(
        "original_dst: {}: {}: {}",
        Client(envoy),
        Found(case.found),
        Outcome(case)
    );
}
