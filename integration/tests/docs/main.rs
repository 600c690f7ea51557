//! What the documents say: their links, their configs, their recipes, the commands of the first
//! steps, and the names and log lines that they quote.

mod getting_started;
mod library;
mod links;
mod log_lines;
mod names;
mod readme;
mod recipes;
mod session;
mod unsafe_code;
mod updates;
mod upgrading;
mod yaml;
