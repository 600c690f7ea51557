//! The soak program, short: connections of every kind while listeners change. `make soak` is long.

use std::process::Command;

#[test]
fn counters_add_up_while_listeners_change() {
    let output = Command::new(env!("CARGO_BIN_EXE_soak"))
        .env("CONNECTIONS", "5000")
        .output()
        .expect("run the soak program");
    let said = String::from_utf8_lossy(&output.stdout);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{log}");
    for met in [
        "ok     no connection lost: 0 lost",
        "ok     no wrong destination: 0 wrong",
        "ok     counters add up: ",
        "ok     every update took effect: 4 updates, ",
        "ok     open files do not grow: ",
    ] {
        assert!(said.contains(met), "{met}\n{said}");
    }
}
