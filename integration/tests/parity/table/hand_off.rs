//! Hand-off to the listener of the restored address. With `use_original_dst`, Envoy adds its own
//! filter to the listener: for the module, its option `hand_off` stands against it.

use crate::build::scenario;
use crate::rules::Rules::*;
use crate::scenario::{Own, Scenario, Without};

/// With listeners that are not bound.
pub fn scenarios() -> Vec<Scenario> {
    let both = [Own::HandOff, Own::ImpliedHandOff];
    both.into_iter()
        .flat_map(handed_off)
        .chain(stays())
        .collect()
}

fn handed_off(own: Own) -> Vec<Scenario> {
    let hand_off = |name: &str| {
        let how = if own == Own::HandOff {
            ""
        } else {
            ", filter implied"
        };
        scenario(format!("hand-off{how}, {name}")).own(own)
    };
    vec![
        hand_off("exact listener")
            .rule(Redirect)
            .unbound("10.2.0.2:D")
            .ask("10.2.0.2:D")
            .restored()
            .taken_by("10.2.0.2:D"),
        hand_off("wildcard listener")
            .rule(Redirect)
            .unbound("0.0.0.0:D")
            .ask("10.2.0.2:D")
            .ask("198.51.100.10:D")
            .restored()
            .taken_by("0.0.0.0:D"),
        hand_off("exact and wildcard listener")
            .rule(Redirect)
            .unbound("0.0.0.0:D")
            .unbound("10.2.0.2:D")
            .ask("10.2.0.2:D")
            .restored()
            .taken_by("10.2.0.2:D"),
        hand_off("IPv6, exact listener")
            .rule(Redirect)
            .on("[::]")
            .unbound("[fd02::2]:D")
            .ask("[fd02::2]:D")
            .restored()
            .taken_by("[fd02::2]:D"),
        hand_off("IPv6, wildcard listener")
            .rule(Redirect)
            .on("[::]")
            .unbound("[::]:D")
            .ask("[fd02::2]:D")
            .restored()
            .taken_by("[::]:D"),
        hand_off("dual-stack, exact IPv4 listener")
            .rule(Redirect)
            .dual_stack()
            .unbound("10.2.0.2:D")
            .ask("10.2.0.2:D")
            .restored()
            .taken_by("10.2.0.2:D"),
        hand_off("TPROXY, exact listener")
            .rule(Tproxy)
            .transparent()
            .unbound("10.2.0.2:D")
            .ask("10.2.0.2:D")
            .restored()
            .taken_by("10.2.0.2:D"),
        hand_off("TPROXY, NOTRACK, wildcard listener")
            .rule(Tproxy)
            .rule(NotrackDestination)
            .transparent()
            .unbound("0.0.0.0:D")
            .ask("10.2.0.2:D")
            .restored()
            .taken_by("0.0.0.0:D"),
        hand_off("no listener for the address: stays")
            .rule(Redirect)
            .unbound("10.2.0.3:D")
            .ask("10.2.0.2:D")
            .restored(),
        hand_off("direct: stays")
            .fixed()
            .unbound("0.0.0.0:D")
            .ask("10.1.0.1:L")
            .restored()
            .without(Without::Same),
        hand_off("direct, NOTRACK: stays")
            .rule(NotrackListener)
            .unbound("0.0.0.0:D")
            .ask("10.1.0.1:L")
            .left_at("="),
        hand_off("dual-stack, direct: stays")
            .dual_stack()
            .fixed()
            .unbound("0.0.0.0:D")
            .ask("10.1.0.1:L")
            .ask("[fd01::1]:L")
            .restored()
            .without(Without::Same),
    ]
}

fn stays() -> Vec<Scenario> {
    vec![
        scenario("no hand-off: a listener for the address that is not bound takes nothing")
            .rule(Redirect)
            .unbound("10.2.0.2:D")
            .ask("10.2.0.2:D")
            .restored(),
    ]
}
