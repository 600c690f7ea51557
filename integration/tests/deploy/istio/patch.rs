//! How istiod applies patches to a sidecar's virtual listeners (istio/istio
//! `pilot/pkg/networking/core/envoyfilter/listener_patch.go`, 0098d99):
//!
//! - virtualOutbound is patched in the context SIDECAR_OUTBOUND, virtualInbound in SIDECAR_INBOUND. A patch
//!   for another context, or for a listener of another name, is passed over. Nobody is told: an
//!   EnvoyFilter that does nothing is no error.
//! - Patches of the listener come first, then those of its listener filters.
//! - INSERT_FIRST inserts, whatever filters there are. REPLACE without the name of a filter does nothing;
//!   with one, it needs a filter of that name.
//! - MERGE of a listener merges as protobuf does: lists are appended.

use serde_json::{Value, json};

use super::envoy_filter::{ApplyTo, ConfigPatch, Context, Operation};

/// Patches the listener; how many of the patches have done something to it.
pub fn apply(patches: &[ConfigPatch], context: Context, listener: &mut Value) -> usize {
    let of = |apply_to| {
        let patches = patches.iter();
        patches.filter(move |patch| patch.apply_to == apply_to)
    };
    of(ApplyTo::Listener)
        .chain(of(ApplyTo::ListenerFilter))
        .filter(|patch| is_meant(patch, context, listener) && apply_one(patch, listener))
        .count()
}

fn is_meant(patch: &ConfigPatch, context: Context, listener: &Value) -> bool {
    let wanted = &patch.r#match;
    let name = wanted.listener.as_ref().and_then(|l| l.name.as_ref());
    [context, Context::Any].contains(&wanted.context)
        && name.is_none_or(|name| listener["name"] == *name)
}

fn apply_one(patch: &ConfigPatch, listener: &mut Value) -> bool {
    let value = patch.patch.value.clone();
    match (patch.apply_to, patch.patch.operation) {
        (ApplyTo::Listener, Operation::Merge) => {
            merge(listener, value);
            true
        }
        (ApplyTo::ListenerFilter, Operation::InsertFirst) => {
            filters(listener).insert(0, value);
            true
        }
        (ApplyTo::ListenerFilter, Operation::Replace) => {
            let wanted = patch.r#match.listener.as_ref();
            let name = wanted.and_then(|listener| listener.listener_filter.as_ref());
            let is_it = |filter: &&mut Value| name.is_some_and(|name| filter["name"] == *name);
            let found = filters(listener).iter_mut().find(is_it);
            found.map(|filter| *filter = value).is_some()
        }
        other => panic!("how istiod applies {other:?} is not known here"),
    }
}

fn filters(listener: &mut Value) -> &mut Vec<Value> {
    let fields = listener.as_object_mut().expect("a listener");
    let filters = fields.entry("listener_filters").or_insert(json!([]));
    filters.as_array_mut().expect("a list of filters")
}

/// As protobuf merges messages.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use lab::module::{builtin_filter, is_original_dst};

    use super::super::pilot::{Mode, virtual_inbound, virtual_outbound};
    use super::*;

    /// How many of the patches apply: `match`, operation, and whether it does.
    fn applies(context: Context, listener: &mut Value, wanted: Value, operation: &str) -> bool {
        let patch = json!({
            "applyTo": "LISTENER_FILTER",
            "match": wanted,
            "patch": { "operation": operation, "value": { "name": "new" } },
        });
        let patch = serde_json::from_value(patch).expect("a patch");
        apply(&[patch], context, listener) == 1
    }

    /// The listener for what goes out has no filter to replace, and takes one in front.
    #[test]
    fn outbound() {
        let mut listener = virtual_outbound(Mode::Redirect);
        let named = json!({ "name": "virtualOutbound" });
        let filter = json!({
            "name": "virtualOutbound",
            "listenerFilter": "envoy.filters.listener.original_dst",
        });
        let context = Context::SidecarOutbound;
        for (wanted, operation, does) in [
            (json!({ "listener": filter }), "REPLACE", false),
            (json!({ "listener": named }), "REPLACE", false),
            (
                json!({ "context": "SIDECAR_INBOUND" }),
                "INSERT_FIRST",
                false,
            ),
            (
                json!({ "listener": { "name": "virtualInbound" } }),
                "INSERT_FIRST",
                false,
            ),
            (json!({ "listener": named }), "INSERT_FIRST", true),
        ] {
            assert_eq!(
                applies(context, &mut listener, wanted, operation),
                does,
                "{operation}"
            );
        }
        assert_eq!(listener["listener_filters"], json!([{ "name": "new" }]));
    }

    /// In the listener for what comes in, the filter of this name is replaced, and no other.
    #[test]
    fn inbound() {
        let mut listener = virtual_inbound(Mode::Tproxy);
        let before = listener.clone();
        assert_eq!(before["listener_filters"][0], builtin_filter());
        let wanted =
            json!({ "listener": { "listenerFilter": "envoy.filters.listener.original_dst" } });
        assert!(applies(
            Context::SidecarInbound,
            &mut listener,
            wanted,
            "REPLACE"
        ));
        let filters = listener["listener_filters"].as_array().expect("filters");
        assert_eq!(filters[0], json!({ "name": "new" }));
        assert_eq!(
            filters[1..],
            before["listener_filters"].as_array().expect("filters")[1..]
        );
        assert!(!filters.iter().any(is_original_dst));
    }

    #[test]
    fn lists_are_appended() {
        let mut value = json!({ "a": [1], "b": { "c": 1, "d": 2 } });
        merge(&mut value, json!({ "a": [2], "b": { "c": 3 }, "e": [4] }));
        assert_eq!(
            value,
            json!({ "a": [1, 2], "b": { "c": 3, "d": 2 }, "e": [4] })
        );
    }
}
