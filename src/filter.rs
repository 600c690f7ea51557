//! One accepted connection, top to bottom: recover, judge, restore, report.

mod redirector;

use std::mem;

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_on_listener_filter_status as Status;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyListenerFilter, EnvoyListenerFilterConfig, ListenerFilter, ListenerFilterConfig,
    envoy_log_info,
};

use crate::address::Address;
use crate::config::{Config, InForce, UnrecoveredConnections, UnredirectedConnections};
use crate::destinations::{Destinations, OnDenied};
use crate::fault_point;
use crate::recover::{self, OriginalDst, Recovery, Source, Unrecovered};
use crate::redirection::Redirection;
use crate::report::{Case, NO_MARKS, Publish, Report};
use crate::stats::Stats;
use crate::verdict::{Action, Redirector, Verdict};
use redirector::sign;

/// The filter as one listener has configured it. It keeps nothing for a connection.
pub struct Filter {
    /// The options, but for those in `recovery`.
    config: Config,
    /// What the kernel's part of the recovery needs of the options, at hand.
    recovery: Recovery,
    stats: Stats,
    report: Report,
    redirection: Redirection,
}

impl<ELF: EnvoyListenerFilter> ListenerFilterConfig<ELF> for Filter {
    type Filter = Self;

    fn new_listener_filter(&self) -> &Self {
        fault_point::pass("filter");
        self
    }
}

impl<ELF: EnvoyListenerFilter> ListenerFilter<ELF> for Filter {
    fn on_accept(&self, envoy: &mut ELF) -> Status {
        fault_point::pass("accept");
        let found = recover::original_dst(envoy, &self.recovery);
        if recover::is_internal(&found) {
            self.restore_source(envoy);
        }
        let redirector = self.redirector(envoy, &found);
        let (mut verdict, mut action) = self.judge(&found, redirector);
        if let (Ok(found), Action::Restore) = (&found, action)
            && !self.restore(envoy, found.address, redirector)
        {
            (verdict, action) = (Verdict::Invalid, self.unrecovered());
        }
        self.stats.count(envoy, verdict);
        self.redirection.see(envoy, sign(&found, redirector));
        if self.report.has_to_tell(verdict) {
            self.tell(envoy, &found, redirector, verdict, action);
        }
        if action == Action::Close {
            close(envoy, verdict.close_details());
            return Status::StopIteration;
        }
        Status::Continue
    }

    fn on_panic(&self, envoy: &mut ELF) {
        self.stats.count_error(envoy);
        close(envoy, "original_dst_error");
    }
}

