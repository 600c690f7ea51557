//! Envoy changes while connections come: its listeners, its process, its end. None of it may lose a
//! connection that has nothing to do with it, or lead one astray.

mod ecds;
mod end;
mod fault_point;
mod lds;
mod replace;
mod restart;
mod workers;

use std::thread;

use lab::Version;

/// In every version at a time.
fn in_every_version(test: impl Fn(Version) + Copy + Send) {
    thread::scope(|scope| {
        for version in Version::under_test() {
            scope.spawn(move || test(version));
        }
    });
}
