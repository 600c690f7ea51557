//! The table at the end.

use std::iter::zip;

use crate::outcome::Outcome;
use crate::paint::{bad, dim, good};

const HEADS: [&str; 2] = [
    "|the client|Envoy took|the module|the upstream was|without",
    "|asked for|it at|restored|reached at, by|module",
];

type Row<'a> = Vec<&'a str>;

/// Prints a row for each outcome.
pub fn print(outcomes: &[Outcome]) {
    let heads = HEADS.map(|head| head.split('|').collect::<Row>());
    let rows: Vec<Row> = outcomes.iter().map(row).collect();
    let width = |column: usize| {
        let cells = heads.iter().chain(&rows).map(|row| row[column]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads[0].len()).map(width).collect();
    let line = |row: &Row| {
        let cells = zip(row, &widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };

    println!();
    for head in &heads {
        println!("  {}", dim(&line(head)));
    }
    let whole = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
    println!("  {}", dim(&"─".repeat(whole)));
    for (outcome, row) in zip(outcomes, &rows) {
        let is_right = outcome.wrong().is_empty();
        let mark = if is_right { good("✓") } else { bad("✗") };
        println!("{mark} {}", line(row));
    }
}

fn row(outcome: &Outcome) -> Row<'_> {
    let (scenario, with) = (&outcome.scenario, &outcome.with);
    // The steps have shown the reason, too long for here.
    let without = outcome.without.answer.split(" (").next();
    vec![
        scenario.name,
        scenario.asked_for,
        &with.accepted_at,
        &with.restored,
        &with.answer,
        without.unwrap_or_default(),
    ]
}
