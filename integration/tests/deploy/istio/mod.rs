//! `istio.yaml` and `istio-workload.yaml`: the patches are applied as istiod applies them, to listeners as
//! it makes them, and connections go through under Istio's rules, in both modes of interception.

mod envoy_filter;
mod patch;
mod pilot;
mod proxy_config;
mod refusals;
mod schemas;
mod sidecar;
mod stats;
mod traffic;
mod workload;
