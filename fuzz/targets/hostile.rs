//! A whole connection, with an Envoy and a kernel that answer whatever they like.

use std::net::SocketAddr;

use arbitrary::{Result, Unstructured};
use fake_host::kernel::Question;
use fake_host::log::{self, Level};
use fake_host::{Address, AddressType, Connection, Lending, Listener, Socket, sysctl};
use original_dst as _;

const NAME: &str = "envoy.filters.listener.original_dst";
const OPTIONS: [&str; 13] = [
    "",
    r#"{ "hand_off": true, "publish_metadata": true }"#,
    r#"{ "hand_off": false, "stat_prefix": "a" }"#,
    r#"{ "recovery_methods": ["TRANSPARENT", "SO_ORIGINAL_DST"], "publish_metadata": true }"#,
    r#"{ "unredirected_connections": "CLOSE", "unrecovered_connections": "CLOSE" }"#,
    r#"{ "unredirected_connections": "IGNORE", "listener_ports": [1, 15001, 65535] }"#,
    r#"{ "destinations": { "deny": ["private", "0.0.0.0/1", "8000::/1"] } }"#,
    r#"{ "destinations": { "allow": ["private"], "on_denied": "AUDIT" }, "hand_off": true }"#,
    r#"{ "unredirected_connections": "CLOSE", "listener_ports": [80, 15001] }"#,
    r#"{ "recovery_methods": ["TRANSPARENT", "SO_ORIGINAL_DST"], "hand_off": true,
         "unredirected_connections": "CLOSE", "listener_ports": [80, 15001] }"#,
    r#"{ "redirect_mark": "0x1/0x1", "own_mark": "0x2/0x2", "publish_filter_state": true }"#,
    r#"{ "redirect_mark": "0x1/0x1", "unredirected_connections": "CLOSE",
         "recovery_methods": ["LOCAL_ADDRESS"], "local_destinations": ["0.0.0.0/1", "8000::/1"] }"#,
    r#"{ "recovery_methods": ["SO_ORIGINAL_DST", "LOCAL_ADDRESS", "TRANSPARENT"],
         "local_destinations": ["0.0.0.0/1", { "cidr": "::/0", "ports": [80] }] }"#,
];

/// No answer makes the filter panic, count a connection twice or not at all, restore what would end
/// an old Envoy, or restore what is denied.
pub fn run(input: &[u8]) {
    // Too short an input is no failure.
    let _ = accept(&mut Unstructured::new(input));
}

fn accept(input: &mut Unstructured) -> Result<()> {
    log::show(Level::Debug);
    let options = *input.choose(&OPTIONS)?;
    let mut connection = connection(input)?;
    let before = connection.local.clone();
    let was_restored = connection.is_restored();
    sysctl::set_fwmark_accept(Some("1\n"));
    let listener = Listener::new(NAME, options.as_bytes()).expect("options that are accepted");
    log::take();
    listener.accept(&mut connection);
    assert!(!log::take().is_empty(), "no line of level debug");

    let count = |name: &str| {
        let prefix = if options.contains("stat_prefix") {
            "a."
        } else {
            ""
        };
        listener
            .counter(&format!("{prefix}original_dst.{name}"))
            .expect("a counter")
    };
    assert_eq!(count("error"), 0, "a panic: {options}");
    let ways = [
        "redirect",
        "transparent",
        "local_address",
        "metadata",
        "filter_state",
    ];
    let restored: u64 = ways
        .iter()
        .map(|way| count(&format!("restored_{way}")))
        .sum();
    let denied = count("denied");
    let looped = count("looped");
    let others = count("unredirected") + count("unavailable") + denied + looped;
    // A source that is no address counts as invalid as well.
    let verdicts = restored + others + count("invalid_address");
    assert!((1..=2).contains(&verdicts), "{:?}", listener.counted());
    assert!(restored + others <= 1, "{:?}", listener.counted());
    let is_changed = connection.local != before;
    if is_changed {
        let local = connection.local.as_ref().expect("an address");
        assert!(
            connection.is_restored() && !local.ip.contains(&b'%'),
            "{local}"
        );
        assert!(restored + count("unredirected") == 1 || options.contains("AUDIT"));
    } else if !was_restored && restored == 1 {
        assert!(connection.is_restored(), "{:?}", listener.counted());
    }
    if looped == 1 {
        assert!(!is_changed && connection.closed() == Some("original_dst_looped"));
    }
    if denied == 1 && !options.contains("AUDIT") {
        assert!(!is_changed && connection.closed() == Some("original_dst_denied"));
    }
    Ok(())
}

