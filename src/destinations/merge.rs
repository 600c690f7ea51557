//! Many rules into one list of ranges, each with what the rules say of it.

use std::cmp::Reverse;

use super::answer::Answer;
use super::key::Key;
use super::layer::Layer;
use super::port_answers::PortAnswers;
use super::ports::Ports;

/// From each of the addresses on, up to the next one, it is the answer beside it. The first address
/// is the first that there is; neighbours have different answers.
#[derive(Debug)]
pub struct Ranges<K> {
    /// The addresses, in order.
    pub starts: Vec<K>,
    /// The answers.
    pub answers: Vec<Answer>,
}

/// What the rules around an address say about it, up to `last`.
struct Place<K> {
    last: K,
    answer: Answer,
}

/// The way through the addresses, from the lowest up.
struct Merge<K> {
    here: Place<K>,
    /// The places that `here` lies in, the innermost last.
    around: Vec<Place<K>>,
    ranges: Ranges<K>,
}

/// Puts layers in the order in which they are merged: each comes after all that it lies in. Of those
/// of the same prefix, the first in its list comes first.
pub fn sort<K: Key>(layers: &mut [Layer<K>]) {
    layers.sort_unstable_by_key(|layer| {
        let Layer {
            first, host_bits, ..
        } = *layer;
        (first, Reverse(host_bits), layer.rule.index())
    });
}

/// What the layers say, which are in order; `elsewhere` is for addresses that none is about. Where
/// several deny, the widest counts, and of the widest the first in its list.
///
/// # Errors
/// The rules come to more ranges of ports than are worth their memory.
pub fn merge<K: Key>(
    layers: &[Layer<K>],
    ports: &[Ports],
    elsewhere: Answer,
    by_port: &mut PortAnswers,
) -> Result<Ranges<K>, String> {
    let mut merge = Merge::new(elsewhere, layers.len());
    // Prefixes lie in each other or apart, but never across.
    for same in layers.chunk_by(Layer::is_about_the_same) {
        let first = same[0].first;
        while merge.here.last < first && merge.leave() {}
        let says = same
            .iter()
            .map(|layer| (layer.ports(ports), layer.answer()));
        let answer = by_port.with(merge.here.answer, says)?;
        merge.enter(first, same[0].last(), answer);
    }
    while merge.leave() {}
    Ok(merge.ranges)
}

impl<K: Key> Merge<K> {
    fn new(elsewhere: Answer, layers: usize) -> Self {
        let most = 2 * layers + 1;
        let mut ranges = Ranges {
            starts: Vec::with_capacity(most),
            answers: Vec::with_capacity(most),
        };
        ranges.begin(K::default(), elsewhere);
        Self {
            here: Place {
                last: K::LAST,
                answer: elsewhere,
            },
            around: Vec::new(),
            ranges,
        }
    }

    fn enter(&mut self, first: K, last: K, answer: Answer) {
        if answer == self.here.answer {
            return;
        }
        let place = Place { last, answer };
        self.around.push(std::mem::replace(&mut self.here, place));
        self.ranges.begin(first, answer);
    }

    /// Goes on behind the innermost place; `false` if there is none.
    fn leave(&mut self) -> bool {
        let Some(place) = self.around.pop() else {
            return false;
        };
        let left = std::mem::replace(&mut self.here, place);
        if let Some(next) = left.last.next() {
            self.ranges.begin(next, self.here.answer);
        }
        true
    }
}

impl<K: Key> Ranges<K> {
    /// From this address on, which is none before the last one, it is this answer.
    fn begin(&mut self, first: K, answer: Answer) {
        if self.starts.last() == Some(&first) {
            self.starts.pop();
            self.answers.pop();
        }
        if self.answers.last() != Some(&answer) {
            self.starts.push(first);
            self.answers.push(answer);
        }
    }

    /// The last address of a range.
    pub fn last(&self, index: usize) -> K {
        // Of the next range, all addresses but the first are behind the last of this one.
        self.starts
            .get(index + 1)
            .map_or(K::LAST, |next| next.before())
    }

    /// The answers of a range and of those behind it, up to an address, and where each begins.
    pub fn answers_from(&self, index: usize, last: K) -> impl Iterator<Item = (K, Answer)> {
        let starts = self.starts[index..].iter().copied();
        let answers = starts.zip(self.answers[index..].iter().copied());
        answers.take_while(move |(start, _)| *start <= last)
    }
}
