//! What the module asks the kernel, as strace(1) sees it, and what it makes of the answers of others.

mod answers;
mod redirected;
mod redirector;
mod trace;
