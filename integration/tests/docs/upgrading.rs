//! The commands of `docs/upgrading.md`, run as they stand, but for the directory of the library.

use std::fs;
use std::process::Command;

use lab::{Watched, workspace};

use lab::markdown::Document;

const DIRECTORY: &str = "/usr/local/lib/envoy";
const LIBRARY: &str = "liboriginal_dst.so";

#[test]
fn commands_replace_the_library_and_go_back() {
    let blocks = Document::read("docs/upgrading.md").blocks();
    let commands = blocks.iter().filter(|block| block.info == "sh upgrade");
    let commands: Vec<&str> = commands.map(|block| block.code.as_str()).collect();
    let [script, by_hand, back] = commands[..] else {
        panic!("other commands: {commands:?}");
    };
    let (archive, directory) = (Watched::new(), Watched::new());
    let script_file = workspace().join("scripts/install-library");
    fs::copy(script_file, archive.file("install")).expect("copy the script");
    let run = |commands: &str, build: &str| {
        archive.put(LIBRARY, build);
        let here = directory.path().display().to_string();
        let status = Command::new("sh")
            .args(["-ec", &commands.replace(DIRECTORY, &here)])
            .current_dir(archive.path())
            .status();
        assert!(status.expect("run a shell").success());
        fs::read_to_string(directory.file(LIBRARY)).expect("readable")
    };
    assert_eq!(run(script, "the first"), "the first");
    assert_eq!(run(by_hand, "the second"), "the second");
    assert_eq!(run(back, ""), "the first");
    assert_eq!(run(script, "the third"), "the third");
    assert_eq!(run(back, ""), "the first");
}
