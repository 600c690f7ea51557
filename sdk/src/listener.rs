//! What Envoy offers a listener filter.

use crate::abi::{
    envoy_dynamic_module_type_address_type as AddressType,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
};

/// A counter that [`EnvoyListenerFilterConfig::define_counter`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvoyCounterId(pub(crate) usize);

/// A gauge that [`EnvoyListenerFilterConfig::define_gauge`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvoyGaugeId(pub(crate) usize);

/// What Envoy offers while a filter is configured.
pub trait EnvoyListenerFilterConfig {
    /// Makes a counter in the listener's scope, under the metrics namespace of the module.
    ///
    /// # Errors
    /// What Envoy answered instead of success.
    fn define_counter(&mut self, name: &str) -> Result<EnvoyCounterId, MetricsResult>;

    /// Makes a gauge, like [`Self::define_counter`].
    ///
    /// # Errors
    /// What Envoy answered instead of success.
    fn define_gauge(&mut self, name: &str) -> Result<EnvoyGaugeId, MetricsResult>;

    /// Sets a gauge. `false` before Envoy 1.39, where only a connection can:
    /// [`EnvoyListenerFilter::set_gauge`].
    fn set_gauge(&mut self, id: EnvoyGaugeId, value: u64) -> bool;
}

/// What Envoy offers for an accepted connection.
///
/// An address is an IP as text, without brackets, and a port. A text that Envoy lends lives until
/// the next call that takes `&mut self`: it may change what was lent.
pub trait EnvoyListenerFilter {
    /// The kind of the accepted socket. It stays when the local address is restored.
    fn get_address_type(&self) -> AddressType;

    /// The kernel's file descriptor; `None` for the socket of an internal listener. Envoy owns it.
    fn get_socket_fd(&self) -> Option<i32>;

    /// The local address as earlier filters left it; `None` if it is not an IP address.
    fn get_local_address(&self) -> Option<(&[u8], u16)>;

    /// The local address that the connection arrived at, whatever filters have made of it since.
    fn get_direct_local_address(&self) -> Option<(&[u8], u16)>;

    /// Whether the listener is inbound or outbound. `false` before Envoy 1.40, which does not tell.
    #[cfg(windows)]
    fn has_traffic_direction(&self) -> bool;

    /// The client's address as earlier filters left it.
    fn get_remote_address(&self) -> Option<(&[u8], u16)>;

    /// Whether somebody has restored the local address, be it to what it was.
    fn is_local_address_restored(&self) -> bool;

    /// Restores the local address. `false`, and nothing changed, if Envoy cannot read `address`, or
    /// if it has a scope, such as `fe80::1%2`, and Envoy is older than 1.39: it would abort.
    fn restore_local_address(&mut self, address: &[u8], port: u16, is_ipv6: bool) -> bool;

    /// Sets the client's address. `false`, and nothing changed, if Envoy cannot read `address`.
    fn set_remote_address(&mut self, address: &[u8], port: u16, is_ipv6: bool) -> bool;

    /// Whether Envoy hands the connection over to the listener that is bound to the restored local
    /// address. Overrides `use_original_dst` of the listener.
    ///
    /// Say `true` only if [`Self::is_local_address_restored`] was `false` when the connection was
    /// accepted: otherwise a listener can hand it to itself until Envoy's stack ends.
    fn use_original_dst(&mut self, enabled: bool);

    /// A string of the connection's dynamic metadata.
    fn get_dynamic_metadata_string(&self, namespace: &str, key: &str) -> Option<&[u8]>;

    /// Writes a string to the connection's dynamic metadata.
    fn set_dynamic_metadata_string(&mut self, namespace: &str, key: &str, value: &str);

    /// Writes strings, each with its key, to one namespace of the connection's dynamic metadata. From
    /// 1.39 on, Envoy takes them at once, for a fraction of what as many single ones take.
    fn set_dynamic_metadata_string_batch(&mut self, namespace: &str, entries: &[(&str, &str)]);

    /// An object of the connection's filter state as text: any kind in Envoy 1.40, and a string
    /// object in all versions.
    ///
    /// Envoy may write the text to a place that the next look-up writes to as well, so that only
    /// one can be held:
    ///
    /// ```
    /// # use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;
    /// fn both_are_there(envoy: &mut impl EnvoyListenerFilter) -> bool {
    ///     let first = envoy.get_filter_state("first").is_some();
    ///     let second = envoy.get_filter_state("second").is_some();
    ///     first && second
    /// }
    /// ```
    ///
    /// ```compile_fail,E0499
    /// # use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;
    /// fn both_are_equal(envoy: &mut impl EnvoyListenerFilter) -> bool {
    ///     let first = envoy.get_filter_state("first");
    ///     let second = envoy.get_filter_state("second");
    ///     first == second
    /// }
    /// ```
    fn get_filter_state(&mut self, key: &str) -> Option<&[u8]>;

    /// Puts a text under this key of filter state, which lives as long as the connection. `false` if
    /// Envoy does not take it: before 1.39 it takes no other text under a key that is there.
    fn set_filter_state(&mut self, key: &str, value: &str) -> bool;

    /// Adds to a counter.
    fn increment_counter(&self, id: EnvoyCounterId, value: u64);

    /// Sets a gauge.
    fn set_gauge(&self, id: EnvoyGaugeId, value: u64);

    /// Says why the connection fails, as access logs show it with
    /// `%DOWNSTREAM_TRANSPORT_FAILURE_REASON%`.
    fn set_downstream_transport_failure_reason(&mut self, reason: &str);

    /// Closes the socket. From 1.38 on, access logs show the details with
    /// `%CONNECTION_TERMINATION_DETAILS%`.
    fn close_socket(&mut self, details: &str);
}
