//! How rules are fetched: for the first time, and from a directory of links.

use std::fs;
use std::os::unix::fs::symlink;

use lab::client::tcp_ask;
use lab::{Envoy, Lab, To, Upstream, Watched, bootstrap, eventually, with_node};
use serde_json::{Value, json};

use super::site::{ASKED, DISCOVERY, LISTENER, PORT, RULES, filter, flip, is_as_wanted, listener};
use crate::in_every_version;

/// Until there are rules, connections are refused, or judged by the default config if there is one.
#[test]
fn nothing_is_fetched_yet() {
    in_every_version(|version| {
        let lab = Lab::new();
        lab.gateway.redirect(To::Port(PORT), LISTENER);
        let _upstream = Upstream::start(&lab.upstream, &[PORT]);
        let start = |watched: &Watched, default: Option<Value>| {
            let mut discovered = watched.discovered(RULES, &filter(json!({})));
            if let Some(options) = default {
                let default = &mut discovered["config_discovery"]["default_config"];
                *default = filter(options)["typed_config"].take();
            }
            Envoy::builder(&lab.gateway, version)
                .config(with_node(bootstrap([listener(discovered)], [])))
                .try_start()
        };
        let watched = Watched::new();
        let log = start(&watched, Some(flip(0))).expect_err("no file");
        assert!(
            log.contains("paths must refer to an existing path in the system"),
            "{version}: {log}"
        );
        watched.put(RULES, "{}");
        let missing = format!("listener.[__]_{LISTENER}.extension_config_missing");
        for (default, update, is_missing) in [(None, 1, 1), (Some(1), 1, 0), (Some(0), 0, 0)] {
            let envoy = start(&watched, default.map(flip)).expect("an empty file is no fault");
            let asked = tcp_ask(&lab.client, ASKED);
            assert!(is_as_wanted(asked.clone(), update), "{version}: {asked:?}");
            assert_eq!(envoy.stat(&missing), Some(is_missing), "{version}");
            assert!(envoy.stop().success(), "{version}");
        }
    });
}

/// As a kubelet changes a ConfigMap: the file is a link through a link, and that is renamed.
#[test]
fn a_directory_is_watched() {
    in_every_version(|version| {
        let lab = Lab::new();
        lab.gateway.redirect(To::Port(PORT), LISTENER);
        let _upstream = Upstream::start(&lab.upstream, &[PORT]);
        let watched = Watched::new();
        let link = |to: &str, name: &str| symlink(to, watched.file(name)).expect("make a link");
        let put = |update: u64| {
            let directory = format!("..{update}");
            fs::create_dir(watched.file(&directory)).expect("make a directory");
            watched.put_filter(
                &format!("{directory}/{RULES}"),
                update,
                &filter(flip(update)),
            );
            link(&directory, "..data_tmp");
            fs::rename(watched.file("..data_tmp"), watched.file("..data")).expect("move the link");
        };
        put(0);
        link(&format!("..data/{RULES}"), RULES);
        let mut discovered = watched.discovered(RULES, &filter(json!({})));
        let source = &mut discovered["config_discovery"]["config_source"]["path_config_source"];
        source["watched_directory"] = json!({ "path": watched.path() });
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(with_node(bootstrap([listener(discovered)], [])))
            .start();
        for update in 0..=4 {
            if update > 0 {
                put(update);
            }
            eventually("an update", || {
                envoy.stat(&format!("{DISCOVERY}.config_reload")) == Some(update + 1)
            });
            let asked = tcp_ask(&lab.client, ASKED);
            assert!(is_as_wanted(asked.clone(), update), "{version}: {asked:?}");
        }
        assert!(envoy.stop().success(), "{version}");
    });
}
