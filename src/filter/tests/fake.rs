//! Envoy's side of a connection, in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::os::fd::AsRawFd;

use envoy_proxy_dynamic_modules_rust_sdk::abi::{
    envoy_dynamic_module_type_address_type as AddressType,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
};
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyCounterId, EnvoyGaugeId, EnvoyListenerFilter, EnvoyListenerFilterConfig,
};

/// The names of the metrics, in the order of their definition.
#[derive(Default)]
pub struct Metrics(Vec<String>);

/// A connection and what a filter has made of it.
pub struct Connection {
    address_type: AddressType,
    fd: Option<i32>,
    pub local: Option<(String, u16)>,
    pub remote: Option<(String, u16)>,
    pub is_restored: bool,
    pub hand_off: Option<bool>,
    /// Whether Envoy accepts addresses at all.
    pub takes_addresses: bool,
    metadata: BTreeMap<(String, String), String>,
    pub filter_state: BTreeMap<String, String>,
    pub counted: RefCell<Vec<usize>>,
    pub gauges: RefCell<BTreeMap<usize, u64>>,
    pub closed: Option<String>,
    pub failure_reason: Option<String>,
}

impl Metrics {
    /// The names of the counters that a connection moved.
    pub fn moved(&self, connection: &Connection) -> Vec<String> {
        connection
            .counted
            .borrow()
            .iter()
            .map(|id| self.0[*id].clone())
            .collect()
    }
}

impl EnvoyListenerFilterConfig for Metrics {
    fn define_counter(&mut self, name: &str) -> Result<EnvoyCounterId, MetricsResult> {
        self.0.push(name.into());
        Ok(EnvoyCounterId(self.0.len() - 1))
    }

    fn define_gauge(&mut self, name: &str) -> Result<EnvoyGaugeId, MetricsResult> {
        self.0.push(name.into());
        Ok(EnvoyGaugeId(self.0.len() - 1))
    }
}

impl Connection {
    /// A connection from 10.1.0.2:1000 over a socket that is not the kernel's.
    pub fn new(address_type: AddressType) -> Self {
        Self {
            address_type,
            fd: None,
            local: None,
            remote: Some(("10.1.0.2".into(), 1000)),
            is_restored: false,
            hand_off: None,
            takes_addresses: true,
            metadata: BTreeMap::new(),
            filter_state: BTreeMap::new(),
            counted: RefCell::default(),
            gauges: RefCell::default(),
            closed: None,
            failure_reason: None,
        }
    }

    /// A connection over a kernel socket.
    pub fn kernel(socket: &TcpListener) -> Self {
        Self {
            fd: Some(socket.as_raw_fd()),
            local: Some(("127.0.0.1".into(), 15001)),
            ..Self::new(AddressType::Ip)
        }
    }
}

fn lend(address: &Option<(String, u16)>) -> Option<(&[u8], u16)> {
    address.as_ref().map(|(ip, port)| (ip.as_bytes(), *port))
}

fn take(address: &[u8], port: u16, is_ipv6: bool) -> Option<(String, u16)> {
    let text = str::from_utf8(address).ok()?;
    let ip: IpAddr = text.parse().ok()?;
    (ip.is_ipv6() == is_ipv6).then(|| (text.into(), port))
}

impl EnvoyListenerFilter for Connection {
    fn get_address_type(&self) -> AddressType {
        self.address_type
    }

    fn get_socket_fd(&self) -> Option<i32> {
        self.fd
    }

    fn get_local_address(&self) -> Option<(&[u8], u16)> {
        lend(&self.local)
    }

    fn get_direct_local_address(&self) -> Option<(&[u8], u16)> {
        None
    }

    fn get_remote_address(&self) -> Option<(&[u8], u16)> {
        lend(&self.remote)
    }

    fn is_local_address_restored(&self) -> bool {
        self.is_restored
    }

    fn restore_local_address(&mut self, address: &[u8], port: u16, is_ipv6: bool) -> bool {
        let taken = take(address, port, is_ipv6).filter(|_| self.takes_addresses);
        self.is_restored |= taken.is_some();
        self.local = taken.or(self.local.take());
        self.is_restored
    }

    fn set_remote_address(&mut self, address: &[u8], port: u16, is_ipv6: bool) -> bool {
        let taken = take(address, port, is_ipv6).filter(|_| self.takes_addresses);
        let is_taken = taken.is_some();
        self.remote = taken.or(self.remote.take());
        is_taken
    }

    fn use_original_dst(&mut self, enabled: bool) {
        self.hand_off = Some(enabled);
    }

    fn get_dynamic_metadata_string(&self, namespace: &str, key: &str) -> Option<&[u8]> {
        self.metadata
            .get(&(namespace.into(), key.into()))
            .map(String::as_bytes)
    }

    fn set_dynamic_metadata_string(&mut self, namespace: &str, key: &str, value: &str) {
        self.metadata
            .insert((namespace.into(), key.into()), value.into());
    }

    fn get_filter_state(&self, key: &str) -> Option<&[u8]> {
        self.filter_state.get(key).map(String::as_bytes)
    }

    fn increment_counter(&self, id: EnvoyCounterId, value: u64) {
        assert_eq!(value, 1);
        self.counted.borrow_mut().push(id.0);
    }

    fn set_gauge(&self, id: EnvoyGaugeId, value: u64) {
        self.gauges.borrow_mut().insert(id.0, value);
    }

    fn set_downstream_transport_failure_reason(&mut self, reason: &str) {
        self.failure_reason = Some(reason.into());
    }

    fn close_socket(&mut self, details: &str) {
        self.closed = Some(details.into());
    }
}
