//! What a killed process could not clean up, found by the process id in its name.

use std::path::Path;
use std::{env, fs, process};

use crate::netns;

const PREFIX: &str = "odst-";

/// The name of something that this process makes.
pub(crate) fn name(rest: &str) -> String {
    format!("{PREFIX}{}-{rest}", process::id())
}

/// Removes the namespaces and temporary directories of processes that no longer live.
pub(crate) fn remove() {
    netns::names()
        .iter()
        .filter(|name| is_stale(name))
        .for_each(|name| netns::delete(name));
    for entry in fs::read_dir(env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        if entry.file_name().to_str().is_some_and(is_stale) {
            // Another process may be at it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_stale(name: impl AsRef<str>) -> bool {
    let maker = name
        .as_ref()
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split('-').next());
    let pid = maker.and_then(|maker| maker.parse::<u32>().ok());
    pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}
