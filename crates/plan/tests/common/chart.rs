//! Line charts of examples as SVG, by the library `plotters`.

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use std::ops::Range;

/// Of M. Okabe and K. Ito's palette (2008): told apart by the colour-blind.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(0, 0, 0),
];

/// Both axes.
#[derive(Clone, Copy)]
#[allow(dead_code)] // Each example uses one.
pub(crate) enum Scale {
    Linear,
    Logarithmic,
}

pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: (&'a str, Range<f64>),
    pub(crate) y: (&'a str, Range<f64>),
    pub(crate) scale: Scale,
    /// A name, and points.
    pub(crate) lines: &'a [(String, Vec<(f64, f64)>)],
}

/// The chart's text.
pub(crate) fn lines(chart: &Chart<'_>) -> String {
    let (x, y) = (chart.x.1.clone(), chart.y.1.clone());
    match chart.scale {
        Scale::Linear => draw(chart, x, y),
        Scale::Logarithmic => draw(chart, x.log_scale(), y.log_scale()),
    }
}

fn draw<X, Y>(chart: &Chart<'_>, x: X, y: Y) -> String
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, (760, 440)).into_drawing_area();
    area.fill(&WHITE).expect("text grows");
    let mut plot = ChartBuilder::on(&area)
        .caption(chart.title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)
        .expect("the ranges are not empty");
    let label = |v: &f64| match *v {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e3 => format!("{}k", v / 1e3),
        v => format!("{v}"),
    };
    plot.configure_mesh()
        .x_desc(chart.x.0)
        .y_desc(chart.y.0)
        .x_label_formatter(&label)
        .y_label_formatter(&label)
        .label_style(("sans-serif", 15))
        .light_line_style(TRANSPARENT)
        .draw()
        .expect("text grows");
    for ((name, points), colour) in chart.lines.iter().zip(COLOURS.into_iter().cycle()) {
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
        plot.draw_series(line)
            .expect("text grows")
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    plot.configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(RGBColor(210, 210, 210))
        .label_font(("sans-serif", 15))
        .draw()
        .expect("text grows");
    area.present().expect("text grows");
    drop(plot);
    drop(area);
    text
}
