//! What the kernel answers about a socket.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use fake_host::kernel::Question;
use fake_host::log::{self, Level};
use fake_host::{Connection, Listener, Socket};
use original_dst as _;

/// An answer is restored if it is an address, and is invalid otherwise. The first byte says what was
/// asked, the rest is the answer.
pub fn run(input: &[u8]) {
    log::show(Level::Off);
    let Some((kind, answer)) = input.split_first() else {
        return;
    };
    let (at, original_dst) = match kind & 1 {
        0 => ("10.1.0.1:15001", Question::ORIGINAL_DST),
        _ => ("[fd01::1]:15001", Question::IPV6_ORIGINAL_DST),
    };
    let at: SocketAddr = at.parse().expect("an address");
    let is_transparent = kind & 2 == 2;
    let (socket, told) = if is_transparent {
        let socket = Socket::transparent(at).with(Question::Name, Ok(answer.into()));
        (socket, answer)
    } else {
        let socket = Socket::untracked().with(original_dst, Ok(answer.into()));
        (socket, &answer[..answer.len().min(ROOM)])
    };
    let mut connection = Connection::over(socket, at);
    let listener = Listener::new("envoy.filters.listener.original_dst", b"").expect("no options");
    listener.accept(&mut connection);
    let expected = address(told).map(|address| address.to_string());
    let counter = match (&expected, is_transparent) {
        (None, _) => "original_dst.invalid_address",
        (Some(address), false) if *address == at.to_string() => "original_dst.unredirected",
        (Some(_), false) => "original_dst.restored_redirect",
        (Some(_), true) => "original_dst.restored_transparent",
    };
    assert_eq!(connection.restored(), expected);
    assert_eq!(listener.counted(), [(counter, 1)]);
}

/// What the kernel is given for an address of either family.
const ROOM: usize = 28;

/// The address in a `sockaddr_in`, which may fill the room, or in a `sockaddr_in6` without a scope.
fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(bytes.first_chunk().copied()?);
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match (i32::from(family), bytes.len()) {
        (libc::AF_INET, 16 | ROOM) => {
            let ip: [u8; 4] = bytes[4..8].try_into().ok()?;
            Some((Ipv4Addr::from(ip), port).into())
        }
        (libc::AF_INET6, ROOM) => {
            let ip: [u8; 16] = bytes[8..24].try_into().ok()?;
            let ip = Ipv6Addr::from(ip).to_canonical();
            (ip.is_ipv4() || bytes[24..] == [0; 4]).then_some((ip, port).into())
        }
        _ => None,
    }
}
