//! The filter of one connection: Envoy's, and the module's behind its hooks.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use crate::Status;
use crate::connection::Connection;
use crate::listener::{Listener, in_module};
use crate::metrics::Metrics;

unsafe extern "C" {
    fn envoy_dynamic_module_on_listener_filter_new(
        config: *const c_void,
        filter: *mut c_void,
    ) -> *const c_void;
    fn envoy_dynamic_module_on_listener_filter_on_accept(
        filter: *mut c_void,
        module_filter: *const c_void,
    ) -> Status;
    fn envoy_dynamic_module_on_listener_filter_on_data(
        filter: *mut c_void,
        module_filter: *const c_void,
        data_length: usize,
    ) -> Status;
    fn envoy_dynamic_module_on_listener_filter_on_close(
        filter: *mut c_void,
        module_filter: *const c_void,
    );
    fn envoy_dynamic_module_on_listener_filter_get_max_read_bytes(
        filter: *mut c_void,
        module_filter: *const c_void,
    ) -> usize;
    fn envoy_dynamic_module_on_listener_filter_scheduled(
        filter: *mut c_void,
        module_filter: *const c_void,
        event_id: u64,
    );
    fn envoy_dynamic_module_on_listener_filter_destroy(module_filter: *const c_void);
}

/// Envoy's filter of one connection: what the callbacks get a pointer to.
pub(crate) struct Filter<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) metrics: &'a Metrics,
}

/// The module's filter of a connection, with the hooks that Envoy calls for it. [`Listener::accept`]
/// calls those that a connection needs; here they can be called in any order, and again.
pub struct ModuleFilter<'a> {
    listener: &'a Listener,
    filter: *const c_void,
}

thread_local! {
    /// The filter whose connection this thread is accepting, for the questions to the kernel, which
    /// come without a pointer to it.
    static ACCEPTING: Cell<*mut Filter<'static>> = const { Cell::new(ptr::null_mut()) };
}

impl Listener {
    /// Runs a connection through the filter.
    ///
    /// # Panics
    /// As of [`ModuleFilter::on_accept`].
    pub fn accept(&self, connection: &mut Connection) -> Status {
        let Some(filter) = ModuleFilter::new(self) else {
            connection.begin();
            connection.close(b"");
            return Status::StopIteration;
        };
        let status = filter.on_accept(connection);
        filter.destroy();
        status
    }
}

impl<'a> ModuleFilter<'a> {
    /// `None` if the module refuses the connection.
    pub fn new(listener: &'a Listener) -> Option<Self> {
        // SAFETY: the module made `config`. The pointer to Envoy's filter is null here: 1.37 has no
        // connection yet when it calls this hook, and no callback would do anything.
        let filter = in_module(|| unsafe {
            envoy_dynamic_module_on_listener_filter_new(listener.config, ptr::null_mut())
        });
        (!filter.is_null()).then_some(Self { listener, filter })
    }

    /// A connection was accepted.
    ///
    /// # Panics
    /// Where Envoy 1.37 would crash: the filter closed the socket and goes on, or it hands off a
    /// connection that was restored before, over and over.
    pub fn on_accept(&self, connection: &mut Connection) -> Status {
        connection.begin();
        let was_restored = connection.is_restored();
        let status = self.run(connection, |envoy, filter| {
            // SAFETY: both objects live until the hook returns.
            unsafe { envoy_dynamic_module_on_listener_filter_on_accept(envoy, filter) }
        });
        assert!(
            connection.closed().is_none() || status == Status::StopIteration,
            "the socket is closed, and yet the filter goes on: Envoy crashes"
        );
        assert!(
            !was_restored || connection.hand_off() != Some(true),
            "handed off after it was restored: Envoy recurses until it crashes"
        );
        status
    }

    /// So many bytes came that the filter waited for.
    pub fn on_data(&self, connection: &mut Connection, data_length: usize) -> Status {
        self.run(connection, |envoy, filter| {
            // SAFETY: both objects live until the hook returns.
            unsafe { envoy_dynamic_module_on_listener_filter_on_data(envoy, filter, data_length) }
        })
    }

    /// The client closed the connection while the filter waited.
    pub fn on_close(&self, connection: &mut Connection) {
        self.run(connection, |envoy, filter| {
            // SAFETY: both objects live until the hook returns.
            unsafe { envoy_dynamic_module_on_listener_filter_on_close(envoy, filter) }
        });
    }

    /// How many bytes the filter waits for.
    pub fn max_read_bytes(&self, connection: &mut Connection) -> usize {
        self.run(connection, |envoy, filter| {
            // SAFETY: both objects live until the hook returns.
            unsafe { envoy_dynamic_module_on_listener_filter_get_max_read_bytes(envoy, filter) }
        })
    }

    /// An event came that the filter scheduled.
    pub fn on_scheduled(&self, connection: &mut Connection, event_id: u64) {
        self.run(connection, |envoy, filter| {
            // SAFETY: both objects live until the hook returns.
            unsafe { envoy_dynamic_module_on_listener_filter_scheduled(envoy, filter, event_id) }
        });
    }

    /// The connection has done with its listener filters.
    pub fn destroy(&self) {
        // SAFETY: the module made the filter.
        in_module(|| unsafe { envoy_dynamic_module_on_listener_filter_destroy(self.filter) });
    }

    /// Runs a hook with Envoy's filter and the module's.
    fn run<T>(
        &self,
        connection: &mut Connection,
        hook: impl FnOnce(*mut c_void, *const c_void) -> T,
    ) -> T {
        let metrics = &self.listener.metrics;
        let mut envoy = Filter {
            connection,
            metrics,
        };
        let envoy_ptr: *mut Filter<'_> = &raw mut envoy;
        ACCEPTING.set(envoy_ptr.cast());
        let answer = in_module(|| hook(envoy_ptr.cast(), self.filter));
        ACCEPTING.set(ptr::null_mut());
        answer
    }
}

/// Calls `answer` with the filter of the connection that this thread is accepting, if there is one.
pub(crate) fn with_accepting<T>(answer: impl FnOnce(&mut Filter<'_>) -> T) -> Option<T> {
    // SAFETY: `run` sets the pointer for as long as the filter lives, and nothing else uses the
    // filter during a callback or system call of the module.
    unsafe { ACCEPTING.get().as_mut() }.map(answer)
}
