//! Counting system calls.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use lab::{Envoy, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::is_traced;
use crate::site::Site;
use crate::subject::Subject;

/// Two counts, of few and of many connections: the difference leaves out what is not theirs.
const FEW: u32 = 100;
const MANY: u32 = 600;

/// System calls for a connection.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub all: f64,
    pub getsockopt: f64,
}

/// Counts what Envoy asks of the kernel for a connection.
pub fn count(site: &Site, subject: Subject) -> Count {
    let envoy = site.envoy_of(subject).start();
    let calls = |connections| {
        site.connect(subject, 1);
        trace(&envoy, || site.connect(subject, connections))
    };
    let (few, many) = (calls(FEW), calls(MANY));
    let each =
        |of: &dyn Fn(&Calls) -> u64| (of(&many) as f64 - of(&few) as f64) / f64::from(MANY - FEW);
    Count {
        all: each(&|calls| calls.values().sum()),
        getsockopt: each(&|calls| calls.get("getsockopt").copied().unwrap_or(0)),
    }
}

type Calls = BTreeMap<String, u64>;

/// The calls that Envoy's threads make meanwhile, as strace(1) counts them.
fn trace(envoy: &Envoy, work: impl FnOnce()) -> Calls {
    let output = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut strace = Command::new("strace")
        .args([
            "--follow-forks",
            "--summary-only",
            "--summary-columns=calls,name",
        ])
        .arg("--output")
        .arg(output.path())
        .args(["--attach", &envoy.pid().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .expect("strace runs: `make setup` installs it");
    eventually("strace attaches to Envoy", || is_traced(envoy.pid()));
    work();
    kill(Pid::from_raw(strace.id() as i32), Signal::SIGINT).expect("signal our own child");
    strace.wait().expect("wait for our own child");
    let text = fs::read_to_string(output.path()).expect("strace's summary");
    text.lines().filter_map(row).collect()
}

/// A row of the summary, which is neither a head nor the sum.
fn row(line: &str) -> Option<(String, u64)> {
    let (calls, name) = line.trim().split_once(' ')?;
    let calls = calls.parse().ok()?;
    (name != "total").then(|| (name.trim().to_owned(), calls))
}
