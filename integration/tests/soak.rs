//! The soak program, short: connections of every kind while listeners change. `make soak` is long.

use std::fs::File;
use std::process::Command;

use serde_json::{Value, json};

#[test]
fn counters_add_up_while_listeners_change() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let report = directory.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_soak"))
        .env("CONNECTIONS", "5000")
        .env("REPORT", &report)
        .output()
        .expect("run the soak program");
    let said = String::from_utf8_lossy(&output.stdout);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{log}");
    let report: Value =
        serde_json::from_reader(File::open(report).expect("a report")).expect("a report in JSON");
    let met = |goal| json!({ "goal": goal, "is_met": true });
    let goals = report["goals"].as_array().expect("goals").iter();
    let goals: Vec<Value> = goals
        .map(|goal| json!({ "goal": goal["goal"], "is_met": goal["is_met"] }))
        .collect();
    assert_eq!(
        goals,
        [
            met("no connection lost"),
            met("no wrong destination"),
            met("counters add up"),
            met("every update took effect"),
            met("open files do not grow"),
        ]
    );
    let kinds = report["kinds"].as_array().expect("kinds");
    assert_eq!(kinds.len(), 14, "{said}");
    let is_idle = |kind: &&Value| kind["made"] == 0;
    assert_eq!(kinds.iter().find(is_idle), None, "{said}");
}
