//! The names that documents quote are there: stats, close reasons, tests.

use std::fs;
use std::path::Path;
use std::process::Command;

use lab::module::module_filter;
use lab::{Envoy, Lab, Listener, Version, bootstrap, workspace};

use lab::markdown::{Document, documents};

#[test]
fn stats_and_reasons_exist() {
    let lab = Lab::new();
    let listener = Listener::new("0.0.0.0:15001").filter(module_filter(None));
    let config = bootstrap([listener.tcp()], []);
    let envoy = Envoy::builder(&lab.gateway, Version::V1_40)
        .config(config)
        .start();
    let source = ["src/verdict.rs", "src/filter.rs"]
        .map(|file| fs::read_to_string(workspace().join(file)).expect("readable"));
    let source = source.concat();
    let labels = workspace().join("deploy/prometheus/stats_tags.yaml");
    let labels = fs::read_to_string(labels).expect("readable");
    let is_label = |code: &str| labels.contains(&format!("tag_name: {code}\n"));
    let mut stats = 0;
    let mut reasons = 0;
    for document in documents() {
        for code in document.codes() {
            let place = || format!("{}: {code}", document.path.display());
            // What is published has names of the same form.
            let is_key = [
                "verdict",
                "method",
                "destination",
                "source",
                "listener_address",
                "rule",
            ]
            .iter()
            .any(|key| code == format!("original_dst.{key}"));
            if is_key {
                continue;
            }
            if code.starts_with("original_dst.") && !code.ends_with(".json") {
                assert!(
                    envoy.stat_sum(&format!(".{code}")).is_some(),
                    "{}: no such stat",
                    place()
                );
                stats += 1;
            } else if code.starts_with("original_dst_")
                && !code.ends_with('…')
                && !is_label(&code)
                // A field of Envoy's.
                && code != "original_dst_lb_config"
            {
                assert!(
                    source.contains(&format!("\"{code}\"")),
                    "{}: no such reason",
                    place()
                );
                reasons += 1;
            }
        }
    }
    assert!(
        stats > 0 && reasons > 0,
        "no names were found: this checks nothing"
    );
}

/// The last column of the table of versions: a file or directory of tests, and tests in it.
#[test]
fn tests_of_the_versions_exist() {
    let document = Document::read("docs/versions.md");
    let cells = document.text().lines().filter_map(|line| {
        let (_, cell) = line.strip_suffix(" |")?.rsplit_once("| ")?;
        cell.starts_with('`').then_some(cell)
    });
    let mut found = 0;
    for cell in cells {
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        let path = Path::new("integration/tests").join(names[0]);
        assert!(
            workspace().join(&path).exists(),
            "{}: no such test",
            path.display()
        );
        for name in &names[1..] {
            let is_there = Command::new("grep")
                .args(["-rq", &format!("^fn {name}()")])
                .arg(workspace().join(&path))
                .status();
            assert!(
                is_there.expect("run grep").success(),
                "{cell}: no such test"
            );
        }
        found += 1;
    }
    assert!(found > 0, "no tests were found: this checks nothing");
}
