//! The types refuse what the published definitions refuse: each row is a mistake in one of the files, and
//! what the error names.

use lab::workspace;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::envoy_filter::EnvoyFilter;
use super::proxy_config::Annotations;
use super::workload::pods;

#[test]
fn envoy_filter() {
    let path = workspace().join("deploy/istio.yaml");
    let file = std::fs::read_to_string(path).expect("the file");
    refused::<EnvoyFilter>(
        &file,
        &[
            (
                "networking.istio.io/v1alpha3",
                "networking.istio.io/v1",
                "v1alpha3",
            ),
            ("kind: EnvoyFilter", "kind: EnvoyFilters", "EnvoyFilters"),
            ("workloadSelector:", "selector:", "`selector`"),
            ("labels: {", "matchLabels: {", "`matchLabels`"),
            ("configPatches:", "patches:", "`patches`"),
            (
                "applyTo: LISTENER_FILTER",
                "applyTo: LISTENER_FILTERS",
                "`LISTENER_FILTERS`",
            ),
            ("applyTo: LISTENER_FILTER", "applyTo: INVALID", "`INVALID`"),
            (
                "applyTo: LISTENER_FILTER",
                "apply_to: LISTENER_FILTER",
                "`apply_to`",
            ),
            (
                "- applyTo: LISTENER_FILTER\n      match",
                "- match",
                "`applyTo`",
            ),
            (
                "context: SIDECAR_OUTBOUND",
                "context: OUTBOUND",
                "`OUTBOUND`",
            ),
            (
                "listener: { name",
                "listener: { listenerName",
                "`listenerName`",
            ),
            ("listenerFilter:", "filter:", "`filter`"),
            ("operation: INSERT_FIRST", "operation: INSERT", "`INSERT`"),
            ("operation: REPLACE", "operation: INVALID", "`INVALID`"),
            ("operation: REPLACE\n        ", "", "`operation`"),
            (
                "value:\n          name",
                "config:\n          name",
                "`config`",
            ),
        ],
    );
}

#[test]
fn annotations() {
    let annotations = pods("example-init")["metadata"]["annotations"].to_string();
    refused::<Annotations>(
        &annotations,
        &[
            (
                "istio.io/nativeSidecar",
                "istio.io/nativeSidecars",
                "nativeSidecars",
            ),
            (r#""false""#, r#""no""#, "`no`"),
            (r#""false""#, "false", "boolean"),
            (
                "istio.io/userVolumeMount",
                "istio.io/userMount",
                "userMount",
            ),
            ("readOnly", "readonly", "`readonly`"),
            (r#"\"mountPath\": \"/module\", "#, "", "`mountPath`"),
            ("proxy.istio.io/config", "proxy.istio.io/configs", "configs"),
            ("proxyMetadata", "proxyMetaData", "proxyMetaData"),
            ("PATH: /module", "PATH: [/module]", "string"),
            ("proxyStatsMatcher", "statsMatcher", "statsMatcher"),
            ("inclusionRegexps", "inclusionRegexes", "inclusionRegexes"),
            (
                r#"[\".*original_dst.*\"]"#,
                r#"\".*original_dst.*\""#,
                "sequence",
            ),
            (
                "proxyMetadata",
                r"interceptionMode: TProxy\nproxyMetadata",
                "TProxy",
            ),
        ],
    );
}

/// Reads the text as it stands; with each mistake, it does not.
fn refused<T: DeserializeOwned>(text: &str, mistakes: &[(&str, &str, &str)]) {
    let read = |text: &str| {
        let value: Value = serde_saphyr::from_str(text).expect("YAML");
        serde_json::from_value::<T>(value)
    };
    read(text).unwrap_or_else(|error| panic!("{error}"));
    for (right, wrong, named) in mistakes {
        assert!(text.contains(right), "not in the file: {right}");
        let error = match read(&text.replacen(right, wrong, 1)) {
            Ok(_) => panic!("accepted: {wrong}"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(named), "{wrong}: {error}");
    }
}
