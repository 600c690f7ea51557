//! An accepted connection, as Envoy keeps it for the filters.

use std::ffi::c_int;
use std::fmt::{self, Display, Formatter};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

use crate::AddressType;
use crate::kernel::{FIRST_FD, Socket, is_interface, raw};

/// An IP address as Envoy lends it: text without brackets, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The text. Nothing keeps a hostile Envoy from giving another.
    pub ip: Vec<u8>,
    /// The port. Nothing keeps a hostile Envoy from giving a number that is none.
    pub port: u32,
}

/// A connection, and what the filter has made of it.
pub struct Connection {
    address_type: AddressType,
    kernel: Kernel,
    /// As the filters left it.
    pub local: Option<Address>,
    /// As it was accepted.
    pub direct_local: Option<Address>,
    /// As the filters left it.
    pub remote: Option<Address>,
    /// Whether Envoy refuses every address.
    pub refuses_addresses: bool,
    /// How the callbacks lend texts and addresses.
    pub lending: Lending,
    /// The file descriptor that Envoy tells in place of the socket's.
    pub wrong_fd: Option<i64>,
    /// The traffic direction that the listener states: 0 for none, 1 for inbound, 2 for outbound.
    #[cfg(windows)]
    pub direction: u64,
    is_restored: bool,
    hand_off: Option<bool>,
    metadata: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    filter_state: Vec<(Vec<u8>, Vec<u8>)>,
    failure_reason: Text,
    close_details: Text,
    /// For an internal connection that gets addresses: no callback has to allocate.
    spare: Vec<Address>,
}

/// What the callbacks give for a text that is there, and what they report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lending {
    /// The text, and success.
    Honest,
    /// A null pointer, and success, as some of Envoy's do.
    Null,
    /// A null pointer with a length, and success.
    NullWithLength,
    /// A pointer and a length that mean nothing, and failure.
    Dangling,
}

/// Where the kernel's answers come from.
enum Kernel {
    Absent,
    Fake(Socket),
    Real(c_int),
    /// A real socket, about which some questions are answered here.
    #[cfg(windows)]
    Answered(c_int, Socket),
}

/// Text that may be missing. It keeps its memory, so that setting it again does not allocate.
struct Text {
    is_set: bool,
    bytes: Vec<u8>,
}

/// The longest address has 56 bytes, and the details that a filter gives are as short.
const ROOM: usize = 64;

impl Connection {
    /// A connection over a kernel socket, from `10.1.0.2:1000` or `[fd01::2]:1000`.
    pub fn over(socket: Socket, arrived_at: SocketAddr) -> Self {
        let client = match arrived_at {
            SocketAddr::V4(_) => SocketAddr::from(([10, 1, 0, 2], 1000)),
            SocketAddr::V6(_) => SocketAddr::from(([0xfd01, 0, 0, 0, 0, 0, 0, 2], 1000)),
        };
        Self::new(AddressType::Ip, Kernel::Fake(socket)).between(client, arrived_at)
    }

    /// A connection over a socket of the real kernel's.
    ///
    /// # Panics
    /// If the socket is not connected.
    pub fn real(socket: &TcpStream) -> Self {
        let client = socket.peer_addr().expect("a connected socket");
        let arrived_at = socket.local_addr().expect("a connected socket");
        let kernel = Kernel::Real(raw(socket));
        Self::new(AddressType::Ip, kernel).between(client, arrived_at)
    }

    /// A connection over a socket of the real kernel's, which has all the answers that are not programmed.
    ///
    /// # Panics
    /// If the socket is not connected.
    #[cfg(windows)]
    pub fn answered(socket: &TcpStream, answers: Socket) -> Self {
        let real = Self::real(socket);
        let kernel = Kernel::Answered(raw(socket), answers);
        Self { kernel, ..real }
    }

    /// A connection to an internal listener: it has no addresses.
    pub fn internal() -> Self {
        Self::new(AddressType::EnvoyInternal, Kernel::Absent)
    }

    /// A connection to a Unix domain socket, with the answers that the kernel has for that.
    pub fn pipe() -> Self {
        let socket = Socket::untracked();
        Self::new(AddressType::Pipe, Kernel::Fake(socket))
    }

    /// The same connection, over a socket of another kind.
    pub fn of_type(self, address_type: AddressType) -> Self {
        Self {
            address_type,
            ..self
        }
    }

