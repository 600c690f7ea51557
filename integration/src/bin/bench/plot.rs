//! The figures as a picture.

use std::error::Error;
use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::estimate::Estimate;
use crate::figures::{Figures, Row};
use crate::subject::Subject;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn Error>>;

const WIDTH: u32 = 1120;
const HEAD: u32 = 66;
const FOOT: u32 = 64;
/// For the numbers along the axis, a part of the foot.
const AXIS: u32 = 24;
const ROW: u32 = 34;
/// For the names of the subjects.
const LEFT: u32 = 285;
const RIGHT: u32 = 350;

const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const FAINT: RGBColor = RGBColor(0xd0, 0xd7, 0xde);
const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xeb);
const OTHERS: RGBColor = RGBColor(0x8c, 0x95, 0x9f);

/// An SVG, on white so that it can be read on a dark page too: the instructions of each subject as
/// bars, and beside them the CPU time to the built-in filter's with its interval.
pub fn draw(figures: &Figures) -> String {
    let rows: Vec<&Row> = figures
        .subjects
        .iter()
        .filter(|row| is_shown(row))
        .collect();
    let mut svg = String::new();
    let height = HEAD + ROW * rows.len() as u32 + FOOT;
    let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
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
    let machine = &figures.machine;
    let caption = format!(
        "envoy-original-dst {}, Envoy {}, one worker, {}, Linux {}; \
         CPU time: median of {} rounds of {} connections, 95 % interval; {}",
        machine.module_version,
        machine.envoy_version,
        machine.processor,
        machine.kernel,
        figures.rounds,
        figures.connections_per_round,
        machine.date,
    );
    let (width, height) = root.dim_in_pixel();
    let (x, y) = (width as i32 / 2, height as i32 - 16);
    root.draw(&Text::new(caption, (x, y), text(13, HPos::Center)))?;
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
        let (end, y) = chart.backend_coord(&(value, middle));
        let number = thousands(value);
        area.draw(&Text::new(number, (end + 6, y), text(14, HPos::Left)))?;
        area.draw(&Text::new(
            row.name,
            (LEFT as i32 - 10, y),
            text(14, HPos::Right),
        ))?;
    }
    Ok(())
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
    let parity = [(1.0, 0.0), (1.0, rows.len() as f64)];
    chart.draw_series([PathElement::new(parity, INK)])?;
    for (row, y) in rows.iter().zip(0..) {
        let (middle, ratio, colour) = (f64::from(y) + 0.5, row.cpu_ratio_to_built_in, colour(row));
        if ratio.low < low || ratio.high > high {
            let number = format!("{:.2}", ratio.median);
            chart.draw_series([Text::new(number, (low, middle), text(14, HPos::Left))])?;
            continue;
        }
        let interval = [(ratio.low, middle), (ratio.high, middle)];
        chart.draw_series([PathElement::new(interval, colour.stroke_width(3))])?;
        chart.draw_series([Circle::new((ratio.median, middle), 5, colour.filled())])?;
    }
    Ok(())
}

/// A chart with room for so many rows, from the top down.
fn chart<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    left: u32,
    x: Range<f64>,
    rows: usize,
) -> Result<Chart<'a, 'b>, Box<dyn Error>> {
    let chart = ChartBuilder::on(area)
        .caption(title, text(17, HPos::Center))
        .margin_top(14)
        .margin_left(left)
        .margin_right(20)
        .margin_bottom(FOOT - AXIS)
        .x_label_area_size(AXIS)
        .build_cartesian_2d(x, rows as f64..0.0)?;
    Ok(chart)
}

fn mesh(chart: &mut Chart<'_, '_>, lines: usize, label: &dyn Fn(&f64) -> String) -> Drawn {
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(lines)
        .x_label_formatter(&label)
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(FAINT)
        .x_label_style(text(13, HPos::Center))
        .draw()?;
    Ok(())
}

fn colour(row: &Row) -> RGBColor {
    match row.subject {
        Subject::Module | Subject::FewRules | Subject::ManyRules | Subject::Refused => OURS,
        _ => OTHERS,
    }
}

/// Centred on its line.
fn text(size: u32, horizontal: HPos) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(&INK)
        .pos(Pos::new(horizontal, VPos::Center))
}

fn thousands(value: f64) -> String {
    let number = value.round() as u64;
    match number / 1000 {
        0 => number.to_string(),
        whole => format!("{whole},{:03}", number % 1000),
    }
}
