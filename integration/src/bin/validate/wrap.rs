//! Resources as the parts of a whole config, which Envoy checks.

use lab::{Listener, bootstrap};
use serde_json::{Value, json};

const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const FILTER: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/// A config with all of these listeners, and one more with the filters.
pub fn wrap(resources: &Value) -> Result<Value, String> {
    let resources = resources.as_array().ok_or("resources: not a list")?;
    let (mut listeners, mut filters) = (Vec::new(), Listener::new("127.0.0.1:15001"));
    for (index, resource) in resources.iter().enumerate() {
        let mut resource = resource.clone();
        let fields = resource.as_object_mut();
        let kind = fields.and_then(|fields| fields.remove("@type"));
        match kind.as_ref().and_then(Value::as_str) {
            Some(LISTENER) => listeners.push(without_clusters(resource)),
            Some(FILTER) => filters = filters.filter(resource),
            _ => {
                return Err(format!(
                    "resources[{index}]: neither a Listener nor a filter (TypedExtensionConfig)"
                ));
            }
        }
    }
    listeners.push(filters.tcp());
    Ok(bootstrap(listeners, []))
}

/// A config with one listener, which has these listener filters.
pub fn wrap_filters(filters: &Value) -> Value {
    let mut listener = Listener::new("127.0.0.1:15001").tcp();
    listener["listener_filters"] = filters.clone();
    bootstrap([listener], [])
}

/// The clusters that routes lead to are in another file.
fn without_clusters(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                *field = without_clusters(field.take());
                if name == "route_config" {
                    field["validate_clusters"] = json!(false);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_clusters(item.take());
            }
        }
        _ => {}
    }
    value
}
