//! What options are made of.

mod list;
mod ports;

pub use list::{Entry, List};
pub use ports::{ListenerPorts, PortNumber};
