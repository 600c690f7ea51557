//! A redirector by BPF, and the control groups that it works in.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use lab::{Lab, Reached, workspace};

/// Two control groups with the programs of `redirector.bpf.c`: one of clients, one of Envoys.
pub struct Redirector {
    group: PathBuf,
}

impl Redirector {
    /// Builds the programs and attaches them to groups of its own. They go with the groups.
    pub fn new(lab: &Lab) -> Self {
        let group = hierarchy().join(lab.gateway.name());
        for part in ["clients", "envoys"] {
            fs::create_dir_all(group.join(part)).expect("a control group");
        }
        let source = workspace().join("integration/tests/syscalls/redirector.bpf.c");
        let work = tempfile::tempdir().expect("a temporary directory");
        let (source, group_path, work) = (source.display(), group.display(), work.path().display());
        lab.gateway.sh(&format!(
            "clang -O2 -g -Wall -target bpf -I/usr/include/$(uname -m)-linux-gnu -c {source} -o {work}/o
             mkdir {work}/pins
             unshare --mount sh -e -c '
               mount -t bpf bpf {work}/pins
               bpftool prog loadall {work}/o {work}/pins
               attach() {{ bpftool cgroup attach {group_path}/$1 $2 pinned {work}/pins/$3; }}
               attach clients connect4 connect4
               attach clients connect6 connect6
               attach clients sock_ops connecting
               attach envoys getsockopt answer
             '"
        ));
        Self { group }
    }

    /// What makes a program one of the group's, as the command that it is run under.
    fn member(&self, part: &str) -> [String; 4] {
        let enter = format!(
            "echo $$ > {}/{part}/cgroup.procs; exec \"$@\"",
            self.group.display()
        );
        ["sh".to_owned(), "-c".to_owned(), enter, "sh".to_owned()]
    }

    /// For Envoys.
    pub fn envoys(&self) -> [String; 4] {
        self.member("envoys")
    }

    /// Asks as a client of the group on Envoy's own host: whom it reached, if anybody.
    pub fn ask(&self, lab: &Lab, to: SocketAddr) -> Option<Reached> {
        let [sh, arguments @ ..] = self.member("clients");
        let ask = format!(
            "exec 3<>/dev/tcp/{}/{}; echo 'who is there?' >&3; head -n 1 <&3",
            to.ip(),
            to.port()
        );
        let mut client = lab.gateway.command(sh);
        let client = client
            .args(arguments)
            .args(["timeout", "5", "bash", "-c", &ask]);
        let output = client.output().expect("bash runs");
        serde_json::from_slice(&output.stdout).ok()
    }
}

impl Drop for Redirector {
    fn drop(&mut self) {
        for part in ["clients", "envoys", ""] {
            let _ = fs::remove_dir(self.group.join(part));
        }
    }
}

/// Where the control groups of version 2 are.
fn hierarchy() -> PathBuf {
    let mounts = fs::read_to_string("/proc/mounts").expect("what is mounted");
    let place = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    });
    place.expect("control groups of version 2 are mounted")
}
