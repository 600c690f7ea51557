//! Another build of the library takes the place of the one that an Envoy has loaded.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{
    Envoy, FaultPoint, Lab, Listener, Load, Netns, Watched, bootstrap, eventually, module,
    with_node, workspace,
};
use serde_json::json;

use crate::in_every_version;
use crate::restart::{DESTINATIONS, LISTENER, envoy, lab, restored};

const LIBRARY: &str = "liboriginal_dst.so";
const PREVIOUS: &str = "liboriginal_dst.so.previous";

/// An unpacked archive of a build.
struct Archive(Watched);

impl Archive {
    fn new(library: &Path) -> Self {
        let archive = Self(Watched::new());
        let copy = |from: &Path, name| fs::copy(from, archive.0.file(name)).expect("copy a file");
        copy(library, LIBRARY);
        copy(&workspace().join("scripts/install-library"), "install");
        archive
    }

    fn install(&self, directory: &Watched) {
        let mut command = Command::new(self.0.file("install"));
        let status = command.arg(directory.path()).status();
        assert!(status.expect("run the script").success());
    }
}

/// The build under test, and another one.
fn builds() -> [Archive; 2] {
    let other: PathBuf = FaultPoint::new().modules().join(LIBRARY);
    [Archive::new(&module::library()), Archive::new(&other)]
}

/// A part of the library that a process has mapped.
#[derive(Debug)]
struct Map {
    inode: u64,
    /// Another file has its name now.
    is_deleted: bool,
}

fn maps(envoy: &Envoy) -> Vec<Map> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", envoy.pid())).expect("a process");
    let lines = maps.lines().filter(|line| line.contains(LIBRARY));
    let map = |line: &str| {
        Some(Map {
            inode: line.split_whitespace().nth(4)?.parse().ok()?,
            is_deleted: line.ends_with(" (deleted)"),
        })
    };
    lines.filter_map(map).collect()
}

/// The library that a process has loaded, by its inode.
fn loaded(envoy: &Envoy) -> u64 {
    maps(envoy).first().expect("it is mapped").inode
}

fn inode(directory: &Watched, name: &str) -> u64 {
    let metadata = fs::metadata(directory.file(name));
    metadata.expect("the file is there").ino()
}

fn works(client: &Netns) {
    for to in DESTINATIONS {
        let answer = tcp_ask(client, to).expect("an answer");
        assert_eq!(answer.reached.local, to);
    }
}

/// A rename leaves a running Envoy with what it has loaded; hot restarts go over to the other build and
/// back, and lose nobody.
#[test]
fn by_a_rename_and_back() {
    let [ours, other] = builds();
    in_every_version(|version| {
        let (lab, _upstream) = lab();
        let directory = Watched::new();
        ours.install(&directory);
        let start = |epoch| {
            let builder = envoy(&lab, version, epoch, "60s");
            builder.modules(directory.path()).start()
        };
        let mut old = start(0);
        let load = Load::start(&lab.client, 2, &DESTINATIONS);
        for (epoch, is_back) in [(1, false), (2, true)] {
            let before = inode(&directory, LIBRARY);
            match is_back {
                false => other.install(&directory),
                true => {
                    fs::rename(directory.file(PREVIOUS), directory.file(LIBRARY)).expect("back")
                }
            }
            assert_ne!(inode(&directory, LIBRARY), before, "{version}");
            assert_eq!(loaded(&old), before, "{version}");
            works(&lab.client);
            let new = start(epoch);
            eventually("the old Envoy to end", || !old.is_alive());
            eventually("the new one to be asked", || restored(&new) > 100);
            assert_eq!(loaded(&new), inode(&directory, LIBRARY), "{version}");
            old = new;
        }
        let tally = load.stop();
        assert_eq!(tally.connections(), tally.answered, "{version}: {tally:?}");
        assert!(old.stop().success(), "{version}");
    });
}

/// New rules do not bring the new library with them: the one that is loaded takes them.
#[test]
fn an_update_goes_on_with_what_is_loaded() {
    const RULES: &str = "rules.json";
    let [ours, other] = builds();
    in_every_version(|version| {
        let (lab, _upstream) = lab();
        let (directory, watched) = (Watched::new(), Watched::new());
        ours.install(&directory);
        let put = |update, options| {
            let filter = module_filter(Some(options));
            watched.put_filter(RULES, update, &filter);
            watched.discovered(RULES, &filter)
        };
        let listener = Listener::new(&format!("[::]:{LISTENER}"))
            .ipv4_compat()
            .filter(put(1, json!({})));
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(with_node(bootstrap([listener.tcp()], [])))
            .modules(directory.path())
            .start();
        let before = loaded(&envoy);
        works(&lab.client);
        other.install(&directory);
        put(
            2,
            json!({ "destinations": { "deny": ["0.0.0.0/0", "::/0"] } }),
        );
        eventually("the new rules", || {
            tcp_ask(&lab.client, DESTINATIONS[0]).is_err()
        });
        let maps = maps(&envoy);
        assert!(
            maps.iter().all(|map| map.inode == before),
            "{version}: {maps:?}"
        );
        assert!(maps.iter().all(|map| map.is_deleted), "{version}: {maps:?}");
        assert!(envoy.stop().success(), "{version}");
    });
}

/// What the script leaves behind: one file, for everybody to read, and the one before.
#[test]
fn the_script_keeps_the_one_before() {
    let [ours, other] = builds();
    let directory = Watched::new();
    ours.install(&directory);
    assert_eq!(names(&directory), [LIBRARY]);
    other.install(&directory);
    assert_eq!(names(&directory), [LIBRARY, PREVIOUS]);
    for (archive, name) in [(&other, LIBRARY), (&ours, PREVIOUS)] {
        let installed = fs::read(directory.file(name)).expect("readable");
        assert!(
            installed == fs::read(archive.0.file(LIBRARY)).expect("readable"),
            "{name}"
        );
    }
    let metadata = fs::metadata(directory.file(LIBRARY)).expect("the file is there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o755);
}

fn names(directory: &Watched) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).expect("a directory");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    let mut names: Vec<String> = entries.flatten().map(name).collect();
    names.sort();
    names
}

/// What must never be done: a copy over the file is a change of the code that Envoy runs.
#[test]
fn a_copy_over_it_crashes_envoy() {
    let [ours, other] = builds();
    in_every_version(|version| {
        let (lab, _upstream): (Lab, _) = lab();
        let directory = Watched::new();
        ours.install(&directory);
        let mut envoy = envoy(&lab, version, 0, "5s")
            .modules(directory.path())
            .start();
        works(&lab.client);
        fs::copy(other.0.file(LIBRARY), directory.file(LIBRARY)).expect("copy over it");
        eventually("the crash", || {
            let _ = tcp_ask(&lab.client, DESTINATIONS[0]);
            !envoy.is_alive()
        });
        assert!(envoy.log().contains("[critical][backtrace]"), "{version}");
    });
}
