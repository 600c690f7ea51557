//! One accepted connection, top to bottom: recover, judge, restore, report.

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_on_listener_filter_status as Status;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyListenerFilter, EnvoyListenerFilterConfig, ListenerFilter, ListenerFilterConfig,
};

use crate::config::{Config, UnrecoveredConnections, UnredirectedConnections};
use crate::destinations::OnDenied;
use crate::fault_point;
use crate::recover::{self, Answer, Method, OriginalDst, Recovery, Source, Unrecovered};
use crate::redirection::Redirection;
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
        let stats = Stats::new(envoy, &config.stat_prefix)
            .map_err(|result| format!("Envoy refused the metrics: {result:?}"))?;
        let report = Report::new(config.publish_metadata);
        let recovery = Recovery::new(config.recovery_methods.clone(), config.minds_unredirected());
        Ok(Self {
            config,
            recovery,
            stats,
            report,
            redirection: Redirection::default(),
        })
    }

    /// What the options say about a destination.
    #[inline(always)]
    fn judge(&self, found: &OriginalDst) -> (Verdict, Action) {
        let mut verdict = Verdict::Restored(found.method);
        if self.is_unredirected(found) {
            verdict = Verdict::Unredirected;
            match self.config.unredirected_connections {
                UnredirectedConnections::Restore => {}
                UnredirectedConnections::Ignore => return (verdict, Action::Leave),
                UnredirectedConnections::Close => return (verdict, Action::Close),
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
            _ => (verdict, Action::Restore),
        }
    }

    /// Whether the client connected to the listener itself. No accepted socket of a transparent
    /// listener tells the port that the listener is bound to, so that the options do.
    #[inline(always)]
    fn is_unredirected(&self, found: &OriginalDst) -> bool {
        found.is_listener
            || found.method == Method::Transparent
                && self.config.listener_ports.contains(&found.address.port())
                && recover::is_own_address(found.address)
    }

    /// What the options say about a connection without a destination.
    fn without_destination(&self) -> Action {
        match self.config.unrecovered_connections {
            UnrecoveredConnections::Continue => Action::Leave,
            UnrecoveredConnections::Close => Action::Close,
        }
    }

    /// Restores the local address; `false` if Envoy does not take it.
    #[inline(always)]
    fn restore(&self, envoy: &mut impl EnvoyListenerFilter, found: &OriginalDst) -> bool {
        // Envoy would hand a connection that was handed over once to the same listener, again and
        // again, until its stack ends.
        let hand_off = match self.config.hand_off {
            Some(true) if envoy.is_local_address_restored() || self.is_unredirected(found) => None,
            hand_off => hand_off,
        };
        let address = found.address;
        let is_restored = address
            .with_ip_text(|ip| envoy.restore_local_address(ip, address.port(), address.is_ipv6()));
        if !is_restored {
            return false;
        }
        if let Some(enabled) = hand_off {
            envoy.use_original_dst(enabled);
        }
        true
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

    /// Does with a connection what the options say. What restores it is inlined, so that the compiler
    /// can answer most of the questions beforehand where it is known what was found.
    #[inline(always)]
    fn conclude(
        &self,
        envoy: &mut impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
    ) -> Status {
        if recover::is_internal(found) {
            self.restore_source(envoy);
        }
        let (mut verdict, mut action) = match found {
            Ok(found) => self.judge(found),
            Err(Unrecovered::Invalid(_)) => (Verdict::Invalid, self.without_destination()),
            Err(_) => (Verdict::Unavailable, self.without_destination()),
        };
        if let (Ok(found), Action::Restore) = (found, action)
            && !self.restore(envoy, found)
        {
            (verdict, action) = (Verdict::Invalid, self.without_destination());
        }
        if let Verdict::Restored(_) = verdict {
            self.record(envoy, found, verdict, action);
            return Status::Continue;
        }
        // A copy: a connection that is restored then needs nothing in memory.
        self.conclude_exception(envoy, &{ *found }, verdict, action)
    }

    /// The same for whatever was found.
    #[inline(never)]
    fn conclude_any(
        &self,
        envoy: &mut impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
    ) -> Status {
        self.conclude(envoy, found)
    }

    /// Ends the way of a connection that was not simply restored.
    #[cold]
    fn conclude_exception(
        &self,
        envoy: &mut impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
        verdict: Verdict,
        action: Action,
    ) -> Status {
        self.record(envoy, found, verdict, action);
        self.report.exception(envoy, found, verdict, action);
        if action == Action::Close {
            close(envoy, verdict.close_details());
            return Status::StopIteration;
        }
        Status::Continue
    }

    /// Counts a connection, and tells who wants to know.
    #[inline(always)]
    fn record(
        &self,
        envoy: &mut impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
        verdict: Verdict,
        action: Action,
    ) {
        self.stats.count(envoy, verdict);
        self.watch_redirection(envoy, found);
        self.report.connection(envoy, found, verdict, action);
    }

    /// Keeps the count of kernel sockets without a destination.
    #[inline(always)]
    fn watch_redirection(
        &self,
        envoy: &impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
    ) {
        let change = match found {
            Ok(_) => self.redirection.hit(),
            Err(Unrecovered::Kernel(_)) => self.redirection.miss(),
            Err(_) => None,
        };
        if let Some(change) = change {
            self.stats
                .show_redirection_broken(envoy, self.redirection.is_broken());
            self.report.redirection(change);
        }
    }
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
        let Some(socket) = recover::kernel_socket(envoy) else {
            let found = recover::elsewhere(envoy);
            return self.conclude_any(envoy, &found);
        };
        // Most connections are IPv4, and the kernel rewrote their destination: those get a short way
        // of their own.
        let mut answer = None;
        if socket.is_ipv4() && self.recovery.asks_original_dst_first() {
            match socket.answer(envoy, &self.recovery) {
                Answer::Rewritten(address) => {
                    return self.conclude(envoy, &Ok(OriginalDst::rewritten(address)));
                }
                other => answer = Some(other),
            }
        }
        let found = socket.original_dst(envoy, &self.recovery, answer);
        self.conclude_any(envoy, &found)
    }

    fn on_panic(&self, envoy: &mut ELF) {
        self.stats.count_error(envoy);
        close(envoy, "original_dst_error");
    }
}

#[cold]
fn close(envoy: &mut impl EnvoyListenerFilter, details: &str) {
    envoy.set_downstream_transport_failure_reason(details);
    envoy.close_socket(details);
}
