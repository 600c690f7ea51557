//! What the kernel says of a process.

use std::fs;
use std::str::FromStr;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

const THIS_THREAD: Pid = Pid::from_raw(0);

/// The processors that this thread may run on.
pub fn processors() -> Vec<usize> {
    let allowed = sched_getaffinity(THIS_THREAD).expect("the processors of this thread");
    let is_allowed = |processor: &usize| allowed.is_set(*processor) == Ok(true);
    (0..CpuSet::count()).filter(is_allowed).collect()
}

/// Does the work, and starts whatever it starts, on these processors only: that the kernel moves
/// threads about makes more of a difference than the filters do.
pub fn on_processors<T>(wanted: &[usize], work: impl FnOnce() -> T) -> T {
    let before = processors();
    stay_on(wanted);
    let result = work();
    stay_on(&before);
    result
}

fn stay_on(wanted: &[usize]) {
    let mut set = CpuSet::new();
    for processor in wanted {
        set.set(*processor).expect("a processor's number");
    }
    sched_setaffinity(THIS_THREAD, &set).expect("processors that are allowed");
}

/// The processor time that all its threads have taken, to the nanosecond.
pub fn cpu_time(pid: u32) -> Duration {
    let clock = clock_getcpuclockid(Pid::from_raw(pid as i32)).expect("a process of ours");
    clock.now().expect("its clock").into()
}

/// The same in ticks of 10 ms: in user space, and in the kernel. The kernel knows the two apart by
/// samples, so that it takes many ticks to know them well.
pub fn user_and_system_ticks(pid: u32) -> [u64; 2] {
    let stat = read(pid, "stat");
    // The name, in parentheses, may have any characters.
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    let fields: Vec<&str> = fields.split(' ').collect();
    // The 14th and the 15th of all.
    [number(fields[11]), number(fields[12])]
}

/// The processor time that its first thread has taken.
pub fn main_thread_time(pid: u32) -> Duration {
    let schedstat = read(pid, &format!("task/{pid}/schedstat"));
    let first = schedstat.split(' ').next().expect("a first field");
    Duration::from_nanos(number(first))
}

/// The memory that it has in RAM.
pub fn resident_kib(pid: u32) -> u64 {
    kib(pid, "VmRSS:")
}

/// The most that it had in RAM at once, since it was last forgotten.
pub fn peak_kib(pid: u32) -> u64 {
    kib(pid, "VmHWM:")
}

/// Lets the peak begin at what it has in RAM now.
pub fn forget_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of ours");
}

fn kib(pid: u32, field: &str) -> u64 {
    let status = read(pid, "status");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    number(
        line.and_then(|line| line.strip_suffix("kB"))
            .expect("a size in kB")
            .trim(),
    )
}

/// Whether each of its threads has a tracer.
pub fn is_traced(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a process of ours");
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status"));
        status.is_ok_and(|status| !status.contains("TracerPid:\t0\n"))
    })
}

fn read(pid: u32, file: &str) -> String {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn number<T: FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| panic!("{text:?} is no number"))
}
