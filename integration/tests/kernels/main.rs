//! What the module asks of a kernel, in a few minutes: `make kernels` runs it under old and new ones.

mod guards;
mod life;
mod tool;

/// The port of the upstream.
const PORT: u16 = 8080;
