//! What a connection is, and what becomes of it.

use crate::recover::Method;

/// What the filter found a connection to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its original destination was restored.
    Restored(Method),
    /// Nobody redirected it: its destination is the listener.
    Unredirected,
    /// The rules deny its destination.
    Denied,
    /// It has no original destination.
    Unavailable,
    /// Its original destination is not an address, or one that Envoy does not take.
    Invalid,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its local address becomes the original destination.
    Restore,
    /// It goes on as it came.
    Leave,
    /// It ends here.
    Close,
}

impl Verdict {
    /// The verdict's name in metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restored(_) => "RESTORED",
            Self::Unredirected => "UNREDIRECTED",
            Self::Denied => "DENIED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Invalid => "INVALID",
        }
    }

    /// Why a connection is closed, as access logs show it.
    pub fn close_details(self) -> &'static str {
        match self {
            Self::Restored(_) => "original_dst_restored",
            Self::Unredirected => "original_dst_unredirected",
            Self::Denied => "original_dst_denied",
            Self::Unavailable => "original_dst_unavailable",
            Self::Invalid => "original_dst_invalid_address",
        }
    }
}
