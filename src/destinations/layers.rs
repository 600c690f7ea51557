//! The layers of many rules.

use std::num::NonZeroU32;

use super::answer::RuleId;
use super::key::Key;
use super::layer::Layer;
use super::ports::Ports;
use super::scope::Scope;

use ipnet::IpNet;

/// The layers that the rules of a list come to.
#[derive(Debug, Default)]
pub struct Layers {
    /// How many rules there are.
    pub rules: usize,
    /// What they say about IPv4.
    pub ipv4: Vec<Layer<u32>>,
    /// What they say about IPv6.
    pub ipv6: Vec<Layer<u128>>,
    /// The ports, by their numbers in the layers.
    pub ports: Vec<Ports>,
}

impl Layers {
    /// Adds a rule that allows these ports, or all, at these addresses.
    ///
    /// # Errors
    /// There are too many rules.
    pub fn add(&mut self, scope: Scope, ports: Option<Ports>) -> Result<(), String> {
        if self.rules == RuleId::MAX_RULES {
            return Err(format!("the list has more than {} entries", self.rules));
        }
        let ports = ports.map(|ports| number(&mut self.ports, ports));
        scope.prefixes(|net, about| {
            let rule = RuleId::new(about, self.rules);
            let host_bits = net.max_prefix_len() - net.prefix_len();
            match net {
                IpNet::V4(net) => {
                    let first = net.network().to_bits();
                    self.ipv4.push(Layer::new(first, host_bits, rule, ports));
                }
                IpNet::V6(net) => {
                    let first = net.network().to_bits();
                    self.ipv6.push(Layer::new(first, host_bits, rule, ports));
                }
            }
        });
        self.rules += 1;
        Ok(())
    }

    /// Adds what is left of the next rule.
    pub fn add_rest(&mut self, rest: Self) {
        self.append(rest);
        self.rules += 1;
    }

    /// Adds the rules of another list, which deny.
    pub fn deny(&mut self, mut list: Self) {
        list.ipv4.iter_mut().for_each(|layer| layer.denies = true);
        list.ipv6.iter_mut().for_each(|layer| layer.denies = true);
        self.append(list);
    }

    fn append(&mut self, mut list: Self) {
        let numbers = self.ports.len() as u32;
        append(&mut self.ipv4, list.ipv4, numbers);
        append(&mut self.ipv6, list.ipv6, numbers);
        self.ports.append(&mut list.ports);
    }
}

/// Puts down ports; gives their number.
pub fn number(all: &mut Vec<Ports>, ports: Ports) -> NonZeroU32 {
    all.push(ports);
    NonZeroU32::MIN.saturating_add(all.len() as u32 - 1)
}

/// Appends layers whose ports come behind so many others.
fn append<K: Key>(layers: &mut Vec<Layer<K>>, mut more: Vec<Layer<K>>, numbers: u32) {
    for ports in more.iter_mut().filter_map(|layer| layer.ports.as_mut()) {
        *ports = ports.saturating_add(numbers);
    }
    if layers.is_empty() {
        *layers = more;
    } else {
        layers.append(&mut more);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_list_without_an_end_is_refused() {
        let mut layers = Layers {
            rules: RuleId::MAX_RULES - 1,
            ..Layers::default()
        };
        let scope = Scope::parse("private").unwrap();
        assert_eq!(layers.add(scope, None), Ok(()));
        assert_eq!(
            layers.add(scope, None),
            Err("the list has more than 16777216 entries".to_owned())
        );
    }
}
