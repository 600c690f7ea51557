//! The README is for a first look: what is to be looked up has pages of its own.

use lab::Lab;
use lab::address::UPSTREAM_V4;
use lab::markdown::Document;

use crate::session::{OWN_DIRECTORIES, Session, host};

const README: &str = "README.md";
const MOST: usize = 120;

#[test]
fn is_short() {
    let lines = Document::read(README).text().lines().count();
    assert!(lines <= MOST, "{lines} lines: move reference to docs/");
}

/// The gateway of the lab stands for a host that is connected to others. What make prints is not compared.
#[test]
fn an_envoy_of_your_own() {
    let lab = Lab::new();
    lab.gateway
        .ip(&format!("route add default via {UPSTREAM_V4}"));
    let before = format!(
        "{OWN_DIRECTORIES}
make() {{ command make \"$@\" >/tmp/make.log 2>&1 || cat /tmp/make.log; }}"
    );
    Session::new(&before)
        .page(README, &["first"])
        .run(&mut host(&lab.gateway));
}
