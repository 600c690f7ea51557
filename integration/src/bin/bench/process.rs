//! What the kernel says of a process.

use std::fs;
use std::str::FromStr;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// Keeps this thread, and all that it starts from now on, on one processor: that the kernel moves
/// them about makes more of a difference than the filters do. Client and Envoy take turns anyway.
pub fn stay_on_one_processor() {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).expect("the processors of this thread");
    let last = (0..CpuSet::count()).rfind(|cpu| allowed.is_set(*cpu) == Ok(true));
    let mut one = CpuSet::new();
    one.set(last.expect("a processor")).expect("its number");
    sched_setaffinity(this, &one).expect("one of those allowed");
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
