//! Charts and maps as SVG, by the library `plotters`. Colours can be told apart by the colour-blind and in grey.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use skyweave_world::study::{Landmark, MapCell};

/// Classes of maps, low to high: five of viridis (S. van der Walt and N. Smith, 2015), even in lightness.
pub(crate) const CLASSES: [RGBColor; 5] = [
    RGBColor(68, 1, 84),
    RGBColor(59, 82, 139),
    RGBColor(33, 145, 140),
    RGBColor(94, 201, 98),
    RGBColor(253, 231, 37),
];
/// Cells without a value.
pub(crate) const NO_VALUE: RGBColor = RGBColor(222, 222, 222);
/// Of M. Okabe and K. Ito's palette (2008): blue, vermillion, green.
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(crate) const ORANGE: RGBColor = RGBColor(213, 94, 0);
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
const INK: RGBColor = RGBColor(34, 34, 34);
const FAINT: RGBColor = RGBColor(210, 210, 210);
/// At this width the text is still readable when a phone shows the chart at 360 points.
const WIDTH: u32 = 560;
const TEXT: i32 = 17;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn svg(height: u32, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        draw(&area)?;
        area.present()?;
    }
    Ok(text)
}

/// Five classes of the values on a map, from the least to the greatest, with round limits. One class if all are alike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Classes {
    /// Lower limits, ascending; the first is below every value.
    pub(crate) limits: Vec<f64>,
    pub(crate) most: f64,
}

impl Classes {
    /// Classes that hold about equally many values each.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (values.first(), values.last()) else {
            return Self {
                limits: vec![0.0],
                most: 0.0,
            };
        };
        // Differences of under 2 % are no reason for another colour.
        if most - least <= 0.02 * most.abs() {
            return Self {
                limits: vec![least],
                most,
            };
        }
        let step = round_step((most - least) / 20.0);
        let down = |x: f64| (x / step).floor() * step;
        let quantile = |i: usize| down(values[i * (values.len() - 1) / CLASSES.len()]);
        let mut limits: Vec<f64> = (0..CLASSES.len()).map(quantile).collect();
        limits.dedup_by(|a, b| *a - *b < step / 2.0);
        Self { limits, most }
    }

    fn class(&self, value: f64) -> usize {
        let upto = self.limits.partition_point(|l| *l <= value + 1e-9);
        upto.saturating_sub(1)
    }

    /// The colour of a class.
    pub(crate) fn colour(&self, class: usize) -> RGBColor {
        match self.limits.len() {
            1 => CLASSES[2],
            n => CLASSES[class * (CLASSES.len() - 1) / (n - 1)],
        }
    }
}

/// 1, 2 or 5 times a power of ten, at most `x`; at least a thousandth.
fn round_step(x: f64) -> f64 {
    let power = 10_f64.powf(x.max(1e-3).log10().floor());
    let times = [5.0, 2.0, 1.0]
        .into_iter()
        .find(|t| t * power <= x.max(1e-3));
    power * times.unwrap_or(1.0)
}

