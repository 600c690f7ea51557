//! Counting instructions.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use lab::{Builder, Envoy};
use tempfile::TempDir;

use crate::dump::Dump;
use crate::site::Site;
use crate::subject::Subject;

/// Connections before the count begins: caches and lazy symbols are settled then.
const WARM_UP: u32 = 100;
/// Two counts, of few and of many connections: the difference leaves out what is not theirs.
const FEW: u32 = 100;
const MANY: u32 = 2100;

/// What a connection takes.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// Instructions of the whole Envoy.
    pub instructions: f64,
    /// Calls of the allocator by the module.
    pub module_allocations: f64,
}

/// Counts what Envoy spends on a connection.
pub fn count(site: &Site, subject: Subject) -> Count {
    Counted::start(site.envoy_of(subject)).each(MANY, |connections| {
        site.connect(subject, connections);
    })
}

/// An Envoy under callgrind.
pub struct Counted {
    envoy: Envoy,
    output: TempDir,
    dumps: u32,
}

impl Counted {
    /// Starts it, which takes some seconds.
    pub fn start(builder: Builder) -> Self {
        let output = tempfile::tempdir().expect("a temporary directory");
        let argument = format!("--callgrind-out-file={}", file(&output).display());
        let under = ["valgrind", "--tool=callgrind", &argument];
        Self {
            envoy: builder.under(&under).start(),
            output,
            dumps: 0,
        }
    }

    /// Counts what it spends on each of `many` and fewer exchanges.
    pub fn each(&mut self, many: u32, mut exchange: impl FnMut(u32)) -> Count {
        exchange(WARM_UP);
        self.control("--zero");
        let mut dump = |exchanges| {
            exchange(exchanges);
            self.dump()
        };
        let (fewer, all) = (dump(FEW), dump(many));
        let each =
            |of: fn(&Dump) -> u64| (of(&all) as f64 - of(&fewer) as f64) / f64::from(many - FEW);
        Count {
            instructions: each(Dump::instructions),
            module_allocations: each(|dump| dump.allocations_by("/liboriginal_dst.so")),
        }
    }

    /// A dump also starts the next count at 0.
    fn dump(&mut self) -> Dump {
        self.control("--dump");
        self.dumps += 1;
        Dump::read(&file(&self.output).with_extension(self.dumps.to_string()))
    }

    fn control(&self, command: &str) {
        let status = Command::new("callgrind_control")
            .args([command, &self.envoy.pid().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("callgrind_control runs: `make setup` installs valgrind");
        assert!(status.success(), "callgrind_control {command}: {status}");
    }
}

fn file(output: &TempDir) -> PathBuf {
    output.path().join("callgrind")
}
