//! What the whole proxy costs.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{
    Area, Drawn, WIDTH, beside, caption, chart, height_of, interval, mesh, names, parity, text,
    thousands,
};
use crate::end_to_end::{Figures, Kind, OfKind, Row};
use crate::estimate::Estimate;

/// For the names of the subjects.
const LEFT: u32 = 240;
/// Of each chart.
const CHART: u32 = (WIDTH - LEFT) / 3;
/// Beside each chart.
const MARGIN: u32 = 12;
/// Of numbers of workers, in their order.
const COLOURS: [RGBColor; 3] = [
    RGBColor(0x1f, 0x6f, 0xeb),
    RGBColor(0xbf, 0x87, 0x00),
    RGBColor(0x82, 0x50, 0xdf),
];

/// An SVG: CPU time above; latency, and what can be refused in a second, below.
pub fn draw(figures: &Figures) -> String {
    let mut svg = String::new();
    let (passing, refusing): (Vec<_>, Vec<_>) =
        figures.rows.iter().partition(|row| !row.subject.refuses());
    let size = (WIDTH, 2 * height_of(passing.len()));
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    picture(&root, figures, &passing, &refusing).expect("text takes all that is drawn");
    drop(root);
    svg
}

fn picture(root: &Area, figures: &Figures, passing: &[&Row], refusing: &[&Row]) -> Drawn {
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(height_of(passing.len()));
    let (cpu, latency) = (
        |of: &OfKind| Some(of.cpu_ratio),
        |of: &OfKind| of.latency.as_ref().map(|latency| latency.p99_ratio),
    );
    let charts = [
        (&above, 0, Kind::Tcp, "CPU time", cpu as fn(&OfKind) -> _),
        (&above, 1, Kind::Http, "CPU time", cpu),
        (&above, 2, Kind::KeepAlive, "CPU time", cpu),
        (&below, 0, Kind::Tcp, "p99 to first byte", latency),
        (&below, 1, Kind::Http, "p99 to first byte", latency),
    ];
    for (area, column, kind, what, shown) in charts {
        let title = format!("{what}: {}", kind.name());
        ratios(area, column, &title, passing, kind, shown)?;
    }
    refusals(&below, refusing)?;
    for (layout, index) in figures.layouts.iter().zip(0..) {
        let colour = COLOURS[index as usize];
        let plural = if layout.workers == 1 { "" } else { "s" };
        let legend = format!(
            "● {} worker{plural}, on CPU {}",
            layout.workers,
            list(&layout.processors_of_envoy)
        );
        let style = text(14, HPos::Left).color(&colour);
        root.draw(&Text::new(legend, (14, 20 + 18 * index), style))?;
    }
    let what = format!(
        "to the built-in filter's, medians of {} rounds, 95 % intervals",
        figures.rounds
    );
    caption(root, &figures.machine, &what)
}

/// A chart of the ratios to the built-in filter's; the first one of a line has the names.
fn ratios(
    area: &Area,
    column: u32,
    title: &str,
    rows: &[&Row],
    kind: Kind,
    shown: fn(&OfKind) -> Option<Estimate>,
) -> Drawn {
    let points: Vec<_> = rows
        .iter()
        .zip(0..)
        .flat_map(|(row, y)| {
            let of_kind = row.exchanges.iter().filter(move |of| of.kind == kind);
            let ratios = of_kind.filter_map(shown).zip(0..);
            ratios.map(move |(ratio, index)| (ratio, f64::from(y), index))
        })
        .collect();
    let bounds = |(low, high), ratio: Estimate| (ratio.low.min(low), ratio.high.max(high));
    let ratios = points.iter().map(|(ratio, ..)| *ratio);
    let (low, high) = ratios.fold((0.98_f64, 1.02_f64), bounds);
    let area = column_of(area, column);
    let (left, x) = (left_of(column), low - 0.01..high + 0.01);
    let mut chart = chart(&area, title, left, x, rows.len())?;
    mesh(&mut chart, 5, &|value| format!("{value:.2}"))?;
    parity(&mut chart, rows.len())?;
    for (ratio, y, index) in points {
        let y = y + 0.5 + 0.28 * (f64::from(index) - 0.5);
        interval(&mut chart, ratio, y, COLOURS[index as usize])?;
    }
    if column == 0 {
        names(&mut chart, rows.iter().map(|row| row.name))?;
    }
    Ok(())
}

/// Bars of the connections that can be refused in a second.
fn refusals(area: &Area, rows: &[&Row]) -> Drawn {
    let bars: Vec<_> = rows
        .iter()
        .flat_map(|row| {
            row.exchanges
                .iter()
                .zip(0..)
                .map(|(of, index)| (row.name, of, index))
        })
        .collect();
    let longest = bars
        .iter()
        .map(|(_, of, _)| of.per_second.median)
        .fold(0.0, f64::max);
    let area = column_of(area, 2);
    let title = "Refused a second";
    let mut chart = chart(&area, title, left_of(2), 0.0..1.25 * longest, bars.len())?;
    mesh(&mut chart, 4, &|value| thousands(*value))?;
    for ((name, of, index), y) in bars.into_iter().zip(0..) {
        let (top, value) = (f64::from(y), of.per_second.median);
        let colour = COLOURS[index as usize];
        chart.draw_series([Rectangle::new(
            [(0.0, top + 0.5), (value, top + 0.9)],
            colour.filled(),
        )])?;
        let label = format!("{name}: {}", thousands(value));
        beside(
            &mut chart,
            (0.0, top + 0.28),
            2,
            label,
            text(13, HPos::Left),
        )?;
    }
    Ok(())
}

fn list(numbers: &[usize]) -> String {
    let numbers: Vec<_> = numbers.iter().map(usize::to_string).collect();
    numbers.join(", ")
}

fn column_of<'a>(area: &Area<'a>, column: u32) -> Area<'a> {
    let start = if column == 0 {
        0
    } else {
        LEFT + column * CHART
    };
    let (_, rest) = area.split_horizontally(start);
    let (this, _) = rest.split_horizontally(LEFT + (column + 1) * CHART - start);
    this
}

fn left_of(column: u32) -> u32 {
    if column == 0 { LEFT } else { MARGIN }
}
