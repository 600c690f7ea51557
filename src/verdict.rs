//! What a connection is, and what becomes of it.

use crate::option::Mark;
use crate::recover::{Method, PassedOver};

/// What the filter found a connection to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its original destination was restored.
    Restored(Method),
    /// Nobody redirected it: its destination is the listener.
    Unredirected,
    /// It is Envoy's own, redirected once more.
    Looped,
    /// The rules deny its destination.
    Denied,
    /// It has no original destination.
    Unavailable,
    /// What was found is no address, or Envoy does not take it.
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

/// Who sent a connection to the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirector {
    /// Rules of the kernel, or a tunnel: nothing speaks against it.
    Rules,
    /// Nobody: the client connected to the listener.
    Nobody(Evidence),
    /// Envoy made the connection, and rules redirected it once more: it carries `own_mark`.
    Envoy(MarkFound),
}

/// What tells that nobody redirected a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The best answer of the kernel's is none.
    PassedOver(PassedOver),
    /// Its own address, which was all that was asked for, is not in `local_destinations`.
    Unlisted,
    /// It does not carry `redirect_mark`.
    Unmarked(MarkFound),
}

/// A mark that an option names, and the one that a socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkFound {
    /// What the option names.
    pub wanted: Mark,
    /// What the socket has; `None` if the kernel did not say.
    pub found: Option<u32>,
}

impl Verdict {
    /// The verdict's name in metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restored(_) => "RESTORED",
            Self::Unredirected => "UNREDIRECTED",
            Self::Looped => "LOOPED",
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
            Self::Looped => "original_dst_looped",
            Self::Denied => "original_dst_denied",
            Self::Unavailable => "original_dst_unavailable",
            Self::Invalid => "original_dst_invalid_address",
        }
    }
}

impl Redirector {
    /// Whether nobody redirected the connection.
    pub fn is_nobody(self) -> bool {
        matches!(self, Self::Nobody(_))
    }
}
