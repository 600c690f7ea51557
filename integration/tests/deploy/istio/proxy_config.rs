//! What the annotations of a pod tell Istio: the types refuse names and values that Istio does not have.
//!
//! The annotations are those of istio/api `annotation/annotations.yaml`; `proxy.istio.io/config` is the
//! message ProxyConfig of istio/api `mesh/v1alpha1/proxy.proto` (00d4ed3). Of both, the types know what a
//! workload with the module needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annotations {
    /// By the name of the volume, as in a test of Istio's own injector (istio/istio
    /// `pkg/kube/inject/testdata/inject/user-volume.yaml`).
    #[serde(rename = "sidecar.istio.io/userVolumeMount", deserialize_with = "json")]
    pub mounts: BTreeMap<String, Mount>,
    #[serde(rename = "proxy.istio.io/config", deserialize_with = "yaml")]
    pub proxy: ProxyConfig,
    /// Whether the sidecar is an init container that goes on; if not said, istiod decides.
    #[serde(rename = "sidecar.istio.io/nativeSidecar")]
    pub native_sidecar: Option<Flag>,
}

/// Annotations are text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flag {
    True,
    False,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mount {
    pub mount_path: String,
    pub read_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProxyConfig {
    /// Environment variables of the proxy.
    pub proxy_metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub proxy_stats_matcher: ProxyStatsMatcher,
    #[serde(default)]
    pub interception_mode: InterceptionMode,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ProxyStatsMatcher {
    pub inclusion_prefixes: Vec<String>,
    pub inclusion_suffixes: Vec<String>,
    pub inclusion_regexps: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InterceptionMode {
    #[default]
    Redirect,
    Tproxy,
    None,
}

fn json<'de, D: Deserializer<'de>, T: de::DeserializeOwned>(text: D) -> Result<T, D::Error> {
    serde_json::from_str(&String::deserialize(text)?).map_err(de::Error::custom)
}

fn yaml<'de, D: Deserializer<'de>, T: de::DeserializeOwned>(text: D) -> Result<T, D::Error> {
    serde_saphyr::from_str(&String::deserialize(text)?).map_err(de::Error::custom)
}