    /// The same connection, its local address restored by an earlier filter.
    pub fn restored_to(self, local: SocketAddr) -> Self {
        Self {
            local: Some(local.into()),
            is_restored: true,
            ..self
        }
    }

    /// The same connection, with a string in its dynamic metadata.
    pub fn with_metadata(mut self, namespace: &str, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.set_metadata(namespace.as_bytes(), key.as_bytes(), value.as_ref());
        self
    }

    /// The same connection, with a string object in its filter state.
    pub fn with_filter_state(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        let (key, value) = (key.as_bytes().to_vec(), value.as_ref().to_vec());
        self.filter_state.push((key, value));
        self
    }

    /// The local address, if the filter or an earlier one restored it.
    pub fn restored(&self) -> Option<String> {
        let local = self.local.as_ref().filter(|_| self.is_restored);
        local.map(ToString::to_string)
    }

    /// Whether somebody restored the local address.
    pub fn is_restored(&self) -> bool {
        self.is_restored
    }

    /// Whether Envoy hands the connection over to the listener at its local address; `None` if that
    /// is left to the listener's options.
    pub fn hand_off(&self) -> Option<bool> {
        self.hand_off
    }

    /// A string of the dynamic metadata.
    pub fn metadata(&self, namespace: &str, key: &str) -> Option<String> {
        let value = self.find_metadata(namespace.as_bytes(), key.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// A string of the filter state.
    pub fn filter_state(&self, key: &str) -> Option<String> {
        let value = self.find_filter_state(key.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The details that the filter gave when it closed the socket; `None` if it did not.
    pub fn closed(&self) -> Option<&str> {
        self.close_details.get()
    }

    /// Why the connection fails, if the filter said so.
    pub fn failure_reason(&self) -> Option<&str> {
        self.failure_reason.get()
    }

    /// The programmed socket of the connection, if it has one.
    pub fn socket(&mut self) -> Option<(c_int, &mut Socket)> {
        match &mut self.kernel {
            Kernel::Fake(socket) => Some((FIRST_FD, socket)),
            #[cfg(windows)]
            Kernel::Answered(fd, socket) => Some((*fd, socket)),
            Kernel::Absent | Kernel::Real(_) => None,
        }
    }

    fn new(address_type: AddressType, kernel: Kernel) -> Self {
        Self {
            address_type,
            kernel,
            local: None,
            direct_local: None,
            remote: None,
            refuses_addresses: false,
            lending: Lending::Honest,
            wrong_fd: None,
            #[cfg(windows)]
            direction: 1,
            is_restored: false,
            hand_off: None,
            metadata: Vec::new(),
            filter_state: Vec::new(),
            failure_reason: Text::new(),
            close_details: Text::new(),
            spare: vec![Address::empty(), Address::empty()],
        }
    }

    fn between(self, client: SocketAddr, arrived_at: SocketAddr) -> Self {
        Self {
            local: Some(arrived_at.into()),
            direct_local: Some(arrived_at.into()),
            remote: Some(client.into()),
            ..self
        }
    }
}

/// What the callbacks need.
impl Connection {
    /// It is accepted, perhaps once more: what earlier filters left stays.
    pub(crate) fn begin(&mut self) {
        self.hand_off = None;
        self.failure_reason.is_set = false;
        self.close_details.is_set = false;
        if let Some((_, socket)) = self.socket() {
            socket.forget();
        }
    }

    pub(crate) fn address_type(&self) -> AddressType {
        self.address_type
    }

    pub(crate) fn told_fd(&self) -> i64 {
        let own = match self.kernel {
            _ if self.close_details.is_set => None,
            Kernel::Absent => None,
            Kernel::Fake(_) => Some(FIRST_FD),
            Kernel::Real(fd) => Some(fd),
            #[cfg(windows)]
            Kernel::Answered(fd, _) => Some(fd),
        };
        self.wrong_fd.unwrap_or(own.map_or(-1, i64::from))
    }

    pub(crate) fn restore_local(&mut self, ip: &[u8], port: u32, is_ipv6: bool) -> bool {
        let is_taken = self.takes(ip, port, is_ipv6);
        if is_taken {
            replace(&mut self.local, &mut self.spare, ip, port);
            self.is_restored = true;
        }
        is_taken
    }

    pub(crate) fn set_remote(&mut self, ip: &[u8], port: u32, is_ipv6: bool) -> bool {
        let is_taken = self.takes(ip, port, is_ipv6);
        if is_taken {
            replace(&mut self.remote, &mut self.spare, ip, port);
        }
        is_taken
    }

    /// Whether Envoy can read an address, and does.
    fn takes(&self, ip: &[u8], port: u32, is_ipv6: bool) -> bool {
        let is_read = |ip: &str| match is_ipv6 {
            true => is_ipv6_text(ip),
            false => ip.parse::<Ipv4Addr>().is_ok(),
        };
        !self.refuses_addresses
            && port <= u16::MAX.into()
            && std::str::from_utf8(ip).is_ok_and(is_read)
    }

    pub(crate) fn set_hand_off(&mut self, is_on: bool) {
        self.hand_off = Some(is_on);
    }

    pub(crate) fn set_failure_reason(&mut self, reason: &[u8]) {
        self.failure_reason.set(reason);
    }

    pub(crate) fn close(&mut self, details: &[u8]) {
        self.close_details.set(details);
    }

    pub(crate) fn find_metadata(&self, namespace: &[u8], key: &[u8]) -> Option<&[u8]> {
        let mut entries = self.metadata.iter();
        let entry = entries.find(|entry| (&*entry.0, &*entry.1) == (namespace, key));
        entry.map(|(.., value)| value.as_slice())
    }

    pub(crate) fn set_metadata(&mut self, namespace: &[u8], key: &[u8], value: &[u8]) {
        let is_other = |entry: &(Vec<u8>, Vec<u8>, _)| (&*entry.0, &*entry.1) != (namespace, key);
        self.metadata.retain(is_other);
        self.metadata
            .push((namespace.to_vec(), key.to_vec(), value.to_vec()));
    }

    /// # Panics
    /// Where Envoy 1.37 logs a bug: the key is there.
    pub(crate) fn set_filter_state(&mut self, key: &[u8], value: &[u8]) -> bool {
        assert!(self.find_filter_state(key).is_none(), "set before: {key:?}");
        self.filter_state.push((key.to_vec(), value.to_vec()));
        true
    }

    pub(crate) fn find_filter_state(&self, key: &[u8]) -> Option<&[u8]> {
        let entry = self.filter_state.iter().find(|(known, _)| known == key);
        entry.map(|(_, value)| value.as_slice())
    }
}

impl Address {
    fn empty() -> Self {
        Self {
            ip: Vec::with_capacity(ROOM),
            port: 0,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let mut ip = address.ip().to_string();
        if let SocketAddr::V6(v6) = address
            && v6.scope_id() != 0
        {
            ip = format!("{ip}%{}", v6.scope_id());
        }
        let mut own = Self::empty();
        own.ip.extend(ip.as_bytes());
        own.port = address.port().into();
        own
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ip = String::from_utf8_lossy(&self.ip);
        if ip.contains(':') {
            write!(f, "[{ip}]:{}", self.port)
        } else {
            write!(f, "{ip}:{}", self.port)
        }
    }
}

impl Text {
    fn new() -> Self {
        Self {
            is_set: false,
            bytes: Vec::with_capacity(ROOM),
        }
    }

    fn set(&mut self, text: &[u8]) {
        self.is_set = true;
        self.bytes.clear();
        self.bytes.extend_from_slice(text);
    }

    fn get(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.bytes).unwrap_or("not UTF-8");
        self.is_set.then_some(text)
    }
}

/// Puts an address in another's place. Views of the other end with that.
fn replace(place: &mut Option<Address>, spare: &mut Vec<Address>, ip: &[u8], port: u32) {
    let place = place.get_or_insert_with(|| spare.pop().unwrap_or_else(Address::empty));
    place.ip.clear();
    place.ip.extend_from_slice(ip);
    place.port = port;
}

/// Envoy takes a scope that is a number, or the name of an interface.
fn is_ipv6_text(text: &str) -> bool {
    let Some((ip, scope)) = text.split_once('%') else {
        return text.parse::<Ipv6Addr>().is_ok();
    };
    ip.parse::<Ipv6Addr>().is_ok() && (scope.parse::<u32>().is_ok() || is_interface(scope))
}
