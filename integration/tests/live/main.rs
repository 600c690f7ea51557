//! Envoy changes while connections come: its listeners, its process, its end. None of it may lose a
//! connection that has nothing to do with it, or lead one astray.

mod end;
mod fault_point;
mod lds;
mod restart;
mod workers;
