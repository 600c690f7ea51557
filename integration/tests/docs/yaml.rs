//! Every Envoy config in the repository is loaded by every Envoy: those in documents here, those in
//! files of their own here or where they are run.

use std::fs;
use std::path::Path;

use lab::kernel::Feature;
use lab::module::module_filter;
use lab::{Lab, Listener, Version, bootstrap, validate_file, validate_on, workspace};
use serde_json::Value;

use lab::markdown::{documents, files};

#[test]
fn blocks_are_loaded() {
    if Feature::FwmarkAccept.is_missing_for("yaml::blocks_are_loaded") {
        return;
    }
    let lab = Lab::new();
    // For options about marks.
    lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
    let mut loaded = 0;
    for document in documents() {
        let path = document.path.display();
        let blocks = document.blocks().into_iter();
        for block in blocks.filter(|block| block.info.starts_with("yaml")) {
            let value: Value = serde_saphyr::from_str(&block.code)
                .unwrap_or_else(|e| panic!("{path}: {e} in:\n{}", block.code));
            for version in Version::under_test() {
                if let Err(log) = validate_on(&lab.gateway, version, &complete(&block.info, &value))
                {
                    panic!("{path}, Envoy {version}:\n{}\n{log}", block.code);
                }
            }
            loaded += 1;
        }
    }
    assert!(loaded > 0, "no blocks were found: this checks nothing");
}

/// A block as a whole config: what is none is a part of a listener.
fn complete(info: &str, block: &Value) -> Value {
    if block.get("static_resources").is_some() {
        return block.clone();
    }
    // Or of the whole, beside the listeners.
    if block.get("stats_config").is_some() {
        let mut whole = bootstrap([], []);
        whole["stats_config"] = block["stats_config"].clone();
        return whole;
    }
    // Or of the module's options.
    if info.starts_with("yaml options:") || block.get("destinations").is_some() {
        let filter = module_filter(Some(block.clone()));
        return bootstrap([Listener::new("127.0.0.1:15001").filter(filter).tcp()], []);
    }
    let mut listener = Listener::new("127.0.0.1:15001").tcp();
    for (field, value) in block.as_object().expect("fields of a listener") {
        listener[field] = value.clone();
    }
    bootstrap([listener], [])
}

/// What a YAML file is, by what is in it.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A config of Envoy.
    Envoy,
    /// Resources that a config of Envoy fetches.
    Resources,
    /// Objects of Kubernetes, which the test `deploy` checks with the configs in them.
    Kubernetes,
    /// What Prometheus reads, and a part of Envoy's config beside it.
    Monitoring,
    /// Services of Compose.
    Compose,
    /// What the catalogue of extensions shows.
    Catalogue,
}

/// Where the containers are; the parts of their configs are in folders of it.
const CONTAINERS: &str = "integration/compose";

/// Where the files for Prometheus are.
const MONITORING: &str = "deploy/prometheus";

#[test]
fn files_are_known() {
    let files = [files("yaml"), files("yml")].concat();
    assert!(
        !files.is_empty(),
        "no files were found: this checks nothing"
    );
    for file in files {
        let path = workspace().join(&file);
        if file.starts_with(CONTAINERS) && file.parent() != Some(Path::new(CONTAINERS)) {
            if file.parent() == Some(&Path::new(CONTAINERS).join("proxy/filters")) {
                containers_are_loaded(&path);
            }
            continue;
        }
        match kind(&path) {
            // The test `configs`.
            Some(Kind::Envoy | Kind::Resources) if file.starts_with("envoy-configs") => {}
            Some(Kind::Envoy) => is_loaded(&path),
            Some(Kind::Catalogue) => {} // the test `manifest`
            Some(Kind::Kubernetes) => assert!(
                file.starts_with("deploy"),
                "{}: objects of Kubernetes belong in deploy/, where they are checked",
                file.display()
            ),
            // The test `monitoring`, and `make check`.
            Some(Kind::Monitoring) => {}
            Some(Kind::Compose) => {}
            Some(Kind::Resources) => panic!("{}: which config fetches it?", file.display()),
            None => panic!("{}: what is it? no test knows it", file.display()),
        }
    }
}

fn is_loaded(path: &Path) {
    for version in Version::under_test() {
        if let Err(log) = validate_file(version, path) {
            panic!("{}, Envoy {version}:\n{log}", path.display());
        }
    }
}

/// The configs as `proxy/serve` puts them together, with these filters in front.
fn containers_are_loaded(filters: &Path) {
    let containers = workspace().join(CONTAINERS);
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The volume of the access log.
    let log = directory.path().join("access.log").display().to_string();
    for listeners in ["gateway/envoy.yaml", "sidecar/envoy.yaml"] {
        let common = containers.join("proxy/common.yaml");
        let parts = [filters, &common, &containers.join(listeners)];
        let config = parts.map(|part| fs::read_to_string(part).expect("readable"));
        let whole = directory.path().join("envoy.yaml");
        fs::write(&whole, config.concat().replace("access.log", &log)).expect("write the config");
        is_loaded(&whole);
    }
}

fn kind(path: &Path) -> Option<Kind> {
    let text = fs::read_to_string(path).expect("a readable file");
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let all_have = |field| objects.iter().all(|object| object.get(field).is_some());
    let has_config = text.contains("static_resources") || text.contains("listener_filters");
    [
        (Kind::Envoy, all_have("static_resources")),
        (Kind::Resources, all_have("resources")),
        (Kind::Kubernetes, all_have("apiVersion") && all_have("kind")),
        (
            Kind::Monitoring,
            path.starts_with(workspace().join(MONITORING)),
        ),
        (Kind::Compose, all_have("services") && !has_config),
        (Kind::Catalogue, path == workspace().join("manifest.yaml")),
    ]
    .into_iter()
    .find_map(|(kind, is_it)| is_it.then_some(kind))
}
