//! The pieces of the module by themselves, as `benches/instructions.rs` counts them.

use std::process::Command;

use serde::Serialize;

/// A piece, such as the reading of an address.
#[derive(Clone, Debug, Serialize)]
pub struct Piece {
    pub name: String,
    pub instructions: u64,
}

pub fn count() -> Vec<Piece> {
    let output = Command::new(env!("CARGO"))
        .args(["bench", "--quiet", "--bench", "instructions"])
        .current_dir(lab::workspace())
        .output()
        .expect("run cargo");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(piece).collect()
}

fn piece(line: &str) -> Piece {
    let (name, instructions) = line.rsplit_once(' ').expect("a name and a number");
    Piece {
        name: name.trim_end().to_owned(),
        instructions: instructions.parse().expect("a number"),
    }
}
