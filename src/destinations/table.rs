//! A search among ranges of addresses.

/// Which range an address lies in.
///
/// A prefix trie takes a step for each few bits of the address, a binary search one for each
/// doubling of the ranges. The ranges' first addresses are a search tree in an array: the children
/// of `node` are at `2 * node` and `2 * node + 1`, the root is at 1. The way down has no branch to
/// mispredict, and its first steps share cache lines.
#[derive(Debug)]
pub struct Table<K> {
    starts: Box<[K]>,
    answers: Box<[u32]>,
}

impl<K: Copy + Default + Ord> Table<K> {
    /// `ranges` are the first addresses, in order, and the answers. The first of them is address 0;
    /// of equal ones, the last counts.
    pub fn new(ranges: &[(K, u32)]) -> Self {
        let mut table = Self {
            starts: vec![K::default(); ranges.len() + 1].into(),
            answers: vec![0; ranges.len() + 1].into(),
        };
        table.fill(1, &mut ranges.iter());
        table
    }

    /// Puts down the ranges of the tree below `node`, from left to right.
    fn fill<'a>(&mut self, node: usize, ranges: &mut impl Iterator<Item = &'a (K, u32)>)
    where
        K: 'a,
    {
        if node >= self.starts.len() {
            return;
        }
        self.fill(2 * node, ranges);
        if let Some((start, answer)) = ranges.next() {
            self.starts[node] = *start;
            self.answers[node] = *answer;
        }
        self.fill(2 * node + 1, ranges);
    }

    /// The answer of the range that `address` lies in.
    pub fn answer(&self, address: K) -> u32 {
        let mut node = 1;
        while let Some(start) = self.starts.get(node) {
            node = 2 * node + usize::from(*start <= address);
        }
        // The way down is in the bits of `node`. The range is where it last went to the right: at
        // the lowest 1 but for the 0s of the steps to the left that followed.
        self.answers[node >> (node.trailing_zeros() + 1)]
    }
}
