//! Many rules into one list of ranges, each with the ports that are allowed there.

use std::cmp::Reverse;

use super::ports::Ports;

/// How many ranges of ports the rules may come to, where each rule counts with those around it.
/// They take 16 MiB.
const MAX_PORT_RANGES: usize = 1 << 22;

/// What one rule says about one prefix.
pub struct Layer {
    /// The prefix's first address.
    pub first: u128,
    /// Its last address.
    pub last: u128,
    /// The ports that the rule is about.
    pub ports: Ports,
    /// Whether it denies them, or allows them.
    pub denies: bool,
}

/// What the rules around an address say about it, up to `last`.
struct Place {
    last: u128,
    allow: Ports,
    deny: Ports,
    allowed: Ports,
}

/// The way through the addresses, from the lowest up.
struct Merge {
    here: Place,
    /// The places that `here` lies in, the innermost last.
    around: Vec<Place>,
    merged: Vec<(u128, Ports)>,
}

/// The ports that are allowed from an address on, up to the next in the list; of several for one
/// address, the last counts. The first address is 0; `elsewhere` is for addresses that no rule is
/// about.
///
/// # Errors
/// The rules come to more ranges of ports than are worth their memory.
pub fn merge(mut layers: Vec<Layer>, elsewhere: Ports) -> Result<Vec<(u128, Ports)>, String> {
    // Prefixes lie in each other or apart, but never across: in this order, each comes after all
    // that it lies in.
    layers.sort_unstable_by_key(|layer| (layer.first, Reverse(layer.last)));
    let ground = Place {
        last: u128::MAX,
        allow: elsewhere.clone(),
        deny: Ports::none(),
        allowed: elsewhere.clone(),
    };
    let mut merge = Merge {
        here: ground,
        around: Vec::new(),
        merged: vec![(0, elsewhere)],
    };
    let mut port_ranges = 0;
    for layer in layers {
        while merge.here.last < layer.first && merge.leave() {}
        merge.enter(layer);
        port_ranges += merge.here.allow.ranges() + merge.here.deny.ranges();
        if port_ranges > MAX_PORT_RANGES {
            return Err(format!(
                "the ports of rules that lie in each other come to more than {MAX_PORT_RANGES} \
                 ranges: use fewer or wider ranges"
            ));
        }
    }
    while merge.leave() {}
    merge.merged.dedup_by(|next, range| next.1 == range.1);
    Ok(merge.merged)
}

impl Merge {
    fn enter(&mut self, layer: Layer) {
        let Layer {
            first,
            last,
            ports,
            denies,
        } = layer;
        let Place { allow, deny, .. } = &self.here;
        let (allow, deny) = if denies {
            (allow.clone(), deny.union(&ports))
        } else {
            (allow.union(&ports), deny.clone())
        };
        let allowed = allow.minus(&deny);
        let place = Place {
            last,
            allow,
            deny,
            allowed,
        };
        self.around.push(std::mem::replace(&mut self.here, place));
        self.begin(first);
    }

    /// Goes on behind the innermost place; `false` if there is none.
    fn leave(&mut self) -> bool {
        let Some(place) = self.around.pop() else {
            return false;
        };
        let left = std::mem::replace(&mut self.here, place);
        if let Some(next) = left.last.checked_add(1) {
            self.begin(next);
        }
        true
    }

    /// From this address on, it is as here.
    fn begin(&mut self, first: u128) {
        self.merged.push((first, self.here.allowed.clone()));
    }
}
