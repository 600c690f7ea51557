//! `allow` entries that can never apply.

use super::answer::Answer;
use super::key::Key;
use super::layer::Layer;
use super::layers::Layers;
use super::merge::Ranges;
use super::name::Name;
use super::port_answers::PortAnswers;
use super::ports::{PortRange, Ports};

/// Rules, and what they were merged to.
pub struct Merged<'a> {
    /// The rules of both lists, in order.
    pub layers: &'a Layers,
    /// What they say about IPv4.
    pub ipv4: &'a Ranges<u32>,
    /// What they say about IPv6.
    pub ipv6: &'a Ranges<u128>,
    /// What they say that depends on the port.
    pub by_port: &'a PortAnswers,
}

impl Merged<'_> {
    /// What is wrong with the first of so many `allow` entries that `deny` leaves nothing of.
    pub fn idle(&self, entries: usize) -> Option<String> {
        let mut is_idle = vec![true; entries];
        self.mark(&mut is_idle, &self.layers.ipv4, self.ipv4);
        self.mark(&mut is_idle, &self.layers.ipv6, self.ipv6);
        let index = is_idle.iter().position(|is_idle| *is_idle)?;
        let allow = Layers {
            ipv4: entry(index, &self.layers.ipv4),
            ipv6: entry(index, &self.layers.ipv6),
            ..Layers::default()
        };
        let name = Name::in_layers("allow", index, &allow)?;
        let ipv4 = allow
            .ipv4
            .iter()
            .flat_map(|layer| self.denying(layer, self.ipv4));
        let ipv6 = allow
            .ipv6
            .iter()
            .flat_map(|layer| self.denying(layer, self.ipv6));
        let mut denying = ipv4.chain(ipv6);
        let first = denying.next()?;
        let cover = match denying.any(|other| other.index() != first.index()) {
            true => "and others cover",
            false => "covers",
        };
        Some(format!("{name} can never apply: {first} {cover} it"))
    }

    /// Marks the entries that allow something.
    fn mark<K: Key>(&self, is_idle: &mut [bool], layers: &[Layer<K>], ranges: &Ranges<K>) {
        let mut start = 0;
        for layer in layers.iter().filter(|layer| !layer.denies) {
            while ranges
                .starts
                .get(start + 1)
                .is_some_and(|next| *next <= layer.first)
            {
                start += 1;
            }
            let is_idle = &mut is_idle[layer.rule.index()];
            let ports = layer.ports(&self.layers.ports);
            let mut answers = ranges.answers_from(start, layer.last());
            *is_idle = *is_idle && !answers.any(|(_, answer)| self.allows(answer, ports));
        }
    }

    /// Whether the answer is that one of these ports is allowed, or any at all.
    fn allows(&self, answer: Answer, ports: Option<&Ports>) -> bool {
        let Some(_) = answer.port_answers() else {
            return answer == Answer::ALLOWED;
        };
        let mut ranges = self.by_port.ranges(answer);
        ranges.any(|(range, answer)| answer == Answer::ALLOWED && meet(ports, range))
    }

    /// The rules that deny what a layer is about.
    fn denying<K: Key>(&self, layer: &Layer<K>, ranges: &Ranges<K>) -> impl Iterator<Item = Name> {
        let start = ranges.starts.partition_point(|start| *start <= layer.first) - 1;
        let ports = layer.ports(&self.layers.ports);
        ranges
            .answers_from(start, layer.last())
            .flat_map(move |(first, answer)| {
                let of_ports = self
                    .by_port
                    .ranges(answer)
                    .filter(move |(range, _)| meet(ports, *range));
                of_ports.filter_map(move |(_, answer)| {
                    Some(Name::new(
                        "deny",
                        answer.rule()?,
                        first.max(layer.first).ip(),
                    ))
                })
            })
    }
}

fn meet(ports: Option<&Ports>, range: PortRange) -> bool {
    ports.is_none_or(|ports| ports.meet(range))
}

/// The layers of one `allow` entry.
fn entry<K: Key>(index: usize, layers: &[Layer<K>]) -> Vec<Layer<K>> {
    let is_of = |layer: &&Layer<K>| !layer.denies && layer.rule.index() == index;
    layers.iter().filter(is_of).copied().collect()
}
