//! `sidecar.yaml` and `sidecar-init.yaml`: the gateway is the pod. What the kubelet starts one after the
//! other is started in that order.

use std::net::SocketAddr;

use lab::address::{GATEWAY_V4, GATEWAY_V6, UPSTREAM_V4, UPSTREAM_V6};
use lab::client::tcp_ask;
use lab::{Envoy, Lab, Upstream, Version};
use serde_json::{Value, json};

use crate::manifest::{Manifest, container};
use crate::{PORT, arrives, is_closed};

/// A native sidecar is there before the rules.
#[test]
fn sidecar() {
    let pod = Pod::of("sidecar.yaml");
    assert_eq!(pod.init_containers(), ["module", "envoy", "redirect"]);
    assert_eq!(
        container(&pod.deployment, "envoy")["restartPolicy"],
        "Always"
    );
    for version in Version::under_test() {
        let (lab, _servers) = lab();
        let envoy = pod.envoy(&lab, version);
        pod.redirect(&lab);
        pod.goes_through(&lab, &envoy);
    }
}

/// A container beside the application is there after the rules: until then, nothing gets through.
#[test]
fn sidecar_beside_the_application() {
    let pod = Pod::of("sidecar-init.yaml");
    assert_eq!(pod.init_containers(), ["module", "redirect"]);
    assert_eq!(
        container(&pod.deployment, "envoy")["restartPolicy"],
        json!(null)
    );
    for version in Version::under_test() {
        let (lab, _servers) = lab();
        pod.redirect(&lab);
        for (from, to) in [(&lab.gateway, UPSTREAM_V4), (&lab.client, GATEWAY_V4)] {
            tcp_ask(from, SocketAddr::new(to, PORT)).expect_err("no Envoy is there");
        }
        let envoy = pod.envoy(&lab, version);
        pod.goes_through(&lab, &envoy);
    }
}

fn lab() -> (Lab, [Upstream; 2]) {
    let lab = Lab::new();
    let servers = [&lab.upstream, &lab.gateway].map(|host| Upstream::start(host, &[PORT]));
    (lab, servers)
}

/// A pod with a sidecar, and what both kinds of it have in common.
struct Pod {
    deployment: Value,
    config: Value,
    rules: String,
}

impl Pod {
    /// The Deployment of a file. The ConfigMaps are those of `sidecar.yaml`.
    fn of(file: &str) -> Self {
        let maps = Manifest::read("sidecar.yaml");
        let deployment = Manifest::read(file).object("Deployment", "example").clone();
        let rules = &maps.object("ConfigMap", "original-dst-rules")["data"]["set"];
        let redirect = container(&deployment, "redirect");
        assert_eq!(redirect["command"], json!(["/bin/sh", "-e", "/rules/set"]));
        Self {
            config: maps.config(),
            rules: rules.as_str().expect("a script").to_owned(),
            deployment,
        }
    }

    /// Their names, in the order in which they start.
    fn init_containers(&self) -> Vec<&str> {
        let containers = &self.deployment["spec"]["template"]["spec"]["initContainers"];
        let containers = containers.as_array().expect("a list");
        let names = containers.iter().map(|it| it["name"].as_str());
        names.map(|name| name.expect("a name")).collect()
    }

    /// Its Envoy, as the user that the rules know.
    fn envoy(&self, lab: &Lab, version: Version) -> Envoy {
        let user = &container(&self.deployment, "envoy")["securityContext"]["runAsUser"];
        let user = user.as_u64().and_then(|user| u32::try_from(user).ok());
        let envoy = Envoy::builder(&lab.gateway, version).config(self.config.clone());
        envoy.user(user.expect("a user id")).start()
    }

    /// Sets the rules. The container may run again.
    fn redirect(&self, lab: &Lab) {
        lab.gateway.sh(&self.rules);
        lab.gateway.sh(&self.rules);
    }

    /// Connections go in and out through Envoy, and direct ones nowhere.
    fn goes_through(&self, lab: &Lab, envoy: &Envoy) {
        for ip in [UPSTREAM_V4, UPSTREAM_V6] {
            let (client, to) = arrives(&lab.gateway, ip);
            is_logged(envoy, &format!("outbound {client} -> {to} -"));
        }
        for ip in [GATEWAY_V4, GATEWAY_V6] {
            let (client, to) = arrives(&lab.client, ip);
            is_logged(envoy, &format!("inbound {client} -> {to} -"));
        }
        let probe = &container(&self.deployment, "envoy")["readinessProbe"]["httpGet"];
        let path = probe["path"].as_str().expect("a path");
        let url = format!("http://{GATEWAY_V4}:{}{path}", probe["port"]);
        let answer = lab.client.run(|| minreq::get(url).with_timeout(5).send());
        assert_eq!(answer.expect("an answer").status_code, 200);
        // The inbound listener refuses both: it connects to no listener.
        for port in [15001, 15006] {
            let to = SocketAddr::new(GATEWAY_V4, port);
            is_closed(&lab.client, to);
            let end = format!(" -> {to}: original_dst_unredirected");
            envoy.wait_output(&end, |line| {
                line.starts_with("refused ") && line.ends_with(&end)
            });
        }
        assert_eq!(envoy.stat_sum("original_dst.unredirected"), Some(2));
        assert_eq!(envoy.stat_sum("original_dst.restored_redirect"), Some(4));
    }
}

fn is_logged(envoy: &Envoy, line: &str) {
    envoy.wait_output(line, |logged| logged == line);
}
