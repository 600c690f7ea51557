//! The fake host against a small module, with what is known of Envoy's answers.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_on_listener_filter_status as Status;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyCounterId, EnvoyGaugeId, EnvoyListenerFilter, EnvoyListenerFilterConfig,
    EnvoyListenerFilterConfigImpl, ListenerFilter, ListenerFilterConfig,
    declare_listener_filter_init_functions, envoy_log_debug, envoy_log_warn,
};
use fake_host::kernel::sockaddr;
use fake_host::log::{self, Level};
use fake_host::{AddressType, Connection, Lending, Listener, Socket};

declare_listener_filter_init_functions!(program_init, new_config);

/// Does with a connection what the filter's name says, to the text of the configuration.
struct Module {
    does: String,
    text: Vec<u8>,
    counter: EnvoyCounterId,
    details: EnvoyCounterId,
    gauge: EnvoyGaugeId,
}

fn program_init() -> bool {
    true
}

fn new_config(
    envoy: &mut EnvoyListenerFilterConfigImpl,
    name: &str,
    text: &[u8],
) -> Option<Module> {
    (name != "refuse").then(|| Module {
        does: name.to_owned(),
        text: text.to_owned(),
        counter: envoy.define_counter("connections").expect("a counter"),
        details: envoy.define_counter("details").expect("a counter"),
        gauge: envoy.define_gauge("last_port").expect("a gauge"),
    })
}

impl ListenerFilterConfig for Module {
    type Filter = Self;

    fn new_listener_filter(&self) -> &Self {
        self
    }
}

impl<ELF: EnvoyListenerFilter> ListenerFilter<ELF> for Module {
    fn on_accept(&self, envoy: &mut ELF) -> Status {
        envoy.increment_counter(self.counter, 1);
        let is_ipv6 = self.text.contains(&b':');
        match self.does.as_str() {
            "restore" => {
                envoy.restore_local_address(&self.text, 80, is_ipv6);
            }
            "restore as the other family" => {
                envoy.restore_local_address(&self.text, 80, !is_ipv6);
            }
            "set remote" => {
                envoy.set_remote_address(&self.text, 80, is_ipv6);
            }
            "hand off" => envoy.use_original_dst(true),
            "close" | "close and go on" => {
                envoy.set_downstream_transport_failure_reason("a reason");
                envoy.close_socket("details");
                assert_eq!(envoy.get_socket_fd(), None);
            }
            "look" => look(self, envoy),
            "log" => {
                let detail = || {
                    envoy.increment_counter(self.details, 1);
                    "a detail"
                };
                envoy_log_debug!("{}", detail());
                envoy_log_warn!("a warning");
            }
            "panic" => panic!("a panic in the module"),
            other => panic!("what is {other:?}?"),
        }
        if self.does == "close" {
            return Status::StopIteration;
        }
        Status::Continue
    }
}

