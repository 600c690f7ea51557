//! A search among ranges of addresses.

use super::answer::Answer;
use super::key::Key;
use super::merge::Ranges;

/// Which range an address lies in.
///
/// A prefix trie takes a step for each few bits of the address, a binary search one for each
/// doubling of the ranges. The ranges' first addresses are a search tree in an array: the children
/// of `node` are at `2 * node` and `2 * node + 1`, the root is at 1. The way down has no branch to
/// mispredict, and its first steps share cache lines.
#[derive(Debug)]
pub struct Table<K> {
    starts: Box<[K]>,
    answers: Box<[Answer]>,
}

impl<K: Key> Table<K> {
    /// The ranges, of which there is at least one.
    pub fn new(ranges: Ranges<K>) -> Self {
        let Ranges { starts, answers } = ranges;
        let mut table = Self {
            starts: vec![K::default(); starts.len() + 1].into(),
            answers: vec![Answer::UNLISTED; starts.len() + 1].into(),
        };
        table.fill(1, &mut starts.into_iter().zip(answers));
        table
    }

    /// Puts down the ranges of the tree below `node`, from left to right.
    fn fill(&mut self, node: usize, ranges: &mut impl Iterator<Item = (K, Answer)>) {
        if node >= self.starts.len() {
            return;
        }
        self.fill(2 * node, ranges);
        if let Some((start, answer)) = ranges.next() {
            self.starts[node] = start;
            self.answers[node] = answer;
        }
        self.fill(2 * node + 1, ranges);
    }

    /// The answer of the range that `address` lies in.
    pub fn answer(&self, address: K) -> Answer {
        let mut node = 1;
        while let Some(start) = self.starts.get(node) {
            node = 2 * node + usize::from(*start <= address);
        }
        // The way down is in the bits of `node`. The range is where it last went to the right: at
        // the lowest 1 but for the 0s of the steps to the left that followed.
        self.answers[node >> (node.trailing_zeros() + 1)]
    }
}
