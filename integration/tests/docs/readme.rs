//! The README is for a first look: what is to be looked up has pages of its own.

use lab::markdown::Document;

const MOST: usize = 120;

#[test]
fn is_short() {
    let lines = Document::read("README.md").text().lines().count();
    assert!(lines <= MOST, "{lines} lines: move reference to docs/");
}
