//! What options are made of.

mod list;
mod mark;
mod ports;

pub use list::{Entry, List};
pub use mark::Mark;
pub use ports::{ListenerPorts, PortNumber};
