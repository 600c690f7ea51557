//! What the documents say: their links, their configs, their recipes, and the names and log lines
//! that they quote.

mod library;
mod links;
mod log_lines;
mod names;
mod recipes;
mod unsafe_code;
mod updates;
mod upgrading;
mod yaml;
