//! `skyweave report --compare A B`: two reports side by side.

use super::charts::{self, BLUE, Line, ORANGE, number};
use super::page::{Entry, Page, back, digits, line_legend, share, text};
use super::{Content, FIGURES, PAGE, prepare};
use anyhow::{Context, Result};
use serde::Serialize;
use skyweave_world::study::{CaseFinding, CurvePoint, Totals, map_cells};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// What `compare.json` holds.
#[derive(Serialize)]
struct Both<'a> {
    a: Side<'a>,
    b: Side<'a>,
}

#[derive(Serialize)]
struct Side<'a> {
    report: String,
    title: &'a str,
    totals: &'a Totals,
    knee_terminals: Option<u64>,
}

/// Reads both, writes the page and the figures.
pub(crate) fn compare(a: &Path, b: &Path, out: &Path, json: bool) -> Result<ExitCode> {
    let contents = [read(a)?, read(b)?];
    prepare(out)?;
    let [a, b] = [side(a, &contents[0]), side(b, &contents[1])];
    let page = page([&a.report, &b.report], [&contents[0], &contents[1]])?;
    let both = Both { a, b };
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    write(PAGE, page.as_bytes())?;
    write(
        "compare.json",
        serde_json::to_string_pretty(&both)?.as_bytes(),
    )?;
    let mut stdout = std::io::stdout().lock();
    match json {
        true => writeln!(stdout, "{}", serde_json::to_string(&both)?)?,
        false => {
            for (name, [a, b], unit) in figures([&contents[0], &contents[1]]) {
                writeln!(
                    stdout,
                    "{name:<40} {:>12} {:>12} {unit}",
                    number(a),
                    number(b)
                )?;
            }
            writeln!(stdout, "\n{}", out.join(PAGE).display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(folder: &Path) -> Result<Content> {
    let path = folder.join(FIGURES);
    let bytes = std::fs::read(&path).with_context(|| {
        format!(
            "{} is no report: expected a folder that `skyweave report --out` has written, with {FIGURES} in it",
            folder.display()
        )
    })?;
    serde_json::from_slice(&bytes).with_context(|| {
        format!(
            "{} was not written by this version of skyweave",
            path.display()
        )
    })
}

fn side<'a>(folder: &Path, content: &'a Content) -> Side<'a> {
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    Side {
        report: name.to_string_lossy().into_owned(),
        title: &content.title,
        totals: &content.findings.totals,
        knee_terminals: content.findings.knee.as_ref().map(|k| k.terminals),
    }
}

type Figure = (&'static str, [f64; 2], &'static str);

fn figures(contents: [&Content; 2]) -> Vec<Figure> {
    let of = |value: &dyn Fn(&Totals) -> f64| contents.map(|c| value(&c.findings.totals));
    let knee = contents.map(|c| {
        c.findings
            .knee
            .as_ref()
            .map_or(f64::NAN, |k| k.terminals as f64)
    });
    let mut all: Vec<Figure> = vec![
        ("terminals", of(&|t| t.terminals as f64), ""),
        ("asked by each", of(&|t| t.asked_mbps), "Mbit/s"),
        ("terminals served", of(&|t| t.availability_percent), "%"),
        ("rate of a terminal, mean", of(&|t| t.rate_mbps), "Mbit/s"),
        (
            "rate, worst 5 %",
            of(&|t| t.rate_worst_5_percent_mbps),
            "Mbit/s",
        ),
        (
            "rate, best 5 %",
            of(&|t| t.rate_best_5_percent_mbps),
            "Mbit/s",
        ),
        ("delivered, mean", of(&|t| t.delivered_gbps), "Gbit/s"),
        ("most it can deliver", of(&|t| t.capacity_gbps), "Gbit/s"),
        ("round trip, mean", of(&|t| t.round_trip_ms), "ms"),
        ("traffic over lasers", of(&|t| t.lasers_percent), "%"),
        (
            "cells never served",
            of(&|t| t.cells_never_served as f64),
            "",
        ),
    ];
    if knee.iter().all(|k| k.is_finite()) {
        all.push(("knee", knee, "terminals"));
    }
    all
}

fn page(names: [&str; 2], contents: [&Content; 2]) -> Result<String> {
    let mut page = Page::new(&format!("{} beside {}", names[0], names[1]));
    let line = format!(
        "A: {} ({}), from {}. B: {} ({}), from {}.",
        names[0],
        contents[0].title,
        contents[0].findings.first_plan,
        names[1],
        contents[1].title,
        contents[1].findings.first_plan,
    );
    page.title("Two national plans", "A beside B", &line);
    let row = |(name, [a, b], unit): Figure| {
        let more = match a {
            0.0 => "-".to_owned(),
            a => share(100.0 * (b - a) / a),
        };
        vec![
            text(name),
            digits(a),
            digits(b),
            Entry::Number(more),
            text(unit),
        ]
    };
    page.table(
        &["", "A", "B", "B more than A", "unit"],
        figures(contents).into_iter().map(row).collect(),
    );
    page.section("Capacity against number of terminals", "curve");
    let points = |c: &Content, y: &dyn Fn(&CurvePoint) -> f64| {
        let points = c.findings.curve.iter();
        points
            .map(|p| (p.terminals as f64, y(p)))
            .collect::<Vec<_>>()
    };
    let lines = |y: &dyn Fn(&CurvePoint) -> f64| {
        [("A", BLUE, contents[0]), ("B", ORANGE, contents[1])].map(|(name, colour, c)| Line {
            name,
            colour,
            points: points(c, y),
        })
    };
    let (capacity, rate) = (lines(&|p| p.delivered_gbps), lines(&|p| p.rate_mbps));
    page.row(|page| {
        let svg = charts::by_terminals(&capacity, "Gbit/s delivered", None)?;
        page.figure(
            "Delivered",
            &svg,
            &line_legend(&capacity),
            "The higher line carries more.",
        );
        let svg = charts::by_terminals(&rate, "Mbit/s each", None)?;
        page.figure(
            "Each terminal",
            &svg,
            &line_legend(&rate),
            "What each gets.",
        );
        Ok(())
    })?;
    page.section("By cell", "cells");
    for (title, unit) in [("Rate of a terminal", "Mbit/s"), ("Round trip", "ms")] {
        page.row(|page| {
            for (name, content) in ["A", "B"].into_iter().zip(contents) {
                let f = &content.findings;
                let cells = map_cells(&f.cells, 4_000);
                let title = format!("{name}: {title}");
                page.map(
                    f,
                    &cells,
                    &title,
                    unit,
                    "Each map has classes of its own.",
                    |c| match unit {
                        "ms" => c.round_trip_ms,
                        _ => c.rate_mbps,
                    },
                )?;
            }
            Ok(())
        })?;
    }
    page.section("What breaks it", "losses");
    for (name, content) in ["A", "B"].into_iter().zip(contents) {
        page.sub(name);
        let row = |l: &CaseFinding| {
            vec![
                text(l.name.clone()),
                digits(l.terminals_lost),
                digits(l.capacity_lost_percent),
                text(back(l)),
            ]
        };
        page.table(
            &[
                "what is lost",
                "terminals cut off",
                "capacity, %",
                "how fast service returns",
            ],
            content.findings.losses.iter().take(10).map(row).collect(),
        );
    }
    Ok(page.finish())
}
