//! What the module asks of a kernel, in a few minutes: `make kernels` runs it under old and new ones.

// Guests run its test first, by its name.
mod from_scratch;
mod guards;
mod tool;

/// The port of the upstream.
const PORT: u16 = 8080;
