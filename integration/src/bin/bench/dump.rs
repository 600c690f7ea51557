//! What callgrind writes: how many instructions, and who called whom.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The calls that take memory from the heap.
const ALLOCATORS: [&str; 4] = ["malloc", "calloc", "realloc", "posix_memalign"];

/// A dump, in the format of <https://valgrind.org/docs/manual/cl-format.html>.
pub struct Dump(String);

impl Dump {
    pub fn read(path: &Path) -> Self {
        Self(fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    }

    /// All instructions.
    pub fn instructions(&self) -> u64 {
        let line = self
            .0
            .lines()
            .find_map(|line| line.strip_prefix("summary: "));
        number(line.expect("a summary in the dump"))
    }

    /// The allocations that a library makes by itself.
    pub fn allocations_by(&self, library: &str) -> u64 {
        let (mut objects, mut functions) = (Names::default(), Names::default());
        let (mut caller, mut called, mut allocations) = ("", "", 0);
        for (key, value) in self.0.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "ob" => caller = objects.resolve(value),
                "cfn" => called = functions.resolve(value),
                // Where a name is said first, whoever it is said of.
                "cob" => _ = objects.resolve(value),
                "fn" => _ = functions.resolve(value),
                "calls" if caller.ends_with(library) && ALLOCATORS.contains(&called) => {
                    allocations += number(value.split(' ').next().expect("a count"));
                }
                _ => {}
            }
        }
        allocations
    }
}

/// A name is written as `(12) name` at first, and as `(12)` from then on.
#[derive(Default)]
struct Names<'a>(HashMap<&'a str, &'a str>);

impl<'a> Names<'a> {
    fn resolve(&mut self, text: &'a str) -> &'a str {
        match text.split_once(' ') {
            Some((id, name)) => {
                self.0.insert(id, name);
                name
            }
            None => self.0.get(text).copied().unwrap_or_default(),
        }
    }
}

fn number(text: &str) -> u64 {
    text.trim().parse().expect("a number in the dump")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_those_of_the_library_itself() {
        let text = "summary: 1234\n\
                    ob=(1) /bin/envoy\nfn=(1) main\ncfn=(2) malloc\ncalls=5 0\n0 100\n\
                    ob=(2) /lib/module.so\nfn=(3) accept\n0 10\ncob=(1)\ncfn=(2)\ncalls=3 0 \n0 60\n\
                    cfn=(4) free\ncalls=7 0\n0 70\n";
        let dump = Dump(text.to_owned());
        assert_eq!(dump.instructions(), 1234);
        assert_eq!(dump.allocations_by("/module.so"), 3);
        assert_eq!(dump.allocations_by("/envoy"), 5);
        assert_eq!(dump.allocations_by("/other.so"), 0);
    }
}
