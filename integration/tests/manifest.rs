//! `manifest.yaml`: what the catalogue of Built On Envoy takes, and true of this module.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use lab::{Listener, Version, bootstrap, validate, workspace};
use serde_json::Value;

/// The fields that the catalogue demands of an extension in Rust.
const REQUIRED: [&str; 10] = [
    "author",
    "categories",
    "description",
    "examples",
    "license",
    "longDescription",
    "name",
    "tags",
    "type",
    "version",
];

/// The fields that it knows besides, of those that make sense here.
const OPTIONAL: [&str; 4] = [
    "featured",
    "filterType",
    "maxEnvoyVersion",
    "minEnvoyVersion",
];

const CATEGORIES: [&str; 11] = [
    "AI",
    "Authentication",
    "Decoder",
    "Examples",
    "Misc",
    "Network",
    "Observability",
    "Performance",
    "Security",
    "Traffic Control",
    "Transform",
];

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn manifest() -> Value {
    yaml(&fs::read_to_string(workspace().join("manifest.yaml")).expect("the manifest"))
}

/// The module's package, as cargo knows it.
fn package() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(workspace())
        .output()
        .expect("run cargo");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON of cargo");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|p| p["name"] == "envoy-original-dst");
    package.expect("the module's package").clone()
}

/// The texts of a list, which is not empty and has each once.
fn texts(list: &Value) -> BTreeSet<&str> {
    let list = list.as_array().expect("a list");
    let texts: BTreeSet<&str> = list
        .iter()
        .map(|each| each.as_str().expect("text"))
        .collect();
    assert!(!texts.is_empty() && texts.len() == list.len(), "{list:?}");
    texts
}

#[test]
fn it_has_the_form_of_the_catalogue() {
    let manifest = manifest();
    let fields: BTreeSet<&str> = manifest
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let required = BTreeSet::from(REQUIRED);
    assert!(fields.is_superset(&required), "{fields:?}");
    let other: BTreeSet<&str> = fields.difference(&required).copied().collect();
    assert!(other.is_subset(&OPTIONAL.into()), "{other:?}");

    assert!(texts(&manifest["categories"]).is_subset(&CATEGORIES.into()));
    for tag in texts(&manifest["tags"]) {
        let is_tag = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(tag.starts_with(|c: char| c.is_ascii_lowercase()) && tag.chars().all(is_tag));
    }
    let description = manifest["description"].as_str().expect("text");
    assert!((1..=200).contains(&description.len()) && !description.contains('\n'));
    for text in [&manifest["longDescription"], &manifest["author"]] {
        assert!(!text.as_str().expect("text").is_empty());
    }
}

#[test]
fn it_agrees_with_the_package() {
    let (manifest, package) = (manifest(), package());
    for field in ["version", "license", "description"] {
        assert!(package[field].is_string());
        assert_eq!(manifest[field], package[field], "{field}");
    }
    let name = package["name"].as_str().expect("a name");
    assert_eq!(
        Some(manifest["name"].as_str().expect("a name")),
        name.strip_prefix("envoy-")
    );
    // The library is found by the name of the extension.
    let library = manifest["name"].as_str().expect("a name").replace('-', "_");
    assert_eq!(package["targets"][0]["name"], library);
    assert_eq!(manifest["type"], "rust");
    assert_eq!(texts(&manifest["filterType"]), ["listener"].into());
    assert_eq!(manifest["minEnvoyVersion"], Version::ALL[0].newest());
}

#[test]
fn envoy_takes_its_examples() {
    let manifest = manifest();
    let examples = manifest["examples"].as_array().expect("examples");
    assert!(!examples.is_empty());
    for example in examples {
        let fields: BTreeSet<&String> = example.as_object().expect("an object").keys().collect();
        assert!(
            fields.into_iter().eq(["code", "description", "title"]),
            "{example}"
        );
        let code = yaml(example["code"].as_str().expect("YAML"));
        let filters = code["listener_filters"]
            .as_array()
            .expect("listener filters");
        let listener = filters
            .iter()
            .cloned()
            .fold(Listener::new("0.0.0.0:15001"), Listener::filter);
        let config = bootstrap([listener.tcp()], []);
        for version in Version::under_test() {
            if let Err(log) = validate(version, &config) {
                panic!("{} in {version}:\n{log}", example["title"]);
            }
        }
    }
}
