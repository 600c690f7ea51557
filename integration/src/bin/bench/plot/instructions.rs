//! What it costs to accept a connection.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{
    Area, Drawn, OTHERS, OURS, WIDTH, beside, caption, chart, height_of, interval, mesh, names,
    parity, text, thousands,
};
use crate::estimate::Estimate;
use crate::figures::{Figures, Row};
use crate::subject::Subject;

/// For the names of the subjects.
const LEFT: u32 = 285;
const RIGHT: u32 = 350;

/// An SVG: the instructions of each subject as
/// bars, and beside them the CPU time to the built-in filter's with its interval.
pub fn draw(figures: &Figures) -> String {
    let rows: Vec<&Row> = figures
        .subjects
        .iter()
        .filter(|row| is_shown(row))
        .collect();
    let mut svg = String::new();
    let size = (WIDTH, height_of(rows.len()));
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    picture(&root, figures, &rows).expect("text takes all that is drawn");
    drop(root);
    svg
}

/// [`Subject::EmptyWithRules`] is there for its memory.
fn is_shown(row: &Row) -> bool {
    row.subject != Subject::EmptyWithRules
}

fn picture(root: &Area, figures: &Figures, rows: &[&Row]) -> Drawn {
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(WIDTH - RIGHT);
    instructions(&left, rows)?;
    ratios(&right, rows)?;
    let what = format!(
        "one worker; CPU time: median of {} rounds of {} connections, 95 % interval",
        figures.rounds, figures.connections_per_round
    );
    caption(root, &figures.machine, &what)?;
    Ok(())
}

fn instructions(area: &Area, rows: &[&Row]) -> Drawn {
    let longest = rows.iter().map(|row| row.instructions_per_connection);
    let end = 1.15 * longest.fold(0.0, f64::max);
    let mut chart = chart(
        area,
        "Instructions of Envoy per connection",
        LEFT,
        0.0..end,
        rows.len(),
    )?;
    mesh(&mut chart, 5, &|value| thousands(*value))?;
    for (row, y) in rows.iter().zip(0..) {
        let (middle, value) = (f64::from(y) + 0.5, row.instructions_per_connection);
        let corners = [(0.0, middle - 0.32), (value, middle + 0.32)];
        chart.draw_series([Rectangle::new(corners, colour(row).filled())])?;
        let number = thousands(value);
        beside(&mut chart, (value, middle), 6, number, text(14, HPos::Left))?;
    }
    names(&mut chart, rows.iter().map(|row| row.name))
}

/// Those that refuse do less: where they lie outside of what the others need, a number says it.
fn ratios(area: &Area, rows: &[&Row]) -> Drawn {
    let others = rows.iter().filter(|row| !row.subject.refuses());
    let ratios = others.map(|row| row.cpu_ratio_to_built_in);
    let bounds = |(low, high), ratio: Estimate| (ratio.low.min(low), ratio.high.max(high));
    let (low, high) = ratios.fold((0.99_f64, 1.03_f64), bounds);
    let title = "CPU time to the built-in filter's";
    let mut chart = chart(area, title, 20, low - 0.005..high + 0.005, rows.len())?;
    mesh(&mut chart, 6, &|value| format!("{value:.2}"))?;
    parity(&mut chart, rows.len())?;
    for (row, y) in rows.iter().zip(0..) {
        let (middle, ratio, colour) = (f64::from(y) + 0.5, row.cpu_ratio_to_built_in, colour(row));
        if ratio.low < low || ratio.high > high {
            let number = format!("{:.2}", ratio.median);
            chart.draw_series([Text::new(number, (low, middle), text(14, HPos::Left))])?;
            continue;
        }
        interval(&mut chart, ratio, middle, colour)?;
    }
    Ok(())
}

fn colour(row: &Row) -> RGBColor {
    match row.subject {
        Subject::Module | Subject::FewRules | Subject::ManyRules | Subject::Refused => OURS,
        _ => OTHERS,
    }
}
