//! `istio-workload.yaml`: what its annotations tell Istio, and whether the library is there in time.
//!
//! Where the file's facts are from: istiod puts a native sidecar before all other init containers but its own
//! (istio/istio `pkg/kube/inject/webhook.go`, `reorderPod`), on a pod of the mode TPROXY it makes the proxy
//! root with NET_ADMIN, and proxyMetadata environment variables
//! (`manifests/charts/istio-control/istio-discovery/files/injection-template.yaml`). Native sidecars are the
//! default since Istio 1.27 (learn.microsoft.com, "Native sidecar mode for Istio-based service mesh add-on").
//! Image volumes are on by default since Kubernetes 1.35 (kubernetes.io, "Use an Image Volume With a Pod"),
//! and no more noexec by their definition (kubernetes/kubernetes#135775).

use lab::module::library;
use lab::{Envoy, Lab, Version};
use serde_json::Value;

use super::pilot::Mode;
use super::proxy_config::{Annotations, Flag, InterceptionMode};
use super::sidecar::{config, envoy_filter, patched};
use crate::manifest::Manifest;

/// The workloads, and whether an init container brings the library.
const WORKLOADS: [(&str, bool); 2] = [("example", false), ("example-init", true)];

/// The template of a workload's pods.
pub fn pods(name: &str) -> Value {
    let manifest = Manifest::read("istio-workload.yaml");
    manifest.object("Deployment", name)["spec"]["template"].clone()
}

/// A workload's annotations.
pub fn annotations(name: &str) -> Annotations {
    let annotations = pods(name)["metadata"]["annotations"].clone();
    serde_json::from_value(annotations).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn workloads_are_selected() {
    for (name, _) in WORKLOADS {
        let labels = &pods(name)["metadata"]["labels"];
        for (label, value) in envoy_filter().spec.workload_selector.labels {
            assert_eq!(labels[&label], value, "{name}: {label}");
        }
    }
}

/// The volume that is mounted where Envoy looks has the library, and has it in time.
#[test]
fn the_library_is_there_before_envoy() {
    for (name, by_init_container) in WORKLOADS {
        let annotations = annotations(name);
        let path = &annotations.proxy.proxy_metadata["ENVOY_DYNAMIC_MODULES_SEARCH_PATH"];
        let mut mounts = annotations.mounts.iter();
        let (mounted, _) = mounts
            .find(|(_, mount)| mount.mount_path == *path && mount.read_only)
            .unwrap_or_else(|| panic!("{name}: nothing is mounted at {path}"));
        let spec = &pods(name)["spec"];
        let volumes = spec["volumes"].as_array().expect("volumes");
        let volume = volumes.iter().find(|volume| volume["name"] == *mounted);
        let volume = volume.unwrap_or_else(|| panic!("{name}: no volume {mounted}"));
        assert_eq!(volume["image"].is_null(), by_init_container, "{name}");
        assert_eq!(
            spec["initContainers"].is_null(),
            !by_init_container,
            "{name}"
        );
        let native = annotations.native_sidecar;
        assert_eq!(native == Some(Flag::False), by_init_container, "{name}");
        assert_eq!(
            annotations.proxy.interception_mode,
            InterceptionMode::Redirect
        );
    }
}

/// A volume is mounted where Envoy looks, in a mount namespace of its own.
#[test]
fn no_library_is_loaded_from_a_volume_mounted_noexec() {
    let file = Manifest::read("istio-workload.yaml").text;
    let lab = Lab::new();
    let volume = tempfile::tempdir().expect("a temporary directory");
    let (path, library) = (volume.path().display(), library());
    for version in Version::under_test() {
        let said = match version {
            Version::V1_37 => "not found in any search path",
            _ => "failed to map segment from shared object",
        };
        assert!(file.contains(said), "{version}");
        let start = |option: &str| {
            let script = format!(
                "mount -t tmpfs -o {option} none {path}; cp {} {path}; exec \"$@\"",
                library.display()
            );
            Envoy::builder(&lab.gateway, version)
                .config(config(patched(Mode::Redirect)))
                .modules(volume.path())
                .under(&["unshare", "--mount", "sh", "-ec", &script, "sh"])
                .try_start()
        };
        start("exec").unwrap_or_else(|log| panic!("{version}: {log}"));
        let log = start("noexec").expect_err("no library");
        assert!(log.contains(said), "{version}: {log}");
    }
}