impl Filter {
    /// Reads the options and defines the metrics.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn new(
        envoy: &mut impl EnvoyListenerFilterConfig,
        filter_config: &[u8],
    ) -> Result<Self, String> {
        let mut config = Config::parse(filter_config).map_err(|error| error.to_string())?;
        if config.has_marks() && recover::accepts_marks() == Some(false) {
            return Err(NO_MARKS.to_owned());
        }
        let refused = |result| format!("Envoy refused the metrics: {result:?}");
        let rules = config.destinations.as_ref().map_or(0, Destinations::rules);
        let stats = Stats::new(envoy, &config.stat_prefix, rules).map_err(refused)?;
        let redirection = Redirection::new(envoy, &config.stat_prefix).map_err(refused)?;
        envoy_log_info!("original_dst: {}", InForce(&config));
        Ok(Self {
            recovery: Recovery {
                asks_who_redirected: config.asks_who_redirected(),
                methods: mem::take(&mut config.recovery_methods),
                listener_ports: mem::take(&mut config.listener_ports),
                local_destinations: config.local_destinations.take(),
            },
            report: Report::new(Publish {
                metadata: config.publish_metadata,
                filter_state: config.publish_filter_state,
            }),
            config,
            stats,
            redirection,
        })
    }

    /// What a connection is, and what the options say about it.
    #[inline(always)]
    fn judge(
        &self,
        found: &Result<OriginalDst, Unrecovered>,
        redirector: Redirector,
    ) -> (Verdict, Action) {
        let unredirected = match redirector {
            Redirector::Envoy(_) => return (Verdict::Looped, Action::Close),
            Redirector::Nobody(_) => Some(self.config.unredirected_connections),
            Redirector::Rules => None,
        };
        match unredirected {
            None | Some(UnredirectedConnections::Restore) => {}
            Some(UnredirectedConnections::Ignore) => return (Verdict::Unredirected, Action::Leave),
            Some(UnredirectedConnections::Close) => return (Verdict::Unredirected, Action::Close),
        }
        let found = match found {
            Ok(found) => found,
            Err(_) if unredirected.is_some() => return (Verdict::Unredirected, self.unrecovered()),
            Err(Unrecovered::Invalid(_)) => return (Verdict::Invalid, self.unrecovered()),
            Err(_) => return (Verdict::Unavailable, self.unrecovered()),
        };
        match &self.config.destinations {
            Some(rules) if !rules.allow(found.address.into()) => {
                let action = match rules.on_denied {
                    OnDenied::Close => Action::Close,
                    OnDenied::Ignore => Action::Leave,
                    OnDenied::Audit => Action::Restore,
                };
                (Verdict::Denied, action)
            }
            _ if unredirected.is_some() => (Verdict::Unredirected, Action::Restore),
            _ => (Verdict::Restored(found.method), Action::Restore),
        }
    }

    /// Reports on a connection, as far as anybody wants to know.
    #[cold]
    fn tell(
        &self,
        envoy: &mut impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
        redirector: Redirector,
        verdict: Verdict,
        action: Action,
    ) {
        let denial = match (verdict, found, &self.config.destinations) {
            (Verdict::Denied, Ok(found), Some(rules)) => rules.denial(found.address.into()),
            _ => None,
        };
        let case = Case {
            found,
            redirector,
            verdict,
            action,
            denial,
        };
        self.report.connection(envoy, &case);
    }

    /// What the options say about a connection without a destination.
    fn unrecovered(&self) -> Action {
        match self.config.unrecovered_connections {
            UnrecoveredConnections::Continue => Action::Leave,
            UnrecoveredConnections::Close => Action::Close,
        }
    }

    /// Restores the local address; `false` if Envoy does not take it.
    #[inline(always)]
    fn restore(
        &self,
        envoy: &mut impl EnvoyListenerFilter,
        address: Address,
        redirector: Redirector,
    ) -> bool {
        // Envoy would hand a connection that was handed over once to the same listener, again and
        // again, until its stack ends.
        let hand_off = match self.config.hand_off {
            Some(true) if envoy.is_local_address_restored() || redirector.is_nobody() => None,
            hand_off => hand_off,
        };
        let is_restored = address
            .with_ip_text(|ip| envoy.restore_local_address(ip, address.port(), address.is_ipv6()));
        if is_restored && let Some(enabled) = hand_off {
            envoy.use_original_dst(enabled);
        }
        is_restored
    }

    /// Restores the client's address, where an internal connection brought one along.
    #[cold]
    fn restore_source(&self, envoy: &mut impl EnvoyListenerFilter) {
        let is_restored = match recover::source(envoy) {
            Source::Absent => return,
            Source::Invalid => false,
            Source::Address(source) => source
                .with_ip_text(|ip| envoy.set_remote_address(ip, source.port(), source.is_ipv6())),
        };
        if is_restored {
            self.stats.count_source(envoy);
        } else {
            self.stats.count_invalid_source(envoy);
            self.report.invalid_source(envoy);
        }
    }
}

#[cold]
fn close(envoy: &mut impl EnvoyListenerFilter, details: &str) {
    envoy.set_downstream_transport_failure_reason(details);
    envoy.close_socket(details);
}
