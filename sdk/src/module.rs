//! What a module implements.

use crate::abi::envoy_dynamic_module_type_on_listener_filter_status as Status;
use crate::envoy::{EnvoyListenerFilterConfigImpl, EnvoyListenerFilterImpl};
use crate::listener::EnvoyListenerFilter;

/// Called once when the library is loaded; `false` refuses to be loaded.
pub type ProgramInitFunction = fn() -> bool;

/// Makes the filter's configuration of the two values that Envoy's `DynamicModuleListenerFilter`
/// message carries; `None` refuses them, after a log line that says why.
pub type NewListenerFilterConfigFunction<C> = fn(
    envoy_filter_config: &mut EnvoyListenerFilterConfigImpl,
    filter_name: &str,
    filter_config: &[u8],
) -> Option<C>;

/// What a module keeps for one configured filter. Worker threads share it.
pub trait ListenerFilterConfig<ELF: EnvoyListenerFilter = EnvoyListenerFilterImpl>:
    Send + Sync + 'static
{
    /// What handles the connections.
    type Filter: ListenerFilter<ELF>;

    /// The filter for a connection. It is borrowed from the configuration, which Envoy keeps for
    /// as long as it has connections: nothing is made for a connection, and nothing freed.
    fn new_listener_filter(&self) -> &Self::Filter;
}

/// What a module does with connections. One object serves them all, on all worker threads.
pub trait ListenerFilter<ELF: EnvoyListenerFilter = EnvoyListenerFilterImpl>: Sync {
    /// Envoy accepted a connection. A filter that closed the socket returns
    /// [`Status::StopIteration`]: Envoy 1.37 and 1.38 crash otherwise.
    fn on_accept(&self, envoy_filter: &mut ELF) -> Status;

    /// [`Self::on_accept`] panicked, and the connection ends: count it, and close the socket.
    fn on_panic(&self, envoy_filter: &mut ELF) {
        envoy_filter.close_socket("dynamic_module_panic");
    }
}