/// A map: polygons with values, cities, and sites as triangles.
pub(crate) fn map(
    cells: &[MapCell],
    value: impl Fn(&MapCell) -> Option<f64>,
    classes: &Classes,
    cities: &[Landmark],
    sites: &[(f64, f64)],
) -> Result<String> {
    let corners = || cells.iter().flat_map(|c| &c.outline);
    let cut = cut_longitude(corners().map(|c| c.0));
    let lon = |x: f64| cut + (x - cut).rem_euclid(360.0);
    let bounds = corners().fold((f64::MAX, f64::MIN, f64::MAX, f64::MIN), |b, &(x, y)| {
        (b.0.min(lon(x)), b.1.max(lon(x)), b.2.min(y), b.3.max(y))
    });
    let (west, east, south, north) = bounds;
    // Equirectangular, true to scale at the middle latitude.
    let shrink = ((south + north) / 2.0).to_radians().cos().max(0.05);
    let (across, up) = (
        ((east - west) * shrink).max(1e-6),
        (north - south).max(1e-6),
    );
    let height = (f64::from(WIDTH) * up / across).clamp(200.0, 720.0);
    // Where the height is bound, the map keeps its shape in the middle.
    let scale = (f64::from(WIDTH - 10) / across).min((height - 10.0) / up);
    let middle = (west + east) / 2.0;
    let at = |x: f64, y: f64| {
        let px = f64::from(WIDTH) / 2.0 + (lon(x) - middle) * shrink * scale;
        let py = height / 2.0 - (y - (south + north) / 2.0) * scale;
        (px.round() as i32, py.round() as i32)
    };
    svg(height as u32, |area| {
        for cell in cells {
            let colour = value(cell).map_or(NO_VALUE, |v| classes.colour(classes.class(v)));
            // A cell's corners lie together: those of one polygon must not be torn apart at the cut.
            let first = cell.outline.first().map_or(0.0, |c| c.0);
            let shift = lon(first) - first;
            let points: Vec<(i32, i32)> = cell
                .outline
                .iter()
                .map(|&(x, y)| {
                    let px = f64::from(WIDTH) / 2.0 + (x + shift - middle) * shrink * scale;
                    (px.round() as i32, at(x, y).1)
                })
                .collect();
            area.draw(&Polygon::new(points, colour.filled()))?;
        }
        for &(x, y) in sites {
            let (x, y) = at(x, y);
            if (0..WIDTH as i32).contains(&x) && (0..height as i32).contains(&y) {
                area.draw(&TriangleMarker::new((x, y), 8, WHITE.filled()))?;
                area.draw(&TriangleMarker::new((x, y), 6, ORANGE.filled()))?;
            }
        }
        let mut taken: Vec<(i32, i32, i32)> = Vec::new();
        for city in cities {
            let (x, y) = at(city.lon_deg, city.lat_deg);
            let left = x > WIDTH as i32 - 110;
            // About what a letter takes of a sans-serif of this size.
            let width = city.name.chars().count() as i32 * TEXT * 11 / 20 + 10;
            let (from, to) = if left {
                (x - width, x + 7)
            } else {
                (x - 7, x + width)
            };
            // Names that would lie on each other are left out: the largest cities come first.
            let hidden =
                |&(a, b, row): &(i32, i32, i32)| a < to && from < b && (row - y).abs() < TEXT + 3;
            if taken.iter().any(hidden) {
                continue;
            }
            taken.push((from, to, y));
            area.draw(&Circle::new((x, y), 4, WHITE.filled()))?;
            area.draw(&Circle::new((x, y), 3, INK.filled()))?;
            let label = (if left { x - 7 } else { x + 7 }, y - 9);
            use plotters::style::text_anchor::{HPos, Pos, VPos};
            let side = if left { HPos::Right } else { HPos::Left };
            let style = ("sans-serif", TEXT).into_font().color(&INK);
            let style = style.pos(Pos::new(side, VPos::Top));
            area.draw(&Text::new(city.name.clone(), label, style))?;
        }
        Ok(())
    })
}

/// The longitude at which the widest gap without any of these ends.
fn cut_longitude(longitudes: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = longitudes.map(|x| x.rem_euclid(360.0)).collect();
    all.sort_by(f64::total_cmp);
    let (Some(&first), Some(&last)) = (all.first(), all.last()) else {
        return -180.0;
    };
    let around = (first + 360.0 - last, first);
    let gaps = all.windows(2).map(|w| (w[1] - w[0], w[1]));
    let widest = gaps.fold(around, |best, gap| if gap.0 > best.0 { gap } else { best });
    // Just before it, for the rounding; and as people write longitudes.
    let cut = widest.1 - 1e-6;
    if cut > 180.0 { cut - 360.0 } else { cut }
}

/// A line of a chart: its name, colour and points.
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) colour: RGBColor,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Lines over the hours of a day.
pub(crate) fn by_hour(lines: &[Line<'_>], y_label: &str) -> Result<String> {
    let most = top(lines);
    svg(300, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(16)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..23.0, 0.0..most)?;
        let axis = Axis {
            name: "hour of the day, UTC",
            labels: 8,
            written: &|x| format!("{x:.0}"),
        };
        draw_lines(&mut chart, &axis, y_label, lines, 3)
    })
}

/// Lines over a number of terminals on a logarithmic axis, with a mark where `knee` is.
pub(crate) fn by_terminals(
    lines: &[Line<'_>],
    y_label: &str,
    knee: Option<(f64, f64)>,
) -> Result<String> {
    let most = top(lines);
    let xs = || lines.iter().flat_map(|l| &l.points).map(|p| p.0);
    let (left, right) = (xs().fold(f64::MAX, f64::min), xs().fold(1.0, f64::max));
    svg(340, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(30)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d((left.min(right / 2.0)..right).log_scale(), 0.0..most)?;
        let axis = Axis {
            name: "number of terminals",
            labels: 5,
            written: &|x| number(*x),
        };
        draw_lines(&mut chart, &axis, y_label, lines, 4)?;
        if let Some((x, y)) = knee {
            chart.draw_series([Circle::new((x, y), 9, ORANGE.stroke_width(3))])?;
            let style = ("sans-serif", TEXT).into_font().color(&ORANGE);
            use plotters::style::text_anchor::{HPos, Pos, VPos};
            let style = style.pos(Pos::new(HPos::Right, VPos::Bottom));
            let label = EmptyElement::at((x, y)) + Text::new("knee", (-10, -8), style);
            chart.draw_series([label])?;
        }
        Ok(())
    })
}

/// What stands along the horizontal axis.
struct Axis<'a> {
    name: &'a str,
    labels: usize,
    written: &'a dyn Fn(&f64) -> String,
}