/// Notes what it sees in the metadata.
fn look<E: EnvoyListenerFilter>(module: &Module, envoy: &mut E) {
    let show = |address: Option<(&[u8], u16)>| match address {
        Some((ip, port)) => format!("{} {port}", String::from_utf8_lossy(ip)),
        None => "nothing".to_owned(),
    };
    let show_text = |text: Option<&[u8]>| match text {
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => "nothing".to_owned(),
    };
    let seen = [
        ("local", show(envoy.get_local_address())),
        ("direct local", show(envoy.get_direct_local_address())),
        ("remote", show(envoy.get_remote_address())),
        ("restored", envoy.is_local_address_restored().to_string()),
        ("type", envoy.get_address_type().0.to_string()),
        ("fd", envoy.get_socket_fd().is_some().to_string()),
        (
            "metadata",
            show_text(envoy.get_dynamic_metadata_string("namespace", "key")),
        ),
        ("state", show_text(envoy.get_filter_state("key"))),
    ];
    if let Some((_, port)) = envoy.get_remote_address() {
        envoy.set_gauge(module.gauge, port.into());
    }
    for (key, value) in seen {
        envoy.set_dynamic_metadata_string("seen", key, &value);
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn connection() -> Connection {
    Connection::over(Socket::untracked(), address("10.1.0.1:15001"))
}

fn listener(does: &str, text: &str) -> Listener {
    Listener::new(does, text.as_bytes()).expect("a configuration that the module takes")
}

#[test]
fn a_module_can_refuse_its_configuration() {
    assert!(Listener::new("refuse", b"").is_none());
}

#[test]
fn judges_addresses_as_envoy_does() {
    for (text, is_taken) in [
        ("10.2.0.2", true),
        ("0.0.0.0", true),
        ("fd02::2", true),
        ("::", true),
        ("::ffff:10.2.0.2", true),
        ("[fd02::2]", false),
        ("010.0.0.1", false),
        (" 10.2.0.2", false),
        ("10.2.0.2 ", false),
        ("10.2.0.2:80", false),
        ("localhost", false),
        ("", false),
    ] {
        for (does, is_taken) in [
            ("restore", is_taken),
            ("set remote", is_taken),
            ("restore as the other family", false),
        ] {
            let mut connection = connection();
            listener(does, text).accept(&mut connection);
            let local = if is_taken && does == "restore" {
                text
            } else {
                "10.1.0.1"
            };
            let remote = if is_taken && does == "set remote" {
                text
            } else {
                "10.1.0.2"
            };
            assert_eq!(
                connection.local.as_ref().map(|a| &*a.ip),
                Some(local.as_bytes())
            );
            assert_eq!(
                connection.remote.as_ref().map(|a| &*a.ip),
                Some(remote.as_bytes())
            );
            assert_eq!(connection.is_restored(), is_taken && does == "restore");
            assert_eq!(
                connection.direct_local,
                Some(address("10.1.0.1:15001").into())
            );
        }
    }
    // The SDK keeps local addresses with a scope from this version of Envoy.
    for (text, is_taken) in [
        ("fe80::1%1", true),
        ("fe80::1%lo", true),
        ("fe80::1%", false),
        ("fe80::1%nosuch", false),
    ] {
        let mut connection = connection();
        listener("set remote", text).accept(&mut connection);
        assert_eq!(
            connection.remote.expect("an address").ip == text.as_bytes(),
            is_taken,
            "{text}"
        );
    }
    let mut connection = connection();
    connection.refuses_addresses = true;
    listener("restore", "10.2.0.2").accept(&mut connection);
    assert!(!connection.is_restored());
}

#[test]
fn shows_a_connection() {
    let look = listener("look", "");
    let seen = |mut connection: Connection| {
        look.accept(&mut connection);
        [
            "local",
            "direct local",
            "remote",
            "restored",
            "type",
            "fd",
            "metadata",
            "state",
        ]
        .map(|key| connection.metadata("seen", key).expect("a note"))
        .join(", ")
    };
    let kernel = connection()
        .restored_to(address("[fd02::2]:80"))
        .with_metadata("namespace", "key", "a")
        .with_filter_state("key", "b");
    assert_eq!(
        seen(kernel),
        "fd02::2 80, 10.1.0.1 15001, 10.1.0.2 1000, true, 1, true, a, b"
    );
    assert_eq!(look.gauge("last_port"), Some(1000));
    assert_eq!(look.gauge("connections"), None);
    assert_eq!(
        seen(Connection::internal()),
        "nothing, nothing, nothing, false, 3, false, nothing, nothing"
    );
    assert_eq!(
        seen(Connection::pipe()),
        "nothing, nothing, nothing, false, 2, true, nothing, nothing"
    );
    let mut hostile = connection()
        .of_type(AddressType::Unknown)
        .with_filter_state("key", "b");
    hostile.lending = Lending::Null;
    assert_eq!(
        seen(hostile),
        "nothing, nothing, nothing, false, 0, true, nothing, nothing"
    );
    assert_eq!(look.counter("connections"), Some(4));
    assert_eq!(look.counted(), [("connections", 4)]);
}

#[test]
fn closes() {
    let mut connection = connection();
    let close = listener("close", "");
    assert_eq!(close.accept(&mut connection), Status::StopIteration);
    assert_eq!(connection.closed(), Some("details"));
    assert_eq!(connection.failure_reason(), Some("a reason"));
}

#[test]
#[should_panic = "Envoy crashes"]
fn going_on_with_a_closed_socket_crashes() {
    listener("close and go on", "").accept(&mut connection());
}

#[test]
#[should_panic = "Envoy recurses until it crashes"]
fn handing_off_twice_crashes() {
    let hand_off = listener("hand off", "");
    let mut connection = connection();
    hand_off.accept(&mut connection);
    assert_eq!(connection.hand_off(), Some(true));
    hand_off.accept(&mut connection.restored_to(address("10.2.0.2:80")));
}

#[test]
fn keeps_the_log() {
    let log_both = listener("log", "");
    let warning = || (Level::Warn, "a warning".to_owned());
    log_both.accept(&mut connection());
    assert_eq!(log::take(), [warning()]);
    assert_eq!(log_both.counter("details"), Some(0), "made for nobody");
    log::show(Level::Debug);
    log_both.accept(&mut connection());
    assert_eq!(
        log::take(),
        [(Level::Debug, "a detail".to_owned()), warning()]
    );
    log::show(Level::Off);
    log_both.accept(&mut connection());
    assert_eq!(log::take(), []);
}

#[test]
fn a_panic_ends_the_connection() {
    let mut connection = connection();
    assert_eq!(
        listener("panic", "").accept(&mut connection),
        Status::StopIteration
    );
    assert_eq!(connection.closed(), Some("dynamic_module_panic"));
    let log = log::take();
    assert!(log[0].1.ends_with("a panic in the module"), "{log:?}");
}

#[test]
fn real_sockets_meet_the_real_kernel() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let at = listener.local_addr().expect("the name of a socket");
    let client = TcpStream::connect(at).expect("a connection");
    assert_eq!(client.peer_addr().expect("a peer"), at);
    assert!(client.take_error().expect("SO_ERROR").is_none());
    assert!(client.nodelay().is_ok());
    let udp = UdpSocket::bind("[::1]:0").expect("loopback");
    assert_eq!(
        udp.local_addr().expect("the name of a socket").ip(),
        address("[::1]:0").ip()
    );
}

#[test]
fn a_programmed_socket_is_there_while_its_connection_is_accepted() {
    let mut connection = connection();
    let (fd, _) = connection.socket().expect("a programmed socket");
    let mut length = 0;
    // SAFETY: there is room for as many bytes as the length says.
    let result = unsafe { libc::getsockname(fd, std::ptr::null_mut(), &mut length) };
    assert_eq!(result, -1);
    assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EBADF));
    assert_eq!(
        connection.socket().expect("a programmed socket").1.asked(),
        []
    );
}

#[test]
fn addresses_as_the_kernel_writes_them() {
    assert_eq!(
        sockaddr(address("10.2.0.3:258")),
        [2, 0, 1, 2, 10, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    let ipv6 = sockaddr(address("[fe80::a1%3]:258"));
    assert_eq!(ipv6[..8], [10, 0, 1, 2, 0, 0, 0, 0]);
    assert_eq!(
        ipv6[8..],
        [
            0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa1, 3, 0, 0, 0
        ]
    );
}
