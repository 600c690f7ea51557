//! The arguments that `cargo test` passes on.

use std::env;

/// Which scenarios to run.
#[derive(Default)]
pub struct Arguments {
    /// Only name them.
    pub is_list: bool,
    is_exact: bool,
    wanted: Vec<String>,
    skipped: Vec<String>,
}

/// Reads them: parts of names, `--skip`, `--exact` and `--list`. Other options are about output
/// and threads, and change nothing here.
pub fn read() -> Arguments {
    let mut arguments = Arguments::default();
    let mut rest = env::args().skip(1);
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--list" => arguments.is_list = true,
            "--exact" => arguments.is_exact = true,
            "--skip" => arguments.skipped.extend(rest.next()),
            "--test-threads" | "--format" | "--color" | "--logfile" | "-Z" => drop(rest.next()),
            option if option.starts_with('-') => {}
            _ => arguments.wanted.push(argument),
        }
    }
    arguments
}

impl Arguments {
    /// Whether all scenarios are to be run.
    pub fn selects_all(&self) -> bool {
        self.wanted.is_empty() && self.skipped.is_empty()
    }

    /// Whether a scenario of this name is to be run.
    pub fn selects(&self, name: &str) -> bool {
        let matches = |part: &String| {
            if self.is_exact {
                name == part
            } else {
                name.contains(part.as_str())
            }
        };
        (self.wanted.is_empty() || self.wanted.iter().any(matches))
            && !self.skipped.iter().any(matches)
    }
}
