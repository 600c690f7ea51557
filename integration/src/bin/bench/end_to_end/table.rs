//! The tables at the end.

use super::figures::{Figures, OfKind, Row};

/// Prints a table for each kind of exchange and number of workers, and one of the memory.
pub fn print(figures: &Figures) {
    for layout in &figures.layouts {
        println!(
            "\n{} of {} processors: Envoy on {:?}, clients and origin on {:?}",
            layout.workers,
            figures.machine.processors,
            layout.processors_of_envoy,
            layout.processors_of_load,
        );
        println!(
            "{:21} {:38} {:>7} {:>21} {:>7} {:>21} {:>13} {:>21}",
            "each exchange",
            "",
            "CPU, µs",
            "to built-in",
            "a second",
            "to built-in",
            "p50, p99, µs",
            "p99 to built-in"
        );
        for row in &figures.rows {
            let exchanges = row.exchanges.iter();
            for of in exchanges.filter(|of| of.workers == layout.workers) {
                println!("{}", line(row, of));
            }
        }
    }
    println!(
        "\n{:21} {:38} {:>12} {:>11}",
        "each exchange", "", "instructions", "to built-in"
    );
    for row in &figures.rows {
        for of in &row.instructions {
            println!(
                "{:21} {:38} {:>12.0} {:>11.4}",
                of.kind.name(),
                row.name,
                of.count,
                of.ratio
            );
        }
    }
    println!("\n{:38} {:>9}", "10,000 open connections", "MiB");
    for row in &figures.rows {
        if let Some(kib) = row.resident_kib_for_10000_connections {
            println!("{:38} {:>9.1}", row.name, kib / 1024.0);
        }
    }
}

fn line(row: &Row, of: &OfKind) -> String {
    let latency = of.latency.as_ref().map_or_else(String::new, |latency| {
        format!(
            " {:>6} {:>6} {:>21}",
            latency.p50_microseconds, latency.p99_microseconds, latency.p99_ratio
        )
    });
    format!(
        "{:21} {:38} {:>7.1} {:>21} {:>8.0} {:>21}{latency}",
        of.kind.name(),
        row.name,
        of.cpu_microseconds.median,
        of.cpu_ratio,
        of.per_second.median,
        of.per_second_ratio,
    )
}
