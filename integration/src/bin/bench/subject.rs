//! What is measured.

use lab::Listener;
use lab::module::{builtin_filter, module_filter, module_filter_with};
use serde_json::{Value, json};

/// The port that clients ask for.
pub const PORT: u16 = 8080;
/// The port that their connections are redirected to.
pub const LISTENER: u16 = 15001;

/// A listener to be measured.
pub struct Subject {
    /// What it is, for a person.
    pub name: &'static str,
    listener_filter: Option<Value>,
    network_filter: Option<Value>,
}

impl Subject {
    fn new(name: &'static str, listener_filter: Value) -> Self {
        Self {
            name,
            listener_filter: Some(listener_filter),
            network_filter: None,
        }
    }

    /// Answers each connection with one word, and closes it.
    pub fn listener(&self) -> Value {
        let listener = Listener::new(&format!("0.0.0.0:{LISTENER}")).field("access_log", json!([]));
        let listener = self
            .listener_filter
            .iter()
            .cloned()
            .fold(listener, Listener::filter);
        let mut listener = listener.tcp();
        let answer = json!({
            "name": "envoy.filters.network.direct_response",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config",
                "response": { "inline_string": "hi" },
            },
        });
        let filters: Vec<&Value> = self.network_filter.iter().chain([&answer]).collect();
        listener["filter_chains"] = json!([{ "filters": filters }]);
        listener
    }
}

/// The built-in filter comes first: it is what the rest is compared to.
pub fn subjects() -> Vec<Subject> {
    vec![
        Subject::new("built-in filter", builtin_filter()),
        Subject {
            name: "no listener filter",
            listener_filter: None,
            network_filter: None,
        },
        Subject::new("a module that does nothing", example("empty", "")),
        Subject::new(
            "a module that restores a constant",
            example("constant", "10.2.0.2"),
        ),
        Subject::new("this module", module_filter(None)),
        Subject::new("this module, 10 rules", module_filter(Some(rules(10)))),
        Subject::new(
            "this module, 100,000 rules",
            module_filter(Some(rules(100_000))),
        ),
        Subject::new(
            "this module, refused",
            module_filter(Some(json!({ "destinations": { "deny": ["10.2.0.0/16"] } }))),
        ),
        Subject {
            name: "built-in filter, refused by network RBAC",
            listener_filter: Some(builtin_filter()),
            network_filter: Some(rbac()),
        },
    ]
}

fn example(name: &str, config: &str) -> Value {
    let mut filter = module_filter_with(Some(json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": config,
    })));
    filter["typed_config"]["dynamic_module_config"]["name"] = json!(name);
    filter
}

/// So many denied prefixes, none of which is the destination's.
fn rules(count: u32) -> Value {
    let denied = (0..count).map(|index| {
        let [_, a, b, c] = index.to_be_bytes();
        format!("{}.{b}.{c}.0/24", 11 + a)
    });
    json!({ "destinations": { "deny": denied.collect::<Vec<_>>() } })
}

fn rbac() -> Value {
    json!({
        "name": "envoy.filters.network.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
            "stat_prefix": "rbac",
            "rules": { "action": "DENY", "policies": { "denied": {
                "permissions": [{ "destination_ip": { "address_prefix": "10.2.0.0", "prefix_len": 16 } }],
                "principals": [{ "any": true }],
            }}},
        },
    })
}
