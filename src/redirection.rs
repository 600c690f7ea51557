//! Notices that connections no longer arrive redirected, and shows it: a gauge, and a line at a change.

mod streak;

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_metrics_result as MetricsResult;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyGaugeId, EnvoyListenerFilter, EnvoyListenerFilterConfig, envoy_log_info, envoy_log_warn,
};

use crate::report::{Client, LOST};
use crate::stats;
use crate::throttle::Throttle;
use streak::{Shown, Streak};

/// So many connections in a row without a destination are no chance.
const BROKEN_AFTER: u64 = 100;

/// Watches the connections of one listener. Worker threads share it.
pub struct Redirection {
    gauge: EnvoyGaugeId,
    streak: Streak,
    broken: Throttle,
    mended: Throttle,
}

/// What a connection says about redirection. One that came to the listener directly, or through an
/// internal listener, says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A kernel socket had a destination.
    Hit,
    /// A kernel socket had none.
    Miss,
    /// Neither.
    Nothing,
}

impl Redirection {
    /// Defines the gauge `redirection_broken`.
    ///
    /// # Errors
    /// What Envoy answered.
    pub fn new(
        envoy: &mut impl EnvoyListenerFilterConfig,
        prefix: &str,
    ) -> Result<Self, MetricsResult> {
        Ok(Self {
            gauge: envoy.define_gauge(&stats::name(prefix, "redirection_broken"))?,
            streak: Streak::new(BROKEN_AFTER),
            broken: Throttle::new(),
            mended: Throttle::new(),
        })
    }

    /// A connection came.
    #[inline(always)]
    pub fn see(&self, envoy: &impl EnvoyListenerFilter, sign: Sign) {
        match sign {
            Sign::Hit => self.streak.hit(|shown| self.show(envoy, shown)),
            Sign::Miss => self.streak.miss(|shown| self.show(envoy, shown)),
            Sign::Nothing => {}
        }
    }

    /// Shows what has become of redirection.
    #[cold]
    fn show(&self, envoy: &impl EnvoyListenerFilter, shown: Shown) {
        envoy.set_gauge(self.gauge, (shown == Shown::Broken).into());
        let lines = match shown {
            Shown::Whole => return,
            Shown::Broken => &self.broken,
            Shown::Mended => &self.mended,
        };
        let Some(hidden) = lines.admit() else {
            return;
        };
        let client = Client(envoy);
        if shown == Shown::Mended {
            envoy_log_info!("original_dst: {client}: redirection works again{hidden}");
        } else {
            envoy_log_warn!(
                "original_dst: {client}: the last {BROKEN_AFTER} connections had no original \
                 destination: redirection is broken; {LOST}{hidden}"
            );
        }
    }
}
