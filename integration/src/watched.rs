//! Files that Envoy reads while it runs: listeners (LDS), filters (ECDS), the library.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const EXTENSION: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/// A directory of such files.
#[derive(Debug)]
pub struct Watched(TempDir);

impl Watched {
    /// An empty one.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where a file of it is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Puts a file in the place of the one before, in one move: Envoy watches or maps it.
    pub fn put(&self, name: &str, contents: impl AsRef<[u8]>) {
        let new = self.file("new");
        fs::write(&new, contents).expect("write the file");
        fs::rename(new, self.file(name)).expect("move the file");
    }

    /// Puts these listeners in place of those before.
    pub fn put_listeners(&self, name: &str, version: u64, listeners: &[Value]) {
        let typed = |listener: &Value| {
            let mut listener = listener.clone();
            listener["@type"] = json!(LISTENER);
            listener
        };
        let listeners: Vec<Value> = listeners.iter().map(typed).collect();
        self.put(name, resources(version, &listeners));
    }

    /// Puts a filter in place of the one before.
    pub fn put_filter(&self, name: &str, version: u64, filter: &Value) {
        let mut filter = filter.clone();
        filter["@type"] = json!(EXTENSION);
        self.put(name, resources(version, &[filter]));
    }

    /// The config with the listeners of this file.
    pub fn with_listeners(&self, mut config: Value, name: &str) -> Value {
        let source = json!({ "path_config_source": { "path": self.file(name) } });
        config["dynamic_resources"] = json!({ "lds_config": source });
        with_node(config)
    }

    /// What stands in a listener for a filter of this name and type that is in this file.
    pub fn discovered(&self, name: &str, filter: &Value) -> Value {
        json!({
            "name": filter["name"],
            "config_discovery": {
                "config_source": { "path_config_source": { "path": self.file(name) } },
                "type_urls": [filter["typed_config"]["@type"]],
            },
        })
    }
}

impl Default for Watched {
    fn default() -> Self {
        Self::new()
    }
}

/// The config of an Envoy with a name, as whatever discovers resources has to have one.
pub fn with_node(mut config: Value) -> Value {
    config["node"] = json!({ "id": "lab", "cluster": "lab" });
    config
}

/// The contents of a file of resources.
fn resources(version: u64, resources: &[Value]) -> String {
    json!({ "version_info": version.to_string(), "resources": resources }).to_string()
}
