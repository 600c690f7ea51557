//! A named network namespace as a guard.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::MetadataExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;

use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const DIRECTORY: &str = "/run/netns";

/// A network namespace under `/run/netns`. The last clone to be dropped kills the processes
/// that still run in it and deletes it.
#[derive(Clone, Debug)]
pub struct Netns(Arc<Namespace>);

#[derive(Debug)]
struct Namespace {
    name: String,
    handle: File,
    base_id: u64,
}

impl Netns {
    /// Makes an empty namespace; it must not exist yet.
    pub fn new(name: &str) -> Self {
        succeed(Command::new("ip").args(["netns", "add", name]), "");
        let handle = File::open(path(name)).expect("open the namespace just made");
        let inode = handle.metadata().expect("an open file").ino();
        Self(Arc::new(Namespace {
            name: name.to_owned(),
            handle,
            // Inodes of namespaces count up. Envoy takes 32 bits, and multiplies them by 10.
            base_id: inode % 100_000_000,
        }))
    }

    /// Its name, as `ip netns` lists it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The file that stands for it, as Envoy's `network_namespace_filepath` wants it.
    pub fn path(&self) -> PathBuf {
        path(self.name())
    }

    /// A number for `--base-id`, under which Envoys of this namespace hot-restart each other.
    pub(crate) fn base_id(&self) -> u64 {
        self.0.base_id
    }

    /// Runs `work` in a fresh thread that has entered the namespace. A socket made there stays
    /// in the namespace wherever it is used afterwards; a panic goes on in the caller.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter_and_work = || {
            setns(&self.0.handle, CloneFlags::CLONE_NEWNET).expect("enter the namespace (as root)");
            work()
        };
        thread::scope(|scope| scope.spawn(enter_and_work).join())
            .unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// A command that runs `program` in the namespace, under the process id of its child.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        let mut net = OsString::from("--net=");
        net.push(self.path());
        command.arg(net).arg("--").arg(program);
        command
    }

    /// Runs the lines of a shell script in the namespace and returns what it prints.
    ///
    /// # Panics
    /// With the first line that fails and what it said.
    pub fn sh(&self, script: &str) -> String {
        succeed(self.command("sh").args(["-e", "-x"]), script)
    }

    /// Runs lines such as `addr add 10.1.0.2/24 dev eth0` with one `ip` process.
    ///
    /// # Panics
    /// With the number of the line that fails, and all of them.
    pub fn ip(&self, lines: &str) {
        succeed(self.command("ip").args(["-batch", "-"]), lines);
    }

    /// Sets a network setting, its name written as `net/ipv4/ip_forward`.
    pub fn sysctl(&self, name: &str, value: &str) {
        self.run(|| fs::write(Path::new("/proc/sys").join(name), value))
            .unwrap_or_else(|error| panic!("set {name} to {value}: {error}"));
    }

    /// How many connections wait to be accepted by the listeners that a filter of `ss` selects, such as
    /// `sport = :15001`; by all if it is empty.
    pub fn waiting(&self, listeners: &str) -> usize {
        let queues = self.sh(&format!("ss -Hlnt {listeners}"));
        let queue = |line: &str| line.split_whitespace().nth(1)?.parse::<usize>().ok();
        queues.lines().filter_map(queue).sum()
    }

    /// A link-local address on the link of one of the host's interfaces.
    pub fn scoped(&self, ip: Ipv6Addr, port: u16, interface: &str) -> SocketAddr {
        let scope = self
            .run(|| if_nametoindex(interface))
            .expect("an interface of the host");
        SocketAddrV6::new(ip, port, 0, scope).into()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        delete(&self.name);
        // What its Envoys kept for the next to take over, if there were hot restarts.
        let shared_memory = format!("/dev/shm/envoy_shared_memory_{}0", self.base_id);
        let _ = fs::remove_file(shared_memory);
    }
}

/// The names of all namespaces there are.
pub(crate) fn names() -> Vec<String> {
    let entries = fs::read_dir(DIRECTORY).into_iter().flatten();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Deletes a namespace with all that runs in it. Errors are left alone: it may be gone already,
/// and a drop must not panic.
pub(crate) fn delete(name: &str) {
    for pid in processes(name).filter(|pid| *pid != process::id() as i32) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = Command::new("ip")
        .args(["netns", "del", name])
        .stderr(Stdio::null())
        .status();
}

fn processes(name: &str) -> impl Iterator<Item = i32> {
    let output = Command::new("ip").args(["netns", "pids", name]).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let pids: Vec<i32> = String::from_utf8_lossy(&text)
        .lines()
        .flat_map(|line| line.trim().parse())
        .collect();
    pids.into_iter()
}

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// Runs a command with `input` to its end and returns what it printed.
fn succeed(command: &mut Command, input: &str) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = feed(command, input);
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        status.success(),
        "{command:?}: {status}\n{stderr}\nits input:\n{input}"
    );
    String::from_utf8_lossy(&stdout).into_owned()
}

fn feed(command: &mut Command, input: &str) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("its stdin is a pipe");
    // A child that ends early does not read it all; its status says why.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("wait for the child")
}
