//! The words of the log lines.

#[cfg_attr(windows, path = "wording/windows.rs")]
mod platform;

use std::fmt::{self, Display, Formatter};
use std::io;

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;

use super::Case;
use crate::recover::{Failure, OriginalDst, PassedOver, Unrecovered};
use crate::verdict::{Action, Evidence, MarkFound, Redirector, Verdict};

pub use platform::{LOST, NO_MARKS, is_misconfigured};

/// `IP:port` of an address that Envoy lends.
pub struct Endpoint<'a>(pub (&'a [u8], u16));

/// Where a connection came from and at.
pub struct Client<'a, E>(pub &'a E);

/// What was found, or why nothing was.
pub struct Found<'a>(pub &'a Result<OriginalDst, Unrecovered>);

/// What the connection is, and what becomes of it.
pub struct Outcome<'a>(pub &'a Case<'a>);

impl Display for Endpoint<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (ip, port) = self.0;
        let ip = String::from_utf8_lossy(ip);
        if ip.contains(':') {
            write!(f, "[{ip}]:{port}")
        } else {
            write!(f, "{ip}:{port}")
        }
    }
}

impl<E: EnvoyListenerFilter> Display for Client<'_, E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.get_remote_address() {
            Some(client) => write!(f, "connection from {}", Endpoint(client))?,
            None => f.write_str("connection from no IP address")?,
        }
        match self.0.get_direct_local_address() {
            Some(listener) => write!(f, " at {}", Endpoint(listener)),
            None => Ok(()),
        }
    }
}

impl Display for Found<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(found) => write!(
                f,
                "destination {} by {}",
                found.address,
                found.method.name()
            ),
            Err(Unrecovered::Kernel(failure)) => failure.fmt(f),
            Err(Unrecovered::NothingCame) => f.write_str(
                "no destination: neither metadata nor filter state came with this internal \
                 connection; pass them through the internal_upstream transport socket",
            ),
            Err(Unrecovered::NotIp) => f.write_str(
                "no destination: the connection came neither by an IP socket nor through an \
                 internal listener",
            ),
            #[cfg(windows)]
            Err(Unrecovered::NoDirection) => f.write_str(platform::NO_DIRECTION),
            Err(Unrecovered::Invalid(method)) if method.is_internal() => {
                write!(
                    f,
                    "the destination by {} is not of the form IP:port, such as 10.2.0.2:8080",
                    method.name()
                )
            }
            Err(Unrecovered::Invalid(method)) => {
                write!(
                    f,
                    "the kernel's answer for {} is not an address",
                    method.name()
                )
            }
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("no destination: ")?;
        let cause = match self.original_dst_errno {
            Some(_) if self.is_mapped => {
                "the listener is bound to an IPv4 address in the form of an IPv6 one, so that the \
                 kernel is asked about IPv6 (bind the IPv4 address itself, or [::] with ipv4_compat)"
            }
            None => "SO_ORIGINAL_DST is not among the recovery_methods",
            Some(errno) => match platform::cause(errno) {
                Some(cause) => cause,
                None => {
                    let error = io::Error::from_raw_os_error(errno);
                    write!(f, "SO_ORIGINAL_DST failed: {error}")?;
                    ""
                }
            },
        };
        f.write_str(cause)?;
        if let Some(own) = self.unlisted {
            return write!(
                f,
                "; the socket's own address {own} is not in local_destinations"
            );
        }
        if self.is_mapped {
            return Ok(());
        }
        f.write_str(platform::advice(self.is_transparent))
    }
}

impl Display for Outcome<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.verdict {
            Verdict::Restored(_) => return f.write_str("restored"),
            Verdict::Unredirected | Verdict::Looped => self.0.redirector.fmt(f)?,
            Verdict::Denied => {
                f.write_str("denied by the rules in destinations")?;
                if let Some(denial) = self.0.denial {
                    write!(f, ": {denial}")?;
                }
            }
            Verdict::Unavailable => f.write_str("not redirected")?,
            Verdict::Invalid => f.write_str("not an address that this Envoy takes")?,
        }
        f.write_str(match self.0.action {
            Action::Restore => ", restored anyway",
            Action::Leave => ", left as it came",
            Action::Close => ", closed",
        })
    }
}

impl Display for Redirector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules => f.write_str("redirected"),
            Self::Nobody(Evidence::PassedOver(PassedOver::Arrival)) => {
                f.write_str("not redirected: the client connected to this listener directly")
            }
            Self::Nobody(Evidence::PassedOver(PassedOver::Client)) => {
                f.write_str(platform::CLIENT_ITSELF)
            }
            Self::Nobody(Evidence::Unlisted) => {
                f.write_str("not redirected, as far as the recovery_methods tell")
            }
            Self::Nobody(Evidence::PassedOver(PassedOver::Listener)) => f.write_str(
                "not redirected: the client connected directly to a listener of this Envoy, whose \
                 port is in listener_ports",
            ),
            Self::Nobody(Evidence::Unmarked(mark)) => {
                write!(f, "not redirected: {mark} redirect_mark is {}", mark.wanted)
            }
            Self::Envoy(mark) => write!(
                f,
                "Envoy's own connection, redirected once more: {mark} own_mark is {}",
                mark.wanted
            ),
        }
    }
}

impl Display for MarkFound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.found {
            Some(mark) => write!(f, "its mark is {mark:#x},"),
            None => f.write_str("the kernel does not tell its mark,"),
        }
    }
}
