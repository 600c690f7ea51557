//! What access logs show of a connection: dynamic metadata, `%DYNAMIC_METADATA(original_dst:…)%`, and
//! filter state, `%FILTER_STATE(original_dst.…:PLAIN)%`.

use std::array;

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;

use super::Case;
use super::wording::Endpoint;
use crate::verdict::Verdict;

/// What is published under one key, whose name in filter state begins with [`NAMESPACE`] and a dot.
type Said<'a> = (&'static str, &'a str);

const NAMESPACE: &str = "original_dst";

/// So many keys there are.
const KEYS: usize = 6;

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

    /// Publishes what there is to say of a connection. Of a restored one Envoy's own operators show
    /// the addresses, and each key costs Envoy 1,300 instructions as filter state, 2,500 as metadata.
    pub fn publish(self, envoy: &mut impl EnvoyListenerFilter, case: &Case) {
        if !self.is_any() {
            return;
        }
        let found = case.found.as_ref().ok();
        let verdict = ("original_dst.verdict", case.verdict.name());
        let method = found.map_or("NONE", |found| found.method.name());
        let method = ("original_dst.method", method);
        if matches!(case.verdict, Verdict::Restored(_)) {
            return self.write(envoy, &[verdict, method]);
        }
        let text = |address| Endpoint(address).to_string();
        let more = [
            (
                "original_dst.destination",
                found.map(|found| found.address.to_string()),
            ),
            ("original_dst.source", envoy.get_remote_address().map(text)),
            (
                "original_dst.listener_address",
                envoy.get_direct_local_address().map(text),
            ),
            (
                "original_dst.rule",
                case.denial.map(|denial| denial.to_string()),
            ),
        ];
        let more = more
            .iter()
            .filter_map(|(key, value)| Some((*key, value.as_deref()?)));
        let said: Vec<_> = [verdict, method].into_iter().chain(more).collect();
        self.write(envoy, &said);
    }

    fn write(self, envoy: &mut impl EnvoyListenerFilter, said: &[Said]) {
        if self.filter_state {
            for (key, value) in said {
                envoy.set_filter_state(key, value);
            }
        }
        if self.metadata {
            let entries: [_; KEYS] = array::from_fn(|index| {
                let (key, value) = said.get(index).unwrap_or(&("", ""));
                (key.get(NAMESPACE.len() + 1..).unwrap_or_default(), *value)
            });
            let entries = entries.get(..said.len()).unwrap_or(&entries);
            envoy.set_dynamic_metadata_string_batch(NAMESPACE, entries);
        }
    }
}