/// The axes of a chart and its lines, with dots of this radius at their points.
fn draw_lines<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    axis: &Axis<'_>,
    y_label: &str,
    lines: &[Line<'_>],
    dot: i32,
) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc(axis.name)
        .y_desc(y_label)
        .x_labels(axis.labels)
        .x_label_formatter(axis.written)
        .y_label_formatter(&|y| number(*y))
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style(("sans-serif", TEXT - 2).into_font().color(&INK))
        .axis_desc_style(("sans-serif", TEXT).into_font().color(&INK))
        .draw()?;
    for line in lines {
        let style = line.colour.stroke_width(3);
        chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
        let dots = line.points.iter();
        chart.draw_series(dots.map(|&p| Circle::new(p, dot, line.colour.filled())))?;
    }
    Ok(())
}

/// Horizontal bars with their names above them, so that long names are whole on a phone too.
pub(crate) fn bars(rows: &[(String, f64)], unit: &str, colour: RGBColor) -> Result<String> {
    const ROW: i32 = 44;
    let most = rows.iter().map(|r| r.1.abs()).fold(1e-9, f64::max);
    svg((rows.len() as i32 * ROW + 8).max(60) as u32, |area| {
        for (i, (name, value)) in (0..).zip(rows) {
            let y = i * ROW;
            let style = ("sans-serif", TEXT).into_font().color(&INK);
            area.draw(&Text::new(name.clone(), (4, y + 2), style.clone()))?;
            let length = (value.abs() / most * 440.0).round() as i32;
            let bar = Rectangle::new([(4, y + 23), (4 + length.max(1), y + 37)], colour.filled());
            area.draw(&bar)?;
            let text = format!("{} {unit}", number(*value));
            area.draw(&Text::new(text, (length + 12, y + 21), style))?;
        }
        Ok(())
    })
}

fn top(lines: &[Line<'_>]) -> f64 {
    let ys = lines.iter().flat_map(|l| &l.points).map(|p| p.1);
    ys.fold(1e-3, f64::max) * 1.1
}

/// A number as people read it: thousands apart, no more digits than matter.
pub(crate) fn number(x: f64) -> String {
    let digits = match x.abs() {
        a if a >= 100.0 || a.fract() == 0.0 => 0,
        a if a >= 10.0 => 1,
        a if a >= 1.0 => 2,
        a if a < 0.000_5 => 0,
        _ => 3,
    };
    let text = format!("{:.digits$}", x.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = crate::commands::summary::thousands(whole.parse().unwrap_or(0));
    let fraction = fraction.trim_end_matches('0');
    let sign = if x < 0.0 && !text.trim_matches(['0', '.']).is_empty() {
        "−"
    } else {
        ""
    };
    match fraction {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let written = [
            (0.0, "0"),
            (1_234_567.0, "1,234,567"),
            (123.4, "123"),
            (12.34, "12.3"),
            (1.5, "1.5"),
            (0.1234, "0.123"),
            (-2.5, "−2.5"),
            (-0.000_01, "0"),
        ];
        for (x, text) in written {
            assert_eq!(number(x), text);
        }
    }

    #[test]
    fn classes_hold_every_value_and_one_is_enough_for_one_value() {
        let classes = Classes::of((0..1_000).map(|i| f64::from(i) / 10.0));
        assert_eq!(classes.limits.len(), CLASSES.len());
        assert!(classes.limits[0] <= 0.0 && classes.limits.is_sorted());
        for class in 0..CLASSES.len() {
            let inside = (0..1_000).filter(|i| classes.class(f64::from(*i) / 10.0) == class);
            assert!((100..=300).contains(&inside.count()), "{classes:?}");
        }
        let alike = Classes::of([100.0; 7].into_iter());
        assert_eq!((alike.limits.len(), alike.class(100.0)), (1, 0));
        assert_eq!(Classes::of([].into_iter()).class(3.0), 0);
    }

    #[test]
    fn a_map_across_the_antimeridian_is_cut_elsewhere() {
        let cut = cut_longitude([178.0, 179.5, -179.0, -177.0].into_iter());
        assert!((cut - 178.0).abs() < 1e-3, "{cut}");
        let cut = cut_longitude([22.0, 30.0, 40.0].into_iter());
        assert!((cut - 22.0).abs() < 1e-3, "{cut}");
    }

    #[test]
    fn charts_are_whole_svg_documents() {
        let line = Line {
            name: "a",
            colour: BLUE,
            points: vec![(1_000.0, 1.0), (1_000_000.0, 2.0)],
        };
        let lines = [line];
        let one_point = [Line {
            name: "b",
            colour: BLUE,
            points: vec![(5.0, 0.0)],
        }];
        for svg in [
            by_terminals(&lines, "y", Some((1_000.0, 1.0))).unwrap(),
            by_terminals(&one_point, "y", None).unwrap(),
            by_hour(&one_point, "y").unwrap(),
            bars(&[("a".to_owned(), 1.0), ("b".to_owned(), -1.0)], "%", GREEN).unwrap(),
            bars(&[], "%", GREEN).unwrap(),
        ] {
            assert!(svg.trim_start().starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
