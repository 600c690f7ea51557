//! What comes with an internal connection: metadata and filter state.

use std::net::SocketAddr;

use arbitrary::{Result, Unstructured};
use fake_host::log::{self, Level};
use fake_host::{Connection, Listener};
use original_dst::address;

const NAME: &str = "envoy.filters.listener.original_dst";

/// The first text that is there decides, and is restored if it is an address.
pub fn run(input: &[u8]) {
    // Too short an input is no failure.
    let _ = accept(&mut Unstructured::new(input));
}

fn accept(input: &mut Unstructured) -> Result<()> {
    log::show(Level::Off);
    let metadata = text(input)?;
    let [local, source, remote] = [text(input)?, text(input)?, text(input)?];
    let mut connection = Connection::internal();
    if let Some(text) = &metadata {
        connection = connection.with_metadata(NAME, "local", text);
    }
    for (key, text) in [
        ("local_ip", &local),
        ("source_ip", &source),
        ("remote_ip", &remote),
    ] {
        if let Some(text) = text {
            connection = connection.with_filter_state(&format!("{NAME}.{key}"), text);
        }
    }
    let listener = Listener::new(NAME, b"").expect("no options");
    listener.accept(&mut connection);

    let (way, destination) = match (&metadata, &local) {
        (Some(text), _) => ("restored_metadata", Some(text)),
        (None, Some(text)) => ("restored_filter_state", Some(text)),
        (None, None) => ("unavailable", None),
    };
    let restored = destination.and_then(|text| address(text)).filter(survived);
    let way = match destination {
        Some(_) if restored.is_none() => "invalid_address",
        _ => way,
    };
    let source = source.or(remote).map(|text| address(&text));
    let is_bad = |name| u64::from(name == way) + u64::from(matches!(source, Some(None)));
    let count = |name: &str| listener.counter(&format!("original_dst.{name}"));
    let found = source.flatten();
    assert_eq!(connection.restored(), restored.map(|ip| ip.to_string()));
    assert_eq!(
        connection.remote.map(|remote| remote.to_string()),
        found.map(|ip| ip.to_string())
    );
    assert_eq!(count("source_restored"), Some(found.is_some().into()));
    assert_eq!(count("invalid_address"), Some(is_bad("invalid_address")));
    if way != "invalid_address" {
        assert_eq!(count(way), Some(1), "{way}");
    }
    Ok(())
}

/// The target `address` has the reader for its subject; no interface has a name here.
fn address(text: &[u8]) -> Option<SocketAddr> {
    address::parse(text, |_| None).map(SocketAddr::from)
}

/// Envoy 1.37 does not survive a local address with a scope.
fn survived(address: &SocketAddr) -> bool {
    !matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0)
}

/// Bytes of any kind, or an address with something of any kind in its port.
fn text(input: &mut Unstructured) -> Result<Option<Vec<u8>>> {
    Ok(match input.int_in_range(0..=3)? {
        0 => None,
        1 => Some(input.arbitrary()?),
        2 => {
            let port: &str = input.arbitrary()?;
            Some(format!("10.2.0.2:{port}").into())
        }
        _ => {
            let address = SocketAddr::new(input.arbitrary()?, input.arbitrary()?);
            Some(address.to_string().into())
        }
    })
}