fn connection(input: &mut Unstructured) -> Result<Connection> {
    let arrived_at = SocketAddr::new(input.arbitrary()?, port(input)?);
    let types = [
        AddressType::Ip,
        AddressType::EnvoyInternal,
        AddressType::Pipe,
    ];
    let address_type = *input.choose(&types)?;
    let mut connection = match address_type {
        AddressType::EnvoyInternal => Connection::internal(),
        AddressType::Pipe => Connection::pipe(),
        _ => Connection::over(socket(input)?, arrived_at),
    };
    for key in ["local_ip", "source_ip", "remote_ip"] {
        if input.arbitrary()? {
            connection = connection.with_filter_state(&format!("{NAME}.{key}"), text(input)?);
        }
    }
    if input.arbitrary()? {
        connection = connection.with_metadata(NAME, "local", text(input)?);
    }
    if input.arbitrary()? {
        connection = connection.restored_to(arrived_at);
    }
    connection.refuses_addresses = input.arbitrary::<u8>()? == 1;
    connection.lending = match input.arbitrary::<u8>()? {
        1 => Lending::Null,
        2 => Lending::NullWithLength,
        3 => Lending::Dangling,
        _ => Lending::Honest,
    };
    if input.arbitrary::<u8>()? == 1 {
        connection = connection.of_type(AddressType(input.arbitrary()?));
    }
    for address in [
        &mut connection.local,
        &mut connection.direct_local,
        &mut connection.remote,
    ] {
        if input.arbitrary::<u8>()? == 1 {
            let (ip, port) = (text(input)?, input.arbitrary()?);
            *address = Some(Address { ip, port });
        }
    }
    if input.arbitrary::<u8>()? == 1 {
        connection.wrong_fd = Some(input.arbitrary()?);
    }
    Ok(connection)
}

fn socket(input: &mut Unstructured) -> Result<Socket> {
    let mut socket = match input.int_in_range(0..=2)? {
        0 => Socket::untracked(),
        1 => Socket::redirected(SocketAddr::new(input.arbitrary()?, port(input)?)),
        _ => Socket::transparent(SocketAddr::new(input.arbitrary()?, port(input)?)),
    };
    for question in [
        Question::ORIGINAL_DST,
        Question::IPV6_ORIGINAL_DST,
        Question::TRANSPARENT,
        Question::IPV6_TRANSPARENT,
        Question::Name,
        Question::Peer,
        Question::MARK,
        Question::NAMESPACE,
    ] {
        socket = match input.int_in_range(0..=7)? {
            0 => socket.with(question, Err(input.int_in_range(0..=200)?)),
            1 => socket.with(question, Ok(text(input)?)),
            _ => socket,
        };
    }
    // Of routes: no answer, one of any bytes, or an error or a route with some of them wrong.
    let route = match input.int_in_range(0..=7)? {
        0 => Err(input.int_in_range(0..=200)?),
        1 => Ok(input.arbitrary()?),
        2 | 3 => Ok(route(input)?),
        _ => return Ok(socket),
    };
    Ok(socket.with(Question::Route, route))
}

/// An answer of rtnetlink(7): a `struct nlmsghdr` and a `struct rtmsg`, or an error in its place.
fn route(input: &mut Unstructured) -> Result<Vec<u8>> {
    let kind: u16 = *input.choose(&[2, 24, 26])?;
    let sequence = u32::from(input.int_in_range(0..=8)? != 0_u8);
    let mut bytes = [
        &36_u32.to_ne_bytes()[..],
        &kind.to_ne_bytes(),
        &[0; 2],
        &sequence.to_ne_bytes(),
        &[0; 4],
    ]
    .concat();
    let family: u8 = *input.choose(&[2, 10, 0])?;
    let bits = input.arbitrary()?;
    bytes.extend([family, bits, 0, 0, 254, 3, 0, input.int_in_range(0..=12)?]);
    bytes.extend(input.arbitrary::<[u8; 12]>()?);
    bytes.truncate(input.int_in_range(0..=64)?);
    Ok(bytes)
}

/// An address more often than not.
fn text(input: &mut Unstructured) -> Result<Vec<u8>> {
    Ok(match input.int_in_range(0..=3)? {
        0 => input.arbitrary()?,
        1 => format!(
            "[fe80::{:x}%{}]:80",
            input.arbitrary::<u16>()?,
            input.arbitrary::<u8>()?
        )
        .into(),
        _ => SocketAddr::new(input.arbitrary()?, port(input)?)
            .to_string()
            .into(),
    })
}

fn port(input: &mut Unstructured) -> Result<u16> {
    Ok(match input.arbitrary()? {
        true => 15001,
        false => input.arbitrary()?,
    })
}
