//! `sidecar.yaml`: the gateway is the pod.

use std::net::SocketAddr;

use lab::address::{GATEWAY_V4, GATEWAY_V6, UPSTREAM_V4, UPSTREAM_V6};
use lab::{Envoy, Lab, Upstream, Version};

use crate::manifest::{Manifest, container};
use crate::{PORT, arrives, is_closed};

#[test]
fn sidecar() {
    let manifest = Manifest::read("sidecar.yaml");
    let pod = manifest.object("Deployment", "example");
    let sidecar = container(pod, "envoy");
    let user = sidecar["securityContext"]["runAsUser"]
        .as_u64()
        .expect("a user");
    let rules = container(pod, "redirect")["args"][0]
        .as_str()
        .expect("a script");
    for version in Version::under_test() {
        let lab = Lab::new();
        let _servers = [&lab.upstream, &lab.gateway].map(|host| Upstream::start(host, &[PORT]));
        let envoy = Envoy::builder(&lab.gateway, version).config(manifest.config());
        let envoy = envoy.user(u32::try_from(user).expect("a user id")).start();
        // The container may run again.
        lab.gateway.sh(rules);
        lab.gateway.sh(rules);
        for ip in [UPSTREAM_V4, UPSTREAM_V6] {
            let (client, to) = arrives(&lab.gateway, ip);
            is_logged(&envoy, &format!("outbound {client} -> {to} -"));
        }
        for ip in [GATEWAY_V4, GATEWAY_V6] {
            let (client, to) = arrives(&lab.client, ip);
            is_logged(&envoy, &format!("inbound {client} -> {to} -"));
        }
        let probe = &sidecar["readinessProbe"]["httpGet"];
        let path = probe["path"].as_str().expect("a path");
        let url = format!("http://{GATEWAY_V4}:{}{path}", probe["port"]);
        let answer = lab.client.run(|| minreq::get(url).with_timeout(5).send());
        assert_eq!(answer.expect("an answer").status_code, 200, "{version}");
        // The first of them is connected to the outbound listener, once, and refused there.
        for port in [15001, 15006] {
            let to = SocketAddr::new(GATEWAY_V4, port);
            is_closed(&lab.client, to);
            let end = format!(" -> {to}: original_dst_unredirected");
            envoy.wait_output(&end, |line| {
                line.starts_with("refused ") && line.ends_with(&end)
            });
        }
        assert_eq!(
            envoy.stat_sum("original_dst.unredirected"),
            Some(2),
            "{version}"
        );
        assert_eq!(
            envoy.stat_sum("original_dst.restored_redirect"),
            Some(5),
            "{version}"
        );
    }
}

fn is_logged(envoy: &Envoy, line: &str) {
    envoy.wait_output(line, |logged| logged == line);
}
