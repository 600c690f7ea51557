//! What is fuzzed. Each target takes any bytes, and panics if what it is about does not hold.

mod address;
mod hooks;
mod hostile;
mod internal;
mod options;
mod rules;
mod socket;

/// A target's name, which is that of its corpus, and what runs it.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("address", address::run),
    ("hooks", hooks::run),
    ("hostile", hostile::run),
    ("internal", internal::run),
    ("options", options::run),
    ("rules", rules::run),
    ("socket", socket::run),
];
