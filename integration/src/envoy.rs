//! A real Envoy in a namespace.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::access_log;
use crate::netns::Netns;
use crate::version::Version;
use crate::wait::eventually;

pub use builder::{Builder, ENVOY_GID};
pub use validate::{validate, validate_file, validate_file_on, validate_on};

use files::Files;

mod builder;
mod files;
mod validate;

/// Long enough for a start under valgrind.
const START_TIMEOUT: Duration = Duration::from_secs(180);
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// In seconds: an Envoy that reads a million rules answers late, on a busy machine above all.
const ADMIN_TIMEOUT: u64 = 30;
const POLL: Duration = Duration::from_millis(20);

/// A running Envoy, killed when dropped. When that is by a panic, its log is printed.
#[derive(Debug)]
pub struct Envoy {
    host: Netns,
    admin: SocketAddr,
    child: Child,
    files: Files,
}

impl Envoy {
    /// An Envoy to be started on `host`.
    pub fn builder(host: &Netns, version: Version) -> Builder {
        Builder::new(host, version)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("wait for our own child")
            .is_none()
    }

    /// What its admin endpoint answers to a GET of `path`, such as `/config_dump`.
    ///
    /// # Panics
    /// If it does not answer with 200.
    pub fn admin(&self, path: &str) -> String {
        self.request(minreq::get, path)
            .unwrap_or_else(|error| panic!("admin {path}: {error}"))
    }

    /// What it answers to a POST, such as `/logging?level=debug`.
    ///
    /// # Panics
    /// If it does not answer with 200.
    pub fn admin_post(&self, path: &str) -> String {
        self.request(minreq::post, path)
            .unwrap_or_else(|error| panic!("admin {path}: {error}"))
    }

    /// All counters and gauges.
    pub fn stats(&self) -> BTreeMap<String, u64> {
        let text = self.admin("/stats");
        let stat = |line: &str| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter_map(stat).collect()
    }

    /// As [`Envoy::stats`], once no connection of a cluster is left: a loop takes a while to end.
    pub fn idle_stats(&self) -> BTreeMap<String, u64> {
        let mut stats = BTreeMap::new();
        eventually("no connection is left", || {
            stats = self.stats();
            let mut active = stats
                .iter()
                .filter(|(name, _)| name.ends_with(".upstream_cx_active"));
            active.all(|(_, connections)| *connections == 0)
        });
        stats
    }

    /// One counter or gauge, by its full name.
    pub fn stat(&self, name: &str) -> Option<u64> {
        self.stats().remove(name)
    }

    /// The sum of the counters or gauges whose names end with `suffix`, those of all listeners;
    /// none if no name does.
    pub fn stat_sum(&self, suffix: &str) -> Option<u64> {
        let stats = self.stats();
        let values = stats
            .iter()
            .filter(|(name, _)| name.ends_with(suffix))
            .map(|(_, v)| *v);
        values.reduce(|sum, value| sum + value)
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        files::read(&self.files.log())
    }

    /// All that it has written to its standard output, where access logs go.
    pub fn output(&self) -> String {
        files::read(&self.files.access_log())
    }

    /// The entries of the access log so far, see [`access_log`](crate::access_log).
    pub fn access_log(&self) -> Vec<Value> {
        access_log::parse(&self.output())
    }

    /// Waits until the access log is as wanted, and returns it.
    ///
    /// # Panics
    /// With the entries there are, if they are not as wanted after 5 seconds.
    pub fn wait_access_log(&self, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait_for(
            "the entries wanted",
            || self.access_log(),
            |log| wanted(log),
        )
    }

    /// Waits until a line of [`Envoy::output`] is as wanted, blanks at its end aside; `what` says
    /// in words what is waited for.
    ///
    /// # Panics
    /// With the lines there are, if none is as wanted after 5 seconds.
    pub fn wait_output(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        wait_for(
            what,
            || self.output(),
            |output| output.lines().any(|line| wanted(line.trim_end())),
        );
    }

    /// As [`Envoy::wait_output`], for a line of [`Envoy::log`].
    pub fn wait_log(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        wait_for(
            what,
            || self.log(),
            |log| log.lines().any(|line| wanted(line.trim_end())),
        );
    }

    /// The numbers of the files that it has open now, some of them for a moment only.
    pub fn open_files(&self) -> Vec<usize> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("a process");
        let number = |file: fs::DirEntry| file.file_name().to_str()?.parse().ok();
        files.flatten().filter_map(number).collect()
    }

    /// Stops all its threads, until [`Envoy::resume`].
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        // The signal is sent before all of them have heard it.
        eventually("all threads of Envoy are stopped", || {
            let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("a process");
            threads.flatten().all(|thread| {
                let stat = fs::read_to_string(thread.path().join("stat"));
                stat.is_ok_and(|stat| stat.contains(") T "))
            })
        });
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Ends it as an operator does, by SIGTERM, and returns how it ended.
    ///
    /// # Panics
    /// If it still runs after 15 seconds.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait for our own child") {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "Envoy ignores SIGTERM:\n{}",
                self.log()
            );
            thread::sleep(POLL);
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).expect("signal our own child");
    }

    fn wait_ready(&mut self) -> bool {
        let deadline = Instant::now() + START_TIMEOUT;
        while self.is_alive() && Instant::now() < deadline {
            if self.request(minreq::get, "/ready").is_ok() {
                return true;
            }
            thread::sleep(POLL);
        }
        false
    }

    fn request(&self, method: fn(String) -> minreq::Request, path: &str) -> Result<String, String> {
        let request = method(format!("http://{}{path}", self.admin)).with_timeout(ADMIN_TIMEOUT);
        let response = self
            .host
            .run(|| request.send())
            .map_err(|error| error.to_string())?;
        let body = response
            .as_str()
            .map_err(|error| error.to_string())?
            .to_owned();
        match response.status_code {
            200 => Ok(body),
            status => Err(format!("{status}: {body}")),
        }
    }
}

/// Reads until it is as wanted.
fn wait_for<T: Debug>(what: &str, read: impl Fn() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + WAIT_TIMEOUT;
    loop {
        let found = read();
        if wanted(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "not logged: {what}: {found:#?}");
        thread::sleep(POLL);
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!(
                "---- Envoy's log\n{}\n---- its access log\n{}",
                self.log(),
                self.output()
            );
        }
    }
}
