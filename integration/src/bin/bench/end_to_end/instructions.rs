//! How many instructions Envoy spends on an exchange.

use super::client::{Client, Kind};
use super::layout::Layout;
use super::site::{Site, asked};
use super::subject::Subject;
use crate::callgrind::Counted;

/// See [`Counted::each`].
const MANY: u32 = 600;

/// For each kind of exchange that has an answer, in that order.
pub fn count(site: &Site, subject: Subject, layout: &Layout) -> [f64; 3] {
    let mut envoy = Counted::start(site.envoy(subject, layout, 0));
    Kind::ANSWERED.map(|kind| {
        let mut client = Client::new(kind, asked(subject, 0, kind));
        let exchange = |exchanges| {
            site.as_client(layout, || {
                (0..exchanges).for_each(|_| _ = client.exchange())
            });
        };
        envoy.each(MANY, exchange).instructions
    })
}
