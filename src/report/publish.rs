//! What access logs show of a connection: dynamic metadata, `%DYNAMIC_METADATA(original_dst:…)%`, and
//! filter state, `%FILTER_STATE(original_dst.…:PLAIN)%`.

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;

use super::Case;
use super::wording::Endpoint;

const NAMESPACE: &str = "original_dst";

/// Where it is published.
#[derive(Clone, Copy, Debug)]
pub struct Publish {
    /// In dynamic metadata, which the logs of listeners and of TCP proxies show.
    pub metadata: bool,
    /// In filter state, which the logs of HTTP show as well.
    pub filter_state: bool,
}

impl Publish {
    /// Whether anything is published.
    pub fn is_any(self) -> bool {
        self.metadata || self.filter_state
    }

    /// Publishes what there is to say of a connection.
    pub fn publish(self, envoy: &mut impl EnvoyListenerFilter, case: &Case) {
        if !self.is_any() {
            return;
        }
        for (key, value) in said(envoy, case) {
            let Some(value) = value else {
                continue;
            };
            if self.metadata {
                envoy.set_dynamic_metadata_string(NAMESPACE, key, &value);
            }
            if self.filter_state {
                envoy.set_filter_state(&format!("{NAMESPACE}.{key}"), &value);
            }
        }
    }
}

/// The keys and their values, where there are any.
fn said(envoy: &impl EnvoyListenerFilter, case: &Case) -> [(&'static str, Option<String>); 6] {
    let text = |address| Endpoint(address).to_string();
    let (method, destination) = match case.found {
        Ok(found) => (found.method.name(), Some(found.address.to_string())),
        Err(_) => ("NONE", None),
    };
    [
        ("verdict", Some(case.verdict.name().to_owned())),
        ("method", Some(method.to_owned())),
        ("destination", destination),
        ("source", envoy.get_remote_address().map(text)),
        (
            "listener_address",
            envoy.get_direct_local_address().map(text),
        ),
        ("rule", case.denial.map(|denial| denial.to_string())),
    ]
}
