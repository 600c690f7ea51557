//! Why a destination is denied.

use std::fmt;
use std::net::IpAddr;

use super::answer::Answer;
use super::name::Name;

/// What denies a destination, in words: `deny[3] 169.254.0.0/16`, or that no `allow` entry matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial(Option<Name>);

impl Denial {
    /// Why the answer for a destination is no; `None` if it is yes.
    pub(super) fn new(answer: Answer, destination: IpAddr) -> Option<Self> {
        let name = |rule| Name::new("deny", rule, destination.to_canonical());
        (answer != Answer::ALLOWED).then(|| Self(answer.rule().map(name)))
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.0 {
            Some(rule) => rule.fmt(f),
            None => f.write_str("no allow entry matches"),
        }
    }
}
