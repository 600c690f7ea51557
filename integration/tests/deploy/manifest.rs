//! The objects in a file of `deploy/`.

use std::fs;

use lab::workspace;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A file with objects of Kubernetes.
pub struct Manifest {
    /// As it stands.
    pub text: String,
    objects: Vec<Value>,
}

/// The names of the files, in order.
pub fn files() -> Vec<String> {
    let directory = fs::read_dir(workspace().join("deploy")).expect("the manifests are there");
    let names = directory.map(|file| file.expect("readable").file_name().into_string());
    let names = names.map(|name| name.expect("UTF-8"));
    // The programs and the rules have tests of their own.
    let is_manifest =
        |name: &String| !["README.md", "sk-lookup", "prometheus"].contains(&name.as_str());
    let mut names: Vec<String> = names.filter(is_manifest).collect();
    names.sort();
    names
}

impl Manifest {
    /// Reads a file.
    pub fn read(file: &str) -> Self {
        let path = workspace().join("deploy").join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        let objects = serde_saphyr::from_multiple(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        Self { text, objects }
    }

    /// The one object of this kind with this name.
    pub fn object(&self, kind: &str, name: &str) -> &Value {
        let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
        let found: Vec<&Value> = self.objects.iter().filter(is_it).collect();
        let [object] = found[..] else {
            panic!("{} objects are the {kind} {name}", found.len());
        };
        object
    }

    /// As [`Manifest::object`], as a type that knows its fields.
    pub fn typed<T: DeserializeOwned>(&self, kind: &str, name: &str) -> T {
        let object = self.object(kind, name).clone();
        serde_json::from_value(object).unwrap_or_else(|e| panic!("{kind} {name}: {e}"))
    }

    /// The configs of Envoy in the file's ConfigMaps.
    pub fn configs(&self) -> Vec<String> {
        let maps = self
            .objects
            .iter()
            .filter(|object| object["kind"] == "ConfigMap");
        let values = maps.flat_map(|map| map["data"].as_object().expect("data").values());
        let texts = values.filter_map(|value| Some(value.as_str()?.to_owned()));
        texts
            .filter(|text| text.contains("static_resources"))
            .collect()
    }

    /// The one config of Envoy in the file.
    pub fn config(&self) -> Value {
        let configs = self.configs();
        assert_eq!(configs.len(), 1, "configs of Envoy");
        serde_saphyr::from_str(&configs[0]).expect("YAML")
    }
}

/// The container of this name in the pods of an object, an init container or another.
pub fn container<'a>(object: &'a Value, name: &str) -> &'a Value {
    let pod = &object["spec"]["template"]["spec"];
    let lists = [&pod["initContainers"], &pod["containers"]];
    let mut containers = lists
        .into_iter()
        .flat_map(|list| list.as_array().expect("containers"));
    containers
        .find(|container| container["name"] == name)
        .unwrap_or_else(|| panic!("no container {name}"))
}
