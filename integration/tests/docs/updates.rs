//! The commands of `docs/policy-updates.md`, run as they stand, but for the directory of the rules.

use std::fs;
use std::process::Command;

use lab::config::load;
use lab::{Envoy, Lab, Version, Watched, eventually, workspace};

use lab::markdown::Document;

const DIRECTORY: &str = "envoy-configs/ecds";

#[test]
fn commands_update_the_rules() {
    let blocks = Document::read("docs/policy-updates.md").blocks();
    let commands = blocks.iter().filter(|block| block.info == "sh update");
    let commands: Vec<&str> = commands.map(|block| block.code.as_str()).collect();
    let [replace, show] = commands[..] else {
        panic!("other commands: {commands:?}");
    };
    let watched = Watched::new();
    let here = |text: &str| text.replace(DIRECTORY, &watched.path().display().to_string());
    let rules = fs::read_to_string(workspace().join(DIRECTORY).join("rules.yaml"));
    let rules = rules.expect("readable");
    watched.put("rules.yaml", &rules);
    let lab = Lab::new();
    let config = here(&load("ecds.yaml").to_string());
    let _envoy = Envoy::builder(&lab.gateway, Version::V1_40)
        .config(serde_json::from_str(&config).expect("JSON"))
        .start();
    let shown = || lab.gateway.sh(show);
    assert!(shown().ends_with(".version_text: \"1\"\n"), "{}", shown());
    watched.put(
        "new.yaml",
        rules.replace("version_info: \"1\"", "version_info: \"2\""),
    );
    let status = Command::new("sh")
        .args(["-ec", &here(replace)])
        .current_dir(workspace())
        .status();
    assert!(status.expect("run a shell").success());
    eventually("the next version", || {
        shown().ends_with(".version_text: \"2\"\n")
    });
}
