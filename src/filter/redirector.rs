//! Who redirected a connection, by the evidence in its order.

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;

use super::Filter;
use crate::recover::{self, Method, OriginalDst, PassedOver, Unrecovered};
use crate::redirection::Sign;
use crate::verdict::{Evidence, MarkFound, Redirector};

impl Filter {
    /// Who sent the connection here, by the evidence in its order: marks, what the kernel says of it,
    /// whose address the destination is.
    #[inline(always)]
    pub fn redirector(
        &self,
        envoy: &impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
    ) -> Redirector {
        if self.config.has_marks()
            && let Some(redirector) = self.redirector_by_marks(envoy, found)
        {
            return redirector;
        }
        match found {
            Ok(OriginalDst {
                passed_over: Some(passed_over),
                ..
            }) => Redirector::Nobody(Evidence::PassedOver(*passed_over)),
            Ok(found) if self.is_listener(envoy, found) => {
                Redirector::Nobody(Evidence::PassedOver(PassedOver::Listener))
            }
            Err(Unrecovered::Kernel(failure)) if failure.is_own_address_alone() => {
                Redirector::Nobody(Evidence::Unlisted)
            }
            _ => Redirector::Rules,
        }
    }

    /// The same by the marks of the socket, if the options name any that tell. Where the kernel does not
    /// tell the mark, the guard holds: the connection is Envoy's own if `own_mark` is set, else nobody
    /// redirected it.
    #[cold]
    fn redirector_by_marks(
        &self,
        envoy: &impl EnvoyListenerFilter,
        found: &Result<OriginalDst, Unrecovered>,
    ) -> Option<Redirector> {
        let found = recover::mark(envoy, found)?;
        if let Some(wanted) = self.config.own_mark
            && found.is_none_or(|mark| wanted.is_in(mark))
        {
            return Some(Redirector::Envoy(MarkFound { wanted, found }));
        }
        let wanted = self.config.redirect_mark?;
        Some(match found {
            Some(mark) if wanted.is_in(mark) => Redirector::Rules,
            _ => Redirector::Nobody(Evidence::Unmarked(MarkFound { wanted, found })),
        })
    }

    /// Whether a destination is one of Envoy's own listeners. No accepted socket tells the ports that
    /// listeners are bound to, so that the options do. An answer of `TRANSPARENT` was asked for it
    /// already.
    #[inline(always)]
    fn is_listener(&self, envoy: &impl EnvoyListenerFilter, found: &OriginalDst) -> bool {
        found.method != Method::Transparent
            && self.recovery.listener_ports.contains(&found.address.port())
            && recover::is_own_address(envoy, found.address)
    }
}

/// What a connection says about redirection.
pub fn sign(found: &Result<OriginalDst, Unrecovered>, redirector: Redirector) -> Sign {
    match found {
        _ if redirector != Redirector::Rules => Sign::Nothing,
        Ok(found) if found.method.is_internal() => Sign::Nothing,
        Ok(_) => Sign::Hit,
        Err(Unrecovered::Kernel(_)) => Sign::Miss,
        Err(_) => Sign::Nothing,
    }
}
