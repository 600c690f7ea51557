//! `make validate`: good and bad files of every form, each with its reason and its exit status.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab::config::load;
use lab::module::module_filter;
use lab::{Listener, Watched, bootstrap, workspace};
use serde_json::{Value, json};

const BAD: &str = "destinations.deny[0]: \"NONSENSE\": expected an address";

fn filter(denied: &str) -> Value {
    module_filter(Some(json!({ "destinations": { "deny": [denied] } })))
}

/// With a route to a cluster that is in no such file.
fn listener(denied: &str) -> Value {
    let listener = Listener::new("0.0.0.0:15002").filter(filter(denied));
    listener.cluster("elsewhere").http()
}

/// The forms of a file whose rules deny this.
fn files(watched: &Watched, denied: &str) -> Vec<PathBuf> {
    let whole = bootstrap(
        [Listener::new("0.0.0.0:15001").filter(filter(denied)).tcp()],
        [],
    );
    watched.put("bootstrap.json", whole.to_string());
    let yaml = fs::read_to_string(workspace().join("envoy-configs/ecds/rules.yaml"));
    let yaml = yaml.expect("readable").replace("loopback", denied);
    watched.put("ecds.yaml", yaml);
    watched.put_listeners("lds.json", 1, &[listener(denied)]);
    watched.put_filter("ecds.json", 1, &filter(denied));
    let part = json!({ "listener_filters": [filter(denied)] });
    watched.put("part.json", part.to_string());
    [
        "bootstrap.json",
        "ecds.yaml",
        "lds.json",
        "ecds.json",
        "part.json",
    ]
    .map(|name| watched.file(name))
    .into()
}

fn validate(path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_validate"));
    command.arg(path).output().expect("run it")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn good_files_pass() {
    let watched = Watched::new();
    for path in files(&watched, "10.0.0.0/8") {
        let output = validate(&path);
        assert!(output.status.success(), "{output:?}");
        let said = text(&output.stdout);
        assert!(said.contains(": good for Envoy "), "{said}");
        assert!(!said.contains("not checked"), "{said}");
    }
}

#[test]
fn bad_files_are_refused_in_the_words_of_the_module() {
    let watched = Watched::new();
    for path in files(&watched, "NONSENSE") {
        let output = validate(&path);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = text(&output.stderr);
        let reason = format!("  original_dst: filter_config: {BAD}");
        assert!(said.lines().any(|line| line.starts_with(&reason)), "{said}");
    }
}

/// What is wrong with a file before Envoy sees it, or to Envoy alone.
#[test]
fn other_faults_have_their_reasons() {
    let watched = Watched::new();
    let cluster = json!({ "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster" });
    for (contents, reason) in [
        ("a: [", "line 1"),
        ("{ \"resources\": 1 }", "resources: not a list"),
        (
            &json!({ "resources": [cluster] }).to_string(),
            "resources[0]: neither a Listener nor a filter",
        ),
        (
            "static_resources: { listener: [] }",
            "no such field: 'listener'",
        ),
    ] {
        watched.put("file.yaml", contents);
        let output = validate(&watched.file("file.yaml"));
        assert_eq!(output.status.code(), Some(1), "{contents}: {output:?}");
        // Protobuf's messages have one blank or two, as it pleases them.
        let said = text(&output.stderr);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(reason), "{contents}: {said}");
    }
    let output = validate(&watched.file("none"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("No such file"), "{output:?}");
}

/// Envoy checks nothing of what it fetches later: that is said.
#[test]
fn what_is_fetched_is_not_checked() {
    let watched = Watched::new();
    watched.put_filter("rules.json", 1, &filter("NONSENSE"));
    let mut config = load("ecds.yaml");
    let source = &mut config["static_resources"]["listeners"][0]["listener_filters"][0]["config_discovery"]
        ["config_source"]["path_config_source"]["path"];
    *source = json!(watched.file("rules.json"));
    watched.put("bootstrap.json", config.to_string());
    let output = validate(&watched.file("bootstrap.json"));
    assert!(output.status.success(), "{output:?}");
    let said = text(&output.stdout);
    assert!(
        said.contains("config_discovery: what Envoy fetches is not checked"),
        "{said}"
    );
}
