//! One accepted connection, top to bottom: recover, judge, restore, report.

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_on_listener_filter_status as Status;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyListenerFilter, EnvoyListenerFilterConfig, ListenerFilter, ListenerFilterConfig,
};

use crate::address::Address;
use crate::config::{Config, UnrecoveredConnections, UnredirectedConnections};
use crate::destinations::OnDenied;
use crate::fault_point;
use crate::recover::{self, Method, OriginalDst, Recovery, Source, Unrecovered};
use crate::redirection::{Redirection, Sign};
use crate::report::Report;
use crate::stats::Stats;
use crate::verdict::{Action, Verdict};

/// The filter as one listener has configured it. It keeps nothing for a connection.
pub struct Filter {
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
        let is_unredirected = self.is_unredirected(&found);
        let (mut verdict, mut action) = self.judge(&found, is_unredirected);
        if let (Ok(found), Action::Restore) = (&found, action)
            && !self.restore(envoy, found.address, is_unredirected)
        {
            (verdict, action) = (Verdict::Invalid, self.unrecovered());
        }
        self.stats.count(envoy, verdict);
        self.redirection.see(envoy, sign(&found, is_unredirected));
        self.report.connection(envoy, &found, verdict, action);
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
        let config = Config::parse(filter_config).map_err(|error| error.to_string())?;
        let refused = |result| format!("Envoy refused the metrics: {result:?}");
        let stats = Stats::new(envoy, &config.stat_prefix).map_err(refused)?;
        let redirection = Redirection::new(envoy, &config.stat_prefix).map_err(refused)?;
        Ok(Self {
            recovery: Recovery {
                methods: config.recovery_methods.clone(),
                asks_who_redirected: config.asks_who_redirected(),
            },
            report: Report::new(config.publish_metadata),
            config,
            stats,
            redirection,
        })
    }

    /// Whether the client connected to the listener itself. No accepted socket of a transparent
    /// listener tells the port that the listener is bound to, so that the options do.
    fn is_unredirected(&self, found: &Result<OriginalDst, Unrecovered>) -> bool {
        let Ok(found) = found else {
            return false;
        };
        found.is_listener
            || found.method == Method::Transparent
                && self.config.listener_ports.contains(&found.address.port())
                && recover::is_own_address(found.address)
    }

    /// What a connection is, and what the options say about it.
    #[inline(always)]
    fn judge(
        &self,
        found: &Result<OriginalDst, Unrecovered>,
        is_unredirected: bool,
    ) -> (Verdict, Action) {
        let found = match found {
            Ok(found) => found,
            Err(Unrecovered::Invalid(_)) => return (Verdict::Invalid, self.unrecovered()),
            Err(_) => return (Verdict::Unavailable, self.unrecovered()),
        };
        if is_unredirected {
            match self.config.unredirected_connections {
                UnredirectedConnections::Restore => {}
                UnredirectedConnections::Ignore => return (Verdict::Unredirected, Action::Leave),
                UnredirectedConnections::Close => return (Verdict::Unredirected, Action::Close),
            }
        }
        match &self.config.destinations {
            Some(rules) if !rules.allow(found.address.into()) => {
                let action = match rules.on_denied {
                    OnDenied::Close => Action::Close,
                    OnDenied::Ignore => Action::Leave,
                    OnDenied::Audit => Action::Restore,
                };
                (Verdict::Denied, action)
            }
            _ if is_unredirected => (Verdict::Unredirected, Action::Restore),
            _ => (Verdict::Restored(found.method), Action::Restore),
        }
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
        is_unredirected: bool,
    ) -> bool {
        // Envoy would hand a connection that was handed over once to the same listener, again and
        // again, until its stack ends.
        let hand_off = match self.config.hand_off {
            Some(true) if envoy.is_local_address_restored() || is_unredirected => None,
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

/// What a connection says about redirection.
fn sign(found: &Result<OriginalDst, Unrecovered>, is_unredirected: bool) -> Sign {
    match found {
        Ok(found) if is_unredirected || found.method.is_internal() => Sign::Nothing,
        Ok(_) => Sign::Hit,
        Err(Unrecovered::Kernel(_)) => Sign::Miss,
        Err(_) => Sign::Nothing,
    }
}

#[cold]
fn close(envoy: &mut impl EnvoyListenerFilter, details: &str) {
    envoy.set_downstream_transport_failure_reason(details);
    envoy.close_socket(details);
}
