//! What Envoy says of a library that cannot be loaded.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use lab::module::{library, module_filter};
use lab::{Envoy, Lab, Listener, Version, Watched, bootstrap};

/// A user without capabilities, for whom a file is not to read.
const USER: u32 = 1337;
/// Where an ELF file names its architecture, and what stands there for arm64.
const MACHINE: (usize, u8) = (18, 0xb7);
const LIBRARY: &str = "liboriginal_dst.so";

/// What stands in the place of the library.
#[derive(Clone, Copy, Debug)]
enum File {
    Missing,
    Empty,
    CutShort,
    Arm64,
    Unreadable,
}

impl File {
    const ALL: [Self; 5] = [
        Self::Missing,
        Self::Empty,
        Self::CutShort,
        Self::Arm64,
        Self::Unreadable,
    ];

    fn put(self, directory: &Watched) {
        let mut contents = fs::read(library()).expect("the library");
        match self {
            Self::Missing => return,
            Self::Empty => contents.clear(),
            Self::CutShort => contents.truncate(contents.len() / 2),
            Self::Arm64 => contents[MACHINE.0] = MACHINE.1,
            Self::Unreadable => {}
        }
        directory.put(LIBRARY, contents);
        if let Self::Unreadable = self {
            let nobody = fs::Permissions::from_mode(0o000);
            fs::set_permissions(directory.file(LIBRARY), nobody).expect("nobody may read it");
        }
    }

    /// What Envoy says of it, alone; from 1.38 on, and before.
    fn reasons(self) -> (&'static str, &'static str) {
        let not_found = "liboriginal_dst.so not found in any search path";
        match self {
            Self::Missing => (not_found, not_found),
            Self::Empty => ("file too short", not_found),
            Self::CutShort => ("Caught Bus error", "Caught Bus error"),
            Self::Arm64 => (
                "/liboriginal_dst.so: cannot open shared object file: No such file or directory",
                not_found,
            ),
            Self::Unreadable => (
                "/liboriginal_dst.so: cannot open shared object file: Permission denied",
                not_found,
            ),
        }
    }
}

/// What Envoy logs of each.
pub fn not_loaded(version: Version) -> String {
    File::ALL.map(|file| log(version, file)).concat()
}

fn log(version: Version, file: File) -> String {
    let lab = Lab::new();
    let directory = Watched::new();
    file.put(&directory);
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), open).expect("its user may look into the directory");
    let listener = Listener::new("0.0.0.0:15001").filter(module_filter(None));
    Envoy::builder(&lab.gateway, version)
        .config(bootstrap([listener.tcp()], []))
        .modules(directory.path())
        .user(USER)
        .try_start()
        .expect_err("nothing to load")
}

#[test]
fn each_fault_has_its_reason() {
    for version in Version::under_test() {
        for file in File::ALL {
            let (reason, before) = file.reasons();
            let reason = if version == Version::V1_37 {
                before
            } else {
                reason
            };
            let log = log(version, file);
            assert!(log.contains(reason), "{version}, {file:?}: {log}");
        }
    }
}
