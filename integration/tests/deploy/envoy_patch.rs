//! EnvoyPatchPolicy: what of it is used here, with the names and values that its definition allows, and
//! applied as its controller does.

use json_patch::{PatchOperation, patch};
use serde::Deserialize;
use serde_json::{Value, json};

/// A policy.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EnvoyPatchPolicy {
    /// The Gateway, of the same namespace.
    pub target_ref: Reference,
    #[serde(rename = "type")]
    _type: PatchType,
    /// What it does.
    pub json_patches: Vec<JsonPatch>,
}

/// Another object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The API group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

#[derive(Deserialize)]
enum PatchType {
    #[serde(rename = "JSONPatch")]
    _JsonPatch,
}

/// A patch of one resource.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonPatch {
    /// What it is.
    pub r#type: ResourceType,
    /// What it is called.
    pub name: String,
    /// What is done to it.
    pub operation: Operation,
}

/// What can be patched.
#[derive(Deserialize)]
pub enum ResourceType {
    /// A listener.
    #[serde(rename = "type.googleapis.com/envoy.config.listener.v3.Listener")]
    Listener,
    #[serde(rename = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration")]
    _Route,
    #[serde(rename = "type.googleapis.com/envoy.config.cluster.v3.Cluster")]
    _Cluster,
    #[serde(rename = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment")]
    _Endpoints,
    #[serde(rename = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret")]
    _Secret,
}

/// An operation of RFC 6902.
#[derive(Deserialize)]
#[serde(try_from = "Fields")]
pub struct Operation(PatchOperation);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    op: String,
    path: String,
    from: Option<String>,
    value: Option<Value>,
}

impl TryFrom<Fields> for Operation {
    type Error = String;

    /// By the rules of RFC 6902, and with no field that the operation does not take.
    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields {
            op,
            path,
            from,
            value,
        } = fields;
        let (takes_from, takes_value) = match &*op {
            "add" | "replace" | "test" => (false, true),
            "move" | "copy" => (true, false),
            "remove" => (false, false),
            _ => return Err(format!("no operation: {op}")),
        };
        if from.is_some() != takes_from || value.is_some() != takes_value {
            return Err(format!("{op}: what it needs is missing, or there is more"));
        }
        let operation = json!({ "op": op, "path": path, "from": from, "value": value });
        let operation = serde_json::from_value(operation).map_err(|e| e.to_string())?;
        Ok(Self(operation))
    }
}

impl Operation {
    /// Does it. As the controller's, `add` makes a list that is not there.
    pub fn apply(&self, resource: &mut Value) {
        if let PatchOperation::Add(add) = &self.0
            && let Some((parent, last)) = add.path.split_back()
            && let ("0" | "-", [field]) = (last.encoded(), &parent.tokens().collect::<Vec<_>>()[..])
        {
            let fields = resource.as_object_mut().expect("a resource");
            fields.entry(field.decoded()).or_insert_with(|| json!([]));
        }
        patch(resource, std::slice::from_ref(&self.0)).expect("a patch that applies");
    }
}

#[test]
fn wrong_policies_are_refused() {
    let policy = json!({
        "targetRef": { "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "egress" },
        "type": "JSONPatch",
        "jsonPatches": [{
            "type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": "tcp-15001",
            "operation": { "op": "add", "path": "/listener_filters/0", "value": {} },
        }],
    });
    let read = |policy: &Value| serde_json::from_value::<EnvoyPatchPolicy>(policy.clone());
    assert!(read(&policy).is_ok());
    for (pointer, wrong) in [
        ("/type", json!("MergePatch")),
        ("/targetRef/name", json!(null)),
        (
            "/jsonPatches/0/type",
            json!("type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap"),
        ),
        ("/jsonPatches/0/name", json!(1)),
        ("/jsonPatches/0/operation/op", json!("ADD")),
        ("/jsonPatches/0/operation/op", json!("remove")),
        ("/jsonPatches/0/operation/op", json!("move")),
        ("/jsonPatches/0/operation/path", json!("listener_filters")),
        (
            "/jsonPatches/0/operation",
            json!({ "op": "add", "path": "/a" }),
        ),
        (
            "/jsonPatches/0/operation",
            json!({ "op": "add", "path": "/a", "value": 1, "extra": 1 }),
        ),
        ("/jsonPatches/0", json!({ "name": "tcp-15001" })),
    ] {
        let mut policy = policy.clone();
        *policy.pointer_mut(pointer).expect("a field") = wrong.clone();
        assert!(read(&policy).is_err(), "{pointer}: {wrong}");
    }
}
