//! What the module costs: user-space instructions of the whole Envoy for each accepted connection.
//!
//! Instructions are repeatable where time is not: valgrind's callgrind counts them, in the newest
//! Envoy with one worker, whose listener answers each redirected connection at once and closes it.

mod callgrind;
mod subject;

use std::path::PathBuf;

use lab::{Lab, To, Version, bootstrap};

use callgrind::instructions_per_connection;
use subject::{PORT, subjects};

fn main() {
    let version = Version::under_test().into_iter().max().expect("a version");
    let libraries = libraries();
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), subject::LISTENER);
    println!("Instructions of the whole Envoy {version} per accepted connection");
    println!("{:<44} {:>12} {:>14}", "", "instructions", "to built-in");
    let mut builtin = None;
    for subject in subjects() {
        let listener = subject.listener();
        let config = bootstrap([listener], []);
        let count = instructions_per_connection(&lab, version, &libraries, config);
        let reference = *builtin.get_or_insert(count);
        let percent = 100.0 * (count - reference) / reference;
        println!("{:<44} {count:>12.0} {percent:>+12.1} %", subject.name);
    }
}

/// A directory with the module and the SDK's examples, for Envoy to find them in.
fn libraries() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let module = lab::module::library();
    let release = module.parent().expect("target/release");
    let link = |library: PathBuf| {
        let name = library.file_name().expect("a library");
        std::os::unix::fs::symlink(&library, directory.path().join(name)).expect("a new link");
    };
    link(module.clone());
    for example in ["libempty.so", "libconstant.so"] {
        let library = release.join("examples").join(example);
        assert!(
            library.is_file(),
            "{} is not there: run `make bench`",
            library.display()
        );
        link(library);
    }
    directory
}
