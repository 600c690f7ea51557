//! Dynamic metadata, which access logs show with `%DYNAMIC_METADATA(original_dst:…)%`.

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;

use super::Case;
use super::wording::Endpoint;

const NAMESPACE: &str = "original_dst";

/// Publishes what was found. A key is left out where there is nothing to say.
pub fn publish(envoy: &mut impl EnvoyListenerFilter, case: &Case) {
    let Case { found, verdict, .. } = case;
    let method = match found {
        Ok(found) => found.method.name(),
        Err(_) => "NONE",
    };
    let destination = found.as_ref().ok().map(|found| found.address.to_string());
    let source = envoy
        .get_remote_address()
        .map(|address| Endpoint(address).to_string());
    let listener = envoy
        .get_direct_local_address()
        .map(|address| Endpoint(address).to_string());
    let rule = case.denial.map(|denial| denial.to_string());
    let mut set = |key, value: &str| envoy.set_dynamic_metadata_string(NAMESPACE, key, value);
    set("verdict", verdict.name());
    set("method", method);
    for (key, value) in [
        ("destination", destination),
        ("source", source),
        ("listener_address", listener),
        ("rule", rule),
    ] {
        if let Some(value) = value {
            set(key, &value);
        }
    }
}
