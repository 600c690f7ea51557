//! The table at the end.

use crate::figures::{Figures, Row};
use crate::subject::Subject;

/// Prints a row for each subject, and one for each option.
pub fn print(figures: &Figures) {
    println!(
        "\n{:38} {:>12} {:>9} {:>9} {:>25} {:>23} {:>7} {:>9}",
        "for each connection",
        "",
        "",
        "above",
        "CPU time, µs",
        "CPU time to built-in",
        "system",
        "resident"
    );
    println!(
        "{:38} {:>12} {:>9} {:>9} {:>9} {:>7} {:>7} {:>23} {:>7} {:>9}",
        "",
        "instructions",
        "built-in",
        "constant",
        "all",
        "user",
        "system",
        "median, 95 % interval",
        "calls",
        "MiB"
    );
    let instructions = |subject| figures.of(subject).instructions_per_connection;
    let (built_in, constant) = (
        instructions(Subject::BuiltIn),
        instructions(Subject::Constant),
    );
    for row in &figures.subjects {
        println!("{}", line(row, built_in, constant));
    }
    println!(
        "\n{:38} {:>12} {:>9} {:>22}",
        "an option of this module", "instructions", "added", "system calls added"
    );
    for row in &figures.options {
        println!(
            "{:38} {:>12.0} {:>+9.0} {:>+22.1}",
            row.name,
            row.instructions_per_connection,
            row.instructions_above_plain,
            row.system_calls_above_plain,
        );
    }
}

fn line(row: &Row, built_in: f64, constant: f64) -> String {
    let instructions = row.instructions_per_connection;
    format!(
        "{:38} {instructions:>12.0} {:>+7.1} % {:>+9.0} {:>9.2} {:>7.1} {:>7.1}   {} {:>7.1} {:>9.1}",
        row.name,
        100.0 * (instructions / built_in - 1.0),
        instructions - constant,
        row.cpu_microseconds_per_connection.median,
        row.user_microseconds_per_connection,
        row.system_microseconds_per_connection,
        row.cpu_ratio_to_built_in,
        row.system_calls_per_connection,
        row.resident_kib / 1024.0,
    )
}
