//! What is said of Windows alone.

use windows_sys::Win32::Networking::WinSock::{WSAEINVAL, WSAENOPROTOOPT, WSAEOPNOTSUPP};

use crate::recover::{OriginalDst, Unrecovered};

/// Why marks are refused.
pub const NO_MARKS: &str = "redirect_mark, own_mark: Windows has no marks: leave them out";

/// What it likely is if no connection has a destination any more.
pub const LOST: &str = "likely the HNS policies that redirect to this listener are gone";

/// The answer names the client.
pub const CLIENT_ITSELF: &str = "that is the client's own address";

/// The listener states no direction.
pub const NO_DIRECTION: &str = "no destination: on Windows the listener needs a traffic_direction, INBOUND \
                                or OUTBOUND, and an Envoy of 1.40 or newer, which tells it";

/// What an error of `SO_ORIGINAL_DST` says, if that is more than Windows' own words for it.
pub fn cause(error: i32) -> Option<&'static str> {
    match error {
        WSAEINVAL | WSAENOPROTOOPT | WSAEOPNOTSUPP => {
            Some("this Windows does not answer SO_ORIGINAL_DST for this connection")
        }
        _ => None,
    }
}

/// What to look at where a kernel socket has no destination.
pub fn advice(_is_transparent: bool) -> &'static str {
    "; see that an HNS policy redirects the connections of this endpoint to the listener"
}

/// Whether no connection to such a listener can have a destination.
pub fn is_misconfigured(found: &Result<OriginalDst, Unrecovered>) -> bool {
    matches!(found, Err(Unrecovered::NoDirection))
}
