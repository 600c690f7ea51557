//! Counting instructions.

use std::process::{Command, Stdio};

use lab::Envoy;

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
    let files = tempfile::tempdir().expect("a temporary directory");
    let output = files.path().join("callgrind");
    let argument = format!("--callgrind-out-file={}", output.display());
    let envoy = site
        .envoy_of(subject)
        .under(&["valgrind", "--tool=callgrind", &argument])
        .start();
    site.connect(subject, WARM_UP);
    control(&envoy, "--zero");
    let dump = |connections, number| {
        site.connect(subject, connections);
        control(&envoy, "--dump");
        Dump::read(&output.with_extension(number))
    };
    let (few, many) = (dump(FEW, "1"), dump(MANY, "2"));
    let each = |of: fn(&Dump) -> u64| (of(&many) as f64 - of(&few) as f64) / f64::from(MANY - FEW);
    Count {
        instructions: each(Dump::instructions),
        module_allocations: each(|dump| dump.allocations_by("/liboriginal_dst.so")),
    }
}

/// A dump also starts the next count at 0.
fn control(envoy: &Envoy, command: &str) {
    let status = Command::new("callgrind_control")
        .args([command, &envoy.pid().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("callgrind_control runs: `make setup` installs valgrind");
    assert!(status.success(), "callgrind_control {command}: {status}");
}
