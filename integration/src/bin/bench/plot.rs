//! The figures as pictures, on white so that they can be read on a dark page too.

pub mod end_to_end;
pub mod instructions;

use std::error::Error;
use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::estimate::Estimate;
use crate::machine::Machine;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn Error>>;

const WIDTH: u32 = 1120;
const HEAD: u32 = 66;
const FOOT: u32 = 64;
/// For the numbers along the axis, a part of the foot.
const AXIS: u32 = 24;
const ROW: u32 = 34;

const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const FAINT: RGBColor = RGBColor(0xd0, 0xd7, 0xde);
const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xeb);
const OTHERS: RGBColor = RGBColor(0x8c, 0x95, 0x9f);

/// Of a chart with so many rows.
fn height_of(rows: usize) -> u32 {
    HEAD + ROW * rows as u32 + FOOT
}

/// Below all: of what, where and when the figures are.
fn caption(root: &Area, machine: &Machine, what: &str) -> Drawn {
    let caption = format!(
        "envoy-original-dst {}, Envoy {}, {}, Linux {}; {what}; {}",
        machine.module_version,
        machine.envoy_version,
        machine.processor,
        machine.kernel,
        machine.date,
    );
    let (width, height) = root.dim_in_pixel();
    let (x, y) = (width as i32 / 2, height as i32 - 16);
    root.draw(&Text::new(caption, (x, y), text(13, HPos::Center)))?;
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

/// The names of the rows, left of a chart.
fn names<'a>(chart: &mut Chart, names: impl IntoIterator<Item = &'a str>) -> Drawn {
    let left = chart.x_range().start;
    for (name, row) in names.into_iter().zip(0..) {
        let style = text(14, HPos::Right);
        beside(
            chart,
            (left, f64::from(row) + 0.5),
            -10,
            name.to_owned(),
            style,
        )?;
    }
    Ok(())
}

/// A text so many pixels beside a point of a chart.
fn beside(
    chart: &mut Chart,
    point: (f64, f64),
    pixels: i32,
    words: String,
    style: TextStyle,
) -> Drawn {
    let words = Text::new(words, (pixels, 0), style);
    chart.draw_series([EmptyElement::at(point) + words])?;
    Ok(())
}

/// The line of what is as much as the built-in filter's.
fn parity(chart: &mut Chart, rows: usize) -> Drawn {
    let line = [(1.0, 0.0), (1.0, rows as f64)];
    chart.draw_series([PathElement::new(line, INK)])?;
    Ok(())
}

/// A median with its interval.
fn interval(chart: &mut Chart, ratio: Estimate, y: f64, colour: RGBColor) -> Drawn {
    let ends = [(ratio.low, y), (ratio.high, y)];
    chart.draw_series([PathElement::new(ends, colour.stroke_width(3))])?;
    chart.draw_series([Circle::new((ratio.median, y), 5, colour.filled())])?;
    Ok(())
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
