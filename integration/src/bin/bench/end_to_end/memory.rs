//! What open connections take of the memory.

use super::client::{Client, Kind};
use super::layout::Layout;
use super::site::{Site, asked};
use super::subject::Subject;
use crate::process::resident_kib;

/// Two sizes, of few and of many connections: the difference leaves out what is not theirs. Many is
/// what Envoy may have, and this program, where a process may have 20,000 files.
const FEW: u32 = 1_000;
const MANY: u32 = 9_000;

/// Resident memory for 10,000 open connections through the TCP proxy.
pub fn measure(site: &Site, subject: Subject, layout: &Layout) -> f64 {
    let envoy = site.start(subject, layout, 0);
    let asked = asked(subject, 0, Kind::Tcp);
    site.as_client(layout, || {
        let mut clients = Vec::new();
        let mut open = |connections| {
            clients.resize_with(connections as usize, || {
                // An HTTP request is nothing to a TCP proxy, and the origin keeps the connection.
                let mut client = Client::new(Kind::KeepAlive, asked);
                client.exchange();
                client
            });
            resident_kib(envoy.pid()) as f64
        };
        let (few, many) = (open(FEW), open(MANY));
        (many - few) * 10_000.0 / f64::from(MANY - FEW)
    })
}
