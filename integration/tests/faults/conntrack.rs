//! The kernel's table of connections is emptied, or is full.

use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use lab::{Failure, Netns, To, Version, eventually};

use crate::site::{LISTENER, Site, count, counted, filters, under_load};

/// A connection whose entry is gone before Envoy looks at it has no destination, and nothing gets to
/// anybody else.
#[test]
fn emptied_before_envoy_looks() {
    const CLIENTS: usize = 50;
    let site = Site::new();
    for version in Version::under_test() {
        for (name, filter) in filters() {
            site.gateway().redirect(To::OtherHosts, LISTENER);
            let mut envoy = site.envoy(version, filter).start();
            site.works("before");
            envoy.pause();
            let clients = site.knock(CLIENTS);
            site.gateway().sh("conntrack -F 2>/dev/null");
            envoy.resume();
            eventually("they are accepted", || site.waiting() == 0);
            site.works("after");
            if name == "the module" {
                assert_eq!(count(&envoy, "unavailable"), CLIENTS as u64, "{version}");
                assert_eq!(count(&envoy, "restored_redirect"), 4, "{version}");
                assert_eq!(counted(&envoy), CLIENTS as u64 + 4, "{version}");
            }
            assert!(envoy.is_alive(), "{version}, {name}");
            drop(clients);
            site.gateway().flush();
        }
    }
}

/// The packets of a connection whose entry is gone are no longer translated: it may fail.
#[test]
fn emptied_while_clients_connect() {
    under_load(
        |gateway| {
            for _ in 0..40 {
                gateway.sh("conntrack -F 2>/dev/null");
                thread::sleep(Duration::from_millis(10));
            }
        },
        |tally, what| {
            let is_mixed = tally.answered > 0 && !tally.failed.is_empty();
            assert!(is_mixed, "{what}: {tally:?}");
        },
    );
}

/// Entries of others fill the table. The kernel then drops what opens a connection, so that no filter
/// sees it.
#[test]
fn full() {
    let site = Site::new();
    let version = Version::under_test().into_iter().max().expect("a version");
    for (name, filter) in filters() {
        site.gateway().redirect(To::OtherHosts, LISTENER);
        let mut envoy = site.envoy(version, filter).start();
        site.works("before");
        fill(site.gateway());
        let [to, _] = site.destinations();
        assert_eq!(site.fails(to, name), Failure::ConnectTimeout);
        assert!(envoy.is_alive(), "{name}");
        site.gateway().sh("conntrack -F 2>/dev/null");
        site.works("after");
        if name == "the module" {
            assert_eq!(count(&envoy, "restored_redirect"), 4);
            assert_eq!(counted(&envoy), 4);
        }
        assert!(envoy.stop().success(), "{name}");
        site.gateway().flush();
    }
}

/// Adds entries, of which the kernel gives up none for new connections, until it takes no more.
fn fill(host: &Netns) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("entries");
    let limit = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max");
    let limit: u32 = limit
        .expect("connection tracking is there")
        .trim()
        .parse()
        .expect("a number");
    // More than there is room for, whatever else is in the table or leaves it meanwhile.
    let entries = (0..limit + 1000).map(|index| {
        let source = Ipv4Addr::from_bits(0x0b00_0000 + index);
        format!(
            "-I -p tcp --src {source} --dst 10.2.0.99 --sport 1 --dport 1 --state ESTABLISHED \
             --timeout 600 --status ASSURED,SEEN_REPLY\n"
        )
    });
    fs::write(&file, entries.collect::<String>()).expect("write the entries");
    host.sh(&format!(
        "conntrack --load-file {} 2>&1 | grep 'not enough memory'",
        file.display()
    ));
}
