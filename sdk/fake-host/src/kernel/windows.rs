//! What Windows is asked about sockets, and says of one of its own.

use std::ffi::c_int;
use std::net::TcpStream;
use std::os::windows::io::AsRawSocket;

use windows_sys::Win32::Networking::WinSock;

use super::{Answer, Question};

pub const AF_INET: u16 = WinSock::AF_INET;
pub const AF_INET6: u16 = WinSock::AF_INET6;
pub const NOT_ANSWERED: c_int = WinSock::WSAENOPROTOOPT;
pub const NOT_A_SOCKET: c_int = WinSock::WSAENOTSOCK;

/// By number, as Envoy's own filter asked on Windows.
impl Question {
    /// `SO_ORIGINAL_DST` at the level `SOL_IP`.
    pub const ORIGINAL_DST: Self = Self::Option(65531, 0x300f);
    /// `IP6T_SO_ORIGINAL_DST` at the level `SOL_IPV6`.
    pub const IPV6_ORIGINAL_DST: Self = Self::Option(65530, 0x300f);
}

/// The answers about a socket that nobody redirected. What Windows says of one nobody knows: Wine says so.
pub fn untracked() -> [(Question, Answer); 2] {
    [
        (Question::ORIGINAL_DST, Err(WinSock::WSAEINVAL)),
        (Question::IPV6_ORIGINAL_DST, Err(WinSock::WSAEINVAL)),
    ]
}

/// The handle of a real socket, which Envoy tells modules as a file descriptor.
pub fn raw(socket: &TcpStream) -> c_int {
    socket.as_raw_socket() as c_int
}

/// Scopes are numbers here.
pub fn is_interface(_name: &str) -> bool {
    false
}
