//! What goes wrong around Envoy: in the kernel, in its tables, at its limits, and with clients. Each
//! fault is laid on a listener with the module and, where that tells something, on one with Envoy's
//! own filter; afterwards, both have to work as before.

mod answers;
mod conntrack;
mod descriptors;
mod resets;
mod rules;
mod site;
