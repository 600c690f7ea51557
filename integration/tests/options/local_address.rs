//! `LOCAL_ADDRESS`: connections that come to the listener as they are, by routes, addresses of `lo`,
//! `freebind` and sk_lookup.

mod behind_dnat;
mod freebind;
mod handed_on;
mod listed;
mod loops;
mod others;
mod site;
mod steered;
