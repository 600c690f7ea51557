//! What worker threads share. Under `--cfg loom` the unit tests get the model checker's instead, which
//! tries every order in which threads can meet.

#[cfg(not(all(test, loom)))]
pub use std::sync::{Mutex, PoisonError, atomic};

#[cfg(all(test, loom))]
pub use {
    loom::sync::{Mutex, atomic},
    std::sync::PoisonError,
};
