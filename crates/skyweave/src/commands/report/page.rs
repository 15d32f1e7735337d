//! The report as one HTML page that needs nothing else: charts are inside it, nothing is loaded from anywhere. Plain words first,
//! tables for the engineer after them.

use super::Content;
use super::charts::{self, BLUE, Classes, GREEN, Line, NO_VALUE, ORANGE, number};
use crate::commands::summary::thousands;
use anyhow::Result;
use core::fmt::Write as _;
use plotters::style::RGBColor;
use skyweave_world::World;
use skyweave_world::study::{
    CaseFinding, CaseKind, CellFinding, Findings, MapCell, PLACED, PlacementFinding, WINDOW,
    map_cells,
};

/// More polygons than these are drawn together by parent cells: the page stays under some megabytes.
const MOST_POLYGONS: usize = 4_000;
/// Rows of tables in the page; all rows are in the Parquet files.
const ROWS: usize = 15;

/// The page.
pub(crate) fn page(content: &Content, world: &World) -> Result<String> {
    let f = &content.findings;
    let cells = map_cells(&f.cells, MOST_POLYGONS);
    let mut page = Page::new(&format!("{}: national plan", content.title));
    page.head(content);
    page.short(&in_short(content));
    page.tiles(f);
    page.served(f, &cells)?;
    page.curve(f)?;
    page.placements(f, &cells)?;
    page.latency(f, &cells)?;
    page.gateways(f, &cells, world)?;
    page.losses(f)?;
    page.unserved(f)?;
    page.infeasible(f);
    page.remedies(f)?;
    page.assumptions(content);
    Ok(page.finish())
}

/// What matters most, in sentences that stand alone.
pub(crate) fn in_short(content: &Content) -> Vec<String> {
    let f = &content.findings;
    let t = &f.totals;
    let mut all = Vec::new();
    all.push(format!(
        "{} of {} terminals are served in the mean ({}). A terminal gets {} of the {} Mbit/s that it asks{}; the 5 % with least get {}.",
        thousands((t.availability_percent / 100.0 * t.terminals as f64).round() as u64),
        thousands(t.terminals),
        share(t.availability_percent),
        number(t.rate_mbps),
        number(t.asked_mbps),
        match f.demand_by_hour {
            Some(_) => " in the mean of the time planned",
            None => "",
        },
        number(t.rate_worst_5_percent_mbps),
    ));
    if t.people_known && t.people == t.people_in_cells_with_terminals {
        all.push(format!(
            "All {} people live in cells with terminals.",
            millions(t.people)
        ));
    } else if t.people_known {
        all.push(format!(
            "All but {} of {} people live in cells with terminals; those are in cells too thinly settled for one of {} terminals.",
            thousands(t.people - t.people_in_cells_with_terminals),
            millions(t.people),
            thousands(t.terminals),
        ));
    }
    all.push(match &f.knee {
        Some(knee) => format!(
            "The network carries up to {} Gbit/s here. Beyond about {} terminals each further one adds less than half of what it asks: that is the knee.",
            number(t.capacity_gbps),
            thousands(knee.terminals),
        ),
        None => format!(
            "Up to {} terminals every further one still adds at least half of what it asks: there is no knee.",
            thousands(f.curve.last().map_or(0, |p| p.terminals)),
        ),
    });
    all.push(format!(
        "The round trip to the point of presence is {} ms in the mean; {} of the traffic goes over lasers.",
        number(t.round_trip_ms),
        share(t.lasers_percent),
    ));
    if let Some(name) = &f.bottleneck {
        let used = f.gateways.iter().find(|g| g.name == *name);
        all.push(format!(
            "The busiest gateway is {name}: {} of its capacity is used, by this area and all others around it.",
            share(used.map_or(0.0, |g| g.used_percent)),
        ));
    }
    let single = f.losses.iter().filter(|l| l.kind == CaseKind::Gateway);
    if let Some(worst) = single.max_by(|a, b| hurt(a).total_cmp(&hurt(b))) {
        let cut_off = match worst.terminals_lost.max(0.0).round() as u64 {
            0 => "no terminal loses service for longer than until the next plan, 15 s".to_owned(),
            n => format!(
                "{} terminals are cut off; all are served again {}",
                thousands(n),
                back(worst)
            ),
        };
        all.push(format!(
            "The worst single loss of a gateway ({}) takes {} of the capacity; {cut_off}.",
            worst.name,
            share(worst.capacity_lost_percent.max(0.0)),
        ));
    }
    all.push(match f.unserved.first() {
        None => "No cell was ever without service.".to_owned(),
        Some(reason) => format!(
            "{} of {} cells were without service at some time, {} at all times. The main reason: {}.",
            thousands(t.cells - t.cells_always_served),
            thousands(t.cells),
            thousands(t.cells_never_served),
            reason.words,
        ),
    });
    if let Some(best) = f.remedies.first().filter(|r| gain(r) > 0.05) {
        all.push(format!(
            "What would help most: {}, with {} more capacity.",
            best.name,
            share(gain(best)),
        ));
    }
    all
}

/// How much a loss hurts: terminals first, then capacity.
fn hurt(case: &CaseFinding) -> f64 {
    case.terminals_lost.max(0.0) * 1e3 + case.capacity_lost_percent
}

fn gain(case: &CaseFinding) -> f64 {
    -case.capacity_lost_percent
}

/// How fast service returns to all: the first plan that knows of the loss comes within 15 s.
pub(super) fn back(case: &CaseFinding) -> String {
    match case.plans_to_restore {
        Some(n) => format!("within {} s", 15 * (n + 1)),
        None => format!("not within {} s", 15 * WINDOW),
    }
}

fn instants(f: &Findings) -> String {
    match f.samples {
        1 => "one instant".to_owned(),
        n => format!("{n} instants"),
    }
}

pub(super) fn share(percent: f64) -> String {
    match percent {
        p if p > 99.95 && p < 100.0 => "over 99.9 %".to_owned(),
        p if p > 0.0 && p < 0.05 => "under 0.1 %".to_owned(),
        p => format!("{} %", number((p * 10.0).round() / 10.0)),
    }
}

fn millions(people: u64) -> String {
    match people {
        0..1_000_000 => thousands(people),
        n => format!("{} million", number((n as f64 / 1e5).round() / 10.0)),
    }
}

/// Mean over the members of a polygon by terminals.
fn mean(f: &Findings, cell: &MapCell, value: impl Fn(&CellFinding) -> Option<f64>) -> Option<f64> {
    let mut sum = (0.0, 0.0);
    for c in cell.cells.iter().map(|&i| &f.cells[i]) {
        if let Some(v) = value(c) {
            let weight = f64::from(c.terminals).max(1e-9);
            sum = (sum.0 + v * weight, sum.1 + weight);
        }
    }
    (sum.1 > 0.0).then(|| sum.0 / sum.1)
}

/// Text of HTML from any text.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// A cell of a table: text to the left, numbers to the right.
pub(super) enum Entry {
    Text(String),
    Number(String),
}

pub(super) fn text(text: impl Into<String>) -> Entry {
    Entry::Text(text.into())
}

pub(super) fn digits(x: f64) -> Entry {
    Entry::Number(number(x))
}

fn maybe(x: Option<f64>) -> Entry {
    Entry::Number(x.map_or("-".to_owned(), number))
}

pub(super) struct Page(String);

impl Page {
    pub(super) fn new(title: &str) -> Self {
        let title = escape(title);
        Self(format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body><main>\n"
        ))
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</main></body></html>\n");
        self.0
    }

    pub(super) fn section(&mut self, title: &str, id: &str) {
        let title = escape(title);
        let _ = writeln!(self.0, "<h2 id=\"{id}\">{title}</h2>");
    }

    pub(super) fn sub(&mut self, title: &str) {
        let _ = writeln!(self.0, "<h3>{}</h3>", escape(title));
    }

    /// A line under the title.
    pub(super) fn title(&mut self, kicker: &str, title: &str, line: &str) {
        let [kicker, title, line] = [kicker, title, line].map(escape);
        let _ = writeln!(
            self.0,
            "<header><p class=\"kicker\">{kicker}</p><h1>{title}</h1><p>{line}</p></header>"
        );
    }

    pub(super) fn p(&mut self, text: &str) {
        let _ = writeln!(self.0, "<p>{}</p>", escape(text));
    }

    /// Figures side by side where there is room.
    pub(super) fn row(&mut self, figures: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.0.push_str("<div class=\"row\">\n");
        figures(self)?;
        self.0.push_str("</div>\n");
        Ok(())
    }

    pub(super) fn figure(&mut self, title: &str, svg: &str, legend: &str, caption: &str) {
        let (title, caption) = (escape(title), escape(caption));
        let _ = writeln!(
            self.0,
            "<figure role=\"group\" aria-label=\"{title}\"><figcaption class=\"title\">{title}</figcaption>{svg}{legend}\
             <figcaption>{caption}</figcaption></figure>"
        );
    }

    /// A figure of bars in per cent, unless there are none.
    fn bars(
        &mut self,
        title: &str,
        rows: &[(String, f64)],
        colour: RGBColor,
        caption: &str,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let svg = charts::bars(rows, "%", colour)?;
        self.row(|page| {
            page.figure(title, &svg, "", caption);
            Ok(())
        })
    }

    pub(super) fn map(
        &mut self,
        f: &Findings,
        cells: &[MapCell],
        title: &str,
        unit: &str,
        caption: &str,
        value: impl Fn(&CellFinding) -> Option<f64>,
    ) -> Result<()> {
        let of = |cell: &MapCell| mean(f, cell, &value);
        let classes = Classes::of(cells.iter().filter_map(of));
        let sites: Vec<(f64, f64)> = f.gateways.iter().map(|g| (g.lon_deg, g.lat_deg)).collect();
        let svg = charts::map(cells, of, &classes, &f.landmarks, &sites)?;
        let none = cells.iter().any(|c| of(c).is_none());
        let legend = map_legend(&classes, unit, none);
        self.figure(
            title,
            &format!("<div class=\"map\">{svg}</div>"),
            &legend,
            caption,
        );
        Ok(())
    }

    pub(super) fn table(&mut self, columns: &[&str], rows: Vec<Vec<Entry>>) {
        self.0.push_str("<div class=\"wide\"><table><thead><tr>");
        let is_number = |i: usize| {
            rows.first()
                .and_then(|r| r.get(i))
                .is_some_and(|e| matches!(e, Entry::Number(_)))
        };
        for (i, column) in columns.iter().enumerate() {
            let class = if is_number(i) { " class=\"n\"" } else { "" };
            let _ = write!(self.0, "<th{class}>{}</th>", escape(column));
        }
        self.0.push_str("</tr></thead><tbody>\n");
        for row in rows {
            self.0.push_str("<tr>");
            for entry in row {
                let _ = match entry {
                    Entry::Text(t) if t.len() < 24 => {
                        write!(self.0, "<td class=\"short-text\">{}</td>", escape(&t))
                    }
                    Entry::Text(t) => write!(self.0, "<td>{}</td>", escape(&t)),
                    Entry::Number(t) => write!(self.0, "<td class=\"n\">{}</td>", escape(&t)),
                };
            }
            self.0.push_str("</tr>\n");
        }
        self.0.push_str("</tbody></table></div>\n");
    }

    fn head(&mut self, content: &Content) {
        let f = &content.findings;
        let line = format!(
            "{} terminals that ask {} Mbit/s each{}, from {} to {}, a plan each {} s ({} plans).",
            thousands(f.totals.terminals),
            number(f.totals.asked_most_mbps),
            match f.demand_by_hour {
                Some(_) => " in their busiest hour",
                None => "",
            },
            f.first_plan,
            f.last_plan_end,
            f.step_s,
            thousands(f.plans.into()),
        );
        self.title("National plan", &content.title, &line);
    }

    fn short(&mut self, sentences: &[String]) {
        self.0
            .push_str("<section class=\"short\"><h2>In short</h2><ul>\n");
        for sentence in sentences {
            let _ = writeln!(self.0, "<li>{}</li>", escape(sentence));
        }
        self.0.push_str("</ul></section>\n");
    }

    fn tiles(&mut self, f: &Findings) {
        let t = &f.totals;
        let knee = f.knee.as_ref();
        let tiles = [
            ("terminals served", share(t.availability_percent)),
            (
                "each terminal, mean",
                format!("{} Mbit/s", number(t.rate_mbps)),
            ),
            (
                "worst 5 %",
                format!("{} Mbit/s", number(t.rate_worst_5_percent_mbps)),
            ),
            (
                "best 5 %",
                format!("{} Mbit/s", number(t.rate_best_5_percent_mbps)),
            ),
            (
                "delivered, mean",
                format!("{} Gbit/s", number(t.delivered_gbps)),
            ),
            (
                "most it can deliver",
                format!("{} Gbit/s", number(t.capacity_gbps)),
            ),
            (
                "knee",
                knee.map_or("none".to_owned(), |k| thousands(k.terminals)),
            ),
            ("round trip", format!("{} ms", number(t.round_trip_ms))),
        ];
        self.0.push_str("<div class=\"tiles\">");
        for (label, value) in tiles {
            let _ = write!(
                self.0,
                "<div><b>{}</b><span>{label}</span></div>",
                escape(&value)
            );
        }
        self.0.push_str("</div>\n");
    }

    fn served(&mut self, f: &Findings, cells: &[MapCell]) -> Result<()> {
        let t = &f.totals;
        self.section("Who is served, and how well", "served");
        self.p(&format!(
            "A cell is a hexagon of about 250 km². It is served in a plan if a satellite has a beam for it and a way to the ground. {} of {} cells \
             with terminals were served in every plan.",
            thousands(t.cells_always_served),
            thousands(t.cells),
        ));
        self.row(|page| {
            page.map(
                f,
                cells,
                "Availability",
                "% of plans with service",
                "Where service is interrupted. Grey cells have people but no terminal; triangles are gateways.",
                |c| c.availability_percent,
            )?;
            page.map(
                f,
                cells,
                "Rate of a terminal",
                "Mbit/s, mean over the time planned",
                "Where terminals get less than they ask: crowded cells, or those that satellites and gateways reach least.",
                |c| c.rate_mbps,
            )
        })?;
        let line = |name, colour, y: &dyn Fn(&skyweave_world::study::HourFinding) -> f64| Line {
            name,
            colour,
            points: f
                .hours
                .iter()
                .map(|h| (f64::from(h.hour_utc), y(h)))
                .collect(),
        };
        let loads = [
            line("asked", ORANGE, &|h| h.demand_gbps),
            line("delivered", BLUE, &|h| h.delivered_gbps),
        ];
        let rates = [
            line("mean", BLUE, &|h| h.rate_mbps),
            line("worst 5 %", ORANGE, &|h| h.rate_worst_5_percent_mbps),
            line("best 5 %", GREEN, &|h| h.rate_best_5_percent_mbps),
        ];
        let availability = [line("served", BLUE, &|h| h.availability_percent)];
        if f.hours.len() > 1 {
            self.row(|page| {
                page.figure(
                    "Rate by hour",
                    &charts::by_hour(&rates, "Mbit/s each terminal")?,
                    &line_legend(&rates),
                    match f.demand_by_hour {
                        Some(_) => "Few ask much at night, so that a terminal's rate follows what it asks; where the network is full it falls short of that.",
                        None => "What changes with time is the sky alone: the demand is that of the busiest hour, at every hour.",
                    },
                );
                page.figure(
                    "Terminals served by hour",
                    &charts::by_hour(&availability, "% of terminals")?,
                    &line_legend(&availability),
                    "A dip is an hour in which satellites stand badly.",
                );
                page.figure(
                    "Asked and delivered by hour",
                    &charts::by_hour(&loads, "Gbit/s")?,
                    &line_legend(&loads),
                    "What is between the lines is asked and not delivered.",
                );
                Ok(())
            })?;
        }
        let mut with: Vec<&CellFinding> = f.cells.iter().filter(|c| c.terminals > 0).collect();
        let worth = |c: &CellFinding| {
            (
                c.availability_percent.unwrap_or(0.0),
                c.rate_mbps.unwrap_or(0.0),
            )
        };
        with.sort_by(|a, b| {
            let (a, b) = (worth(a), worth(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        // As on the map: differences of under 2 % are none.
        let same = |c: &&CellFinding| {
            let (a, b) = (worth(c), worth(with[0]));
            a.0 == b.0 && (a.1 - b.1).abs() <= 0.02 * b.1
        };
        if with.iter().all(same) {
            self.p("No cell is better or worse off than another.");
            return Ok(());
        }
        let tail = with.len().div_ceil(20);
        let tails = [
            ("worst", &with[..tail]),
            ("best", &with[with.len() - tail..]),
        ];
        for (which, cells) in tails {
            self.sub(&format!(
                "The {which} 5 % of cells ({})",
                thousands(tail as u64)
            ));
            let n = cells.len().max(1) as f64;
            let availability: f64 = cells.iter().map(|c| worth(c).0).sum();
            let rate: f64 = cells.iter().map(|c| worth(c).1).sum();
            self.p(&format!(
                "Served in {} of plans, {} Mbit/s each terminal, in the mean of these cells.",
                share(availability / n),
                number(rate / n),
            ));
            if which == "worst" {
                self.table(
                    &[
                        "cell",
                        "at",
                        "terminals",
                        "served, %",
                        "Mbit/s",
                        "plans without",
                        "reason",
                    ],
                    cells.iter().take(ROWS).map(|c| cell_row(c)).collect(),
                );
            }
        }
        Ok(())
    }

    fn curve(&mut self, f: &Findings) -> Result<()> {
        self.section("How many terminals the network carries", "curve");
        let points = |y: &dyn Fn(&skyweave_world::study::CurvePoint) -> f64| {
            f.curve
                .iter()
                .map(|p| (p.terminals as f64, y(p)))
                .collect::<Vec<_>>()
        };
        let capacity = [Line {
            name: "delivered",
            colour: BLUE,
            points: points(&|p| p.delivered_gbps),
        }];
        let rate = [Line {
            name: "each terminal",
            colour: GREEN,
            points: points(&|p| p.rate_mbps),
        }];
        let knee = f
            .knee
            .as_ref()
            .map(|k| (k.terminals as f64, k.delivered_gbps));
        let knee_rate = f.knee.as_ref().and_then(|k| {
            let point = f.curve.iter().find(|p| p.terminals == k.terminals)?;
            Some((point.terminals as f64, point.rate_mbps))
        });
        self.p(match &f.knee {
            Some(_) => "The knee is the last number of terminals of the curve before a further terminal adds less than half of what it asks. Left \
                        of it more terminals mean more service; right of it they mostly share what there is.",
            None => "The knee would be where a further terminal adds less than half of what it asks. The curve has none up to its end.",
        });
        self.row(|page| {
            page.figure(
                "Capacity against number of terminals",
                &charts::by_terminals(&capacity, "Gbit/s delivered", knee)?,
                "",
                &format!(
                    "Mean of {} of the time planned. Where the line bends the sky over the area, or its way to the ground, is full.",
                    instants(f)
                ),
            );
            page.figure(
                "Rate of a terminal against their number",
                &charts::by_terminals(&rate, "Mbit/s each", knee_rate)?,
                "",
                "What is promised to each terminal when there are so many.",
            );
            Ok(())
        })?;
        let row = |p: &skyweave_world::study::CurvePoint| {
            vec![
                Entry::Number(thousands(p.terminals)),
                digits(p.demand_gbps),
                digits(p.delivered_gbps),
                digits(p.rate_mbps),
                digits(p.availability_percent),
                text(if p.is_scenario { "this plan" } else { "" }),
            ]
        };
        self.table(
            &[
                "terminals",
                "asked, Gbit/s",
                "delivered, Gbit/s",
                "each, Mbit/s",
                "served, %",
                "",
            ],
            f.curve.iter().map(row).collect(),
        );
        Ok(())
    }

    fn placements(&mut self, f: &Findings, cells: &[MapCell]) -> Result<()> {
        let title = format!("Where to put the next {} terminals", thousands(PLACED));
        self.section(&title, "next");
        self.p(
            "By need: where people have fewest terminals, until everybody has the same share. By capacity: where the network has most left when \
             everybody asks. Each is planned again with the new terminals in place.",
        );
        let how = |p: &PlacementFinding| match p.kind {
            CaseKind::PlacedByNeed => "By need",
            _ => "By capacity",
        };
        self.row(|page| {
            for p in &f.placements {
                let placed = |c: &CellFinding| {
                    let found = p.cells.iter().find(|placed| placed.cell == c.cell);
                    found.map(|placed| f64::from(placed.terminals))
                };
                page.sum_map(f, cells, how(p), p, placed)?;
            }
            Ok(())
        })?;
        for p in &f.placements {
            self.sub(&format!(
                "{}: the first {ROWS} of {} cells",
                how(p),
                thousands(p.cells.len() as u64)
            ));
            let row = |c: &skyweave_world::study::Placed| {
                vec![
                    text(c.cell.clone()),
                    text(place(c.lat_deg, c.lon_deg)),
                    text(c.near.clone().unwrap_or_default()),
                    Entry::Number(thousands(c.terminals.into())),
                ]
            };
            self.table(
                &["cell", "at", "near", "new terminals"],
                p.cells.iter().take(ROWS).map(row).collect(),
            );
        }
        Ok(())
    }

    fn sum_map(
        &mut self,
        f: &Findings,
        cells: &[MapCell],
        title: &str,
        p: &PlacementFinding,
        value: impl Fn(&CellFinding) -> Option<f64>,
    ) -> Result<()> {
        let sums: Vec<Option<f64>> = cells
            .iter()
            .map(|cell| {
                let values = cell.cells.iter().filter_map(|&i| value(&f.cells[i]));
                let sum: f64 = values.sum();
                (sum > 0.0).then_some(sum)
            })
            .collect();
        let classes = Classes::of(sums.iter().flatten().copied());
        let of = |cell: &MapCell| {
            let i = cells.iter().position(|c| core::ptr::eq(c, cell));
            i.and_then(|i| sums[i])
        };
        let svg = charts::map(cells, of, &classes, &f.landmarks, &[])?;
        let legend = map_legend(&classes, "new terminals", true);
        let caption = format!(
            "{} of what the new terminals ask is delivered in addition; {} of all terminals are served then.",
            share(p.delivered_percent),
            share(p.availability_percent),
        );
        self.figure(
            title,
            &format!("<div class=\"map\">{svg}</div>"),
            &legend,
            &caption,
        );
        Ok(())
    }

    fn latency(&mut self, f: &Findings, cells: &[MapCell]) -> Result<()> {
        let t = &f.totals;
        self.section("Latency, and where traffic meets the Internet", "latency");
        self.p(&format!(
            "Every cell is assigned to the nearest point of presence. The round trip there is {} ms in the mean: light through space and fibre, and \
             the fixed waits of the radio; queues and what lies beyond the point of presence come on top. {} of the traffic passes at least one laser \
             between satellites. From one plan to the next {} of the terminals around change satellite.",
            number(t.round_trip_ms),
            share(t.lasers_percent),
            share(t.moved_percent),
        ));
        self.row(|page| {
            page.map(
                f,
                cells,
                "Round trip to the point of presence",
                "ms, mean over what is delivered",
                "Brighter cells are farther from a gateway or from their point of presence.",
                |c| c.round_trip_ms,
            )?;
            page.map(
                f,
                cells,
                "Traffic over lasers",
                "% of what a cell gets",
                "Where no gateway stands under the satellites that serve a cell, its traffic needs lasers: it depends on more satellites.",
                |c| c.lasers_percent,
            )
        })?;
        let row = |p: &skyweave_world::study::PopFinding| {
            vec![
                text(p.city.clone()),
                text(p.code.clone()),
                Entry::Number(thousands(p.cells)),
                Entry::Number(thousands(p.terminals)),
                digits(p.round_trip_ms),
            ]
        };
        self.table(
            &[
                "point of presence",
                "code",
                "cells",
                "terminals",
                "round trip, ms",
            ],
            f.pops.iter().map(row).collect(),
        );
        Ok(())
    }

    fn gateways(&mut self, f: &Findings, _cells: &[MapCell], world: &World) -> Result<()> {
        self.section("Gateways", "gateways");
        self.p(&match &f.bottleneck {
            Some(name) => format!(
                "Traffic of the area comes down at {} of the {} gateways in the scenario. {name} is the first to fill up: of those that carry at least \
                 5 % of the area's traffic it is the most used.",
                f.gateways.len(),
                world.gateways().len(),
            ),
            None => "No gateway carried traffic of the area.".to_owned(),
        });
        let top: Vec<_> = f.gateways.iter().take(10).collect();
        let bars = |value: &dyn Fn(&skyweave_world::study::GatewayFinding) -> f64| {
            let bars = top.iter().map(|g| (g.name.clone(), value(g)));
            bars.collect::<Vec<_>>()
        };
        if !top.is_empty() {
            self.row(|page| {
                page.figure(
                    "Who carries the area's traffic",
                    &charts::bars(&bars(&|g| g.area_share_percent), "%", BLUE)?,
                    "",
                    "Share of the area's traffic that comes down at each gateway (the ten largest).",
                );
                page.figure(
                    "How full they are",
                    &charts::bars(&bars(&|g| g.used_percent), "%", ORANGE)?,
                    "",
                    "Mean use of what all antennas of the gateway carry, by the area and by everybody else.",
                );
                Ok(())
            })?;
        }
        let row = |g: &skyweave_world::study::GatewayFinding| {
            vec![
                text(g.name.clone()),
                Entry::Number(thousands(g.antennas.into())),
                digits(g.area_share_percent),
                digits(g.area_gbps),
                digits(g.gbps),
                digits(g.most_gbps),
                digits(g.limit_gbps),
                digits(g.antennas_used),
                digits(g.full_percent),
            ]
        };
        self.table(
            &[
                "gateway",
                "antennas",
                "of the area's traffic, %",
                "area, Gbit/s",
                "all, Gbit/s",
                "all, most",
                "limit, Gbit/s",
                "antennas used",
                "plans full, %",
            ],
            f.gateways.iter().take(25).map(row).collect(),
        );
        Ok(())
    }

    fn losses(&mut self, f: &Findings) -> Result<()> {
        self.section("What breaks it", "losses");
        self.p(&format!(
            "Each loss is planned at {} of the time planned, with everybody in the busiest hour: as it strikes between two plans, and in the {WINDOW} plans \
             that follow. The network learns of a loss with its next plan, so that what is cut off stays so for up to 15 s. Capacity is what the area gets \
             when a million terminals ask. A negative number is a gain.",
            instants(f),
        ));
        for rain in f
            .losses
            .iter()
            .filter(|l| l.kind == CaseKind::Rain && l.samples < f.samples)
        {
            self.p(&format!(
                "Of these instants it rains at {}: the loss by \"{}\" is their mean.",
                rain.samples, rain.name,
            ));
        }
        let mut by_capacity: Vec<&CaseFinding> = f.losses.iter().collect();
        by_capacity.sort_by(|a, b| b.capacity_lost_percent.total_cmp(&a.capacity_lost_percent));
        let bars: Vec<(String, f64)> = by_capacity
            .iter()
            .take(10)
            .map(|l| (l.name.clone(), l.capacity_lost_percent))
            .collect();
        self.bars(
            "Capacity lost",
            &bars,
            ORANGE,
            "The ten losses that take most of what the network can deliver to the area.",
        )?;
        let row = |l: &CaseFinding| {
            let mut row = vec![
                text(l.name.clone()),
                digits(l.terminals_lost),
                digits(l.terminals_lost_after),
            ];
            if f.totals.people_known {
                row.push(digits(l.people_lost));
            }
            row.extend([
                digits(l.delivered_lost_percent),
                digits(l.capacity_lost_percent),
                digits(l.capacity_lost_gbps),
                text(back(l)),
            ]);
            row
        };
        let mut columns = vec!["what is lost", "terminals cut off", "after 45 s"];
        if f.totals.people_known {
            columns.push("people in cells cut off");
        }
        columns.extend([
            "delivered less, %",
            "capacity, %",
            "capacity, Gbit/s",
            "how fast service returns",
        ]);
        self.table(&columns, f.losses.iter().map(row).collect());
        Ok(())
    }

    fn unserved(&mut self, f: &Findings) -> Result<()> {
        self.section("Who stays unserved, and why", "unserved");
        if f.unserved.is_empty() {
            self.p("Nobody: every cell with terminals was served in every plan.");
            return Ok(());
        }
        let row = |u: &skyweave_world::study::ReasonFinding| {
            vec![
                text(u.words.clone()),
                digits(u.terminals),
                Entry::Number(thousands(u.cells)),
            ]
        };
        self.table(
            &[
                "reason",
                "terminals without service, mean",
                "cells ever without",
            ],
            f.unserved.iter().map(row).collect(),
        );
        let mut cells: Vec<&CellFinding> =
            f.cells.iter().filter(|c| c.plans_unserved > 0).collect();
        cells.sort_by_key(|c| {
            (
                core::cmp::Reverse(c.plans_unserved),
                core::cmp::Reverse(c.terminals),
            )
        });
        self.sub(&format!(
            "Cells most often without service ({} of {})",
            cells.len().min(ROWS),
            thousands(cells.len() as u64)
        ));
        self.table(
            &[
                "cell",
                "at",
                "terminals",
                "served, %",
                "Mbit/s",
                "plans without",
                "reason",
            ],
            cells.iter().take(ROWS).map(|c| cell_row(c)).collect(),
        );
        self.p("All of them are in cells.parquet.");
        Ok(())
    }

    fn infeasible(&mut self, f: &Findings) {
        self.sub("Cells that ask more than any plan can give");
        if f.infeasible.is_empty() {
            self.p("None: the beams in reach of every cell could bring all that its terminals ask, if nobody else asked anything.");
            return;
        }
        let row = |c: &skyweave_world::study::InfeasibleFinding| {
            vec![
                text(c.cell.clone()),
                text(format!("{:.2}, {:.2}", c.lat_deg, c.lon_deg)),
                Entry::Number(thousands(c.terminals.into())),
                Entry::Number(thousands(c.terminals_satisfied.into())),
                text(c.words.clone()),
            ]
        };
        self.table(
            &[
                "cell",
                "at",
                "terminals",
                "of them satisfied at most",
                "why",
            ],
            f.infeasible.iter().take(ROWS).map(row).collect(),
        );
        if f.infeasible.len() > ROWS {
            self.p(&format!(
                "All {} of them are in infeasible.parquet.",
                thousands(f.infeasible.len() as u64)
            ));
        }
    }

    fn remedies(&mut self, f: &Findings) -> Result<()> {
        self.section("What would help", "remedies");
        self.p(
            "Each is planned alone: with the terminals of this plan, and with a million terminals for the capacity. A gateway helps where the way to the \
             ground is full, a channel where the sky is; where neither is, nothing here helps and more terminals do.",
        );
        let bars: Vec<(String, f64)> = f
            .remedies
            .iter()
            .take(12)
            .map(|r| (r.name.clone(), gain(r)))
            .collect();
        self.bars(
            "Capacity gained",
            &bars,
            GREEN,
            "More of what the network can deliver to the area when a million terminals ask.",
        )?;
        let row = |r: &CaseFinding| {
            vec![
                text(r.name.clone()),
                digits(-r.terminals_lost),
                digits(-r.delivered_lost_percent),
                digits(gain(r)),
                digits(-r.capacity_lost_gbps),
            ]
        };
        self.table(
            &[
                "remedy",
                "terminals served more",
                "delivered more, %",
                "capacity, %",
                "capacity, Gbit/s",
            ],
            f.remedies.iter().map(row).collect(),
        );
        Ok(())
    }

    fn assumptions(&mut self, content: &Content) {
        let f = &content.findings;
        self.section("Assumptions, data, and how to repeat this", "assumptions");
        let row = |s: &super::scenario::Source| vec![text(s.what.clone()), text(s.source.clone())];
        self.table(&["data", "from"], content.sources.iter().map(row).collect());
        self.p(&format!(
            "Planned is the area with the load around it as far as one satellite can serve both; satellites and gateways beyond are left out, and the load \
             far away that uses distant gateways with them. The day is planned in chunks of an hour's quarter, each from scratch and then one plan after the \
             other. Losses, remedies and the curve are means of {}, in the demand of the busiest hour. {} What the planner leaves out is in \
             docs/limitations.md and docs/planner.md of the program.",
            instants(f),
            match f.demand_by_hour {
                Some(_) => "The day has the demand of each place's hour.",
                None => "So has the day.",
            },
        ));
        let _ = writeln!(
            self.0,
            "<p>In this folder: <code>report.json</code> (all figures), <code>*.parquet</code> (the tables, whole; docs/report.md explains the columns), \
             <code>scenario.toml</code>, made by {}. To plan the same: <code>skyweave plan scenario.toml --epochs 4</code></p>\
             <pre>{}</pre>",
            escape(&content.program),
            escape(&content.scenario_toml),
        );
    }
}

fn cell_row(c: &CellFinding) -> Vec<Entry> {
    vec![
        text(c.cell.clone()),
        text(place(c.lat_deg, c.lon_deg)),
        Entry::Number(thousands(c.terminals.into())),
        maybe(c.availability_percent),
        maybe(c.rate_mbps),
        Entry::Number(thousands(c.plans_unserved.into())),
        text(c.reason.map_or("-".to_owned(), |r| r.to_string())),
    ]
}

fn place(lat_deg: f64, lon_deg: f64) -> String {
    let (ns, ew) = (
        if lat_deg < 0.0 { "S" } else { "N" },
        if lon_deg < 0.0 { "W" } else { "E" },
    );
    format!("{:.2}° {ns}, {:.2}° {ew}", lat_deg.abs(), lon_deg.abs())
}

fn hex(colour: RGBColor) -> String {
    format!("#{:02x}{:02x}{:02x}", colour.0, colour.1, colour.2)
}

fn map_legend(classes: &Classes, unit: &str, has_none: bool) -> String {
    let mut legend = format!("<p class=\"legend\"><span>{}:</span>", escape(unit));
    for (i, low) in classes.limits.iter().enumerate() {
        let high = classes.limits.get(i + 1).copied().unwrap_or(classes.most);
        let range = match classes.limits.len() {
            1 if classes.most - low < 1e-9 => number(*low),
            _ => format!("{} – {}", number(*low), number(high)),
        };
        let _ = write!(
            legend,
            "<span><i style=\"background:{}\"></i>{range}</span>",
            hex(classes.colour(i))
        );
    }
    if has_none {
        let _ = write!(
            legend,
            "<span><i style=\"background:{}\"></i>none</span>",
            hex(NO_VALUE)
        );
    }
    legend + "</p>"
}

pub(super) fn line_legend(lines: &[Line<'_>]) -> String {
    let mut legend = "<p class=\"legend\">".to_owned();
    for line in lines {
        let _ = write!(
            legend,
            "<span><i style=\"background:{}\"></i>{}</span>",
            hex(line.colour),
            escape(line.name)
        );
    }
    legend + "</p>"
}

/// Black on white; figures side by side on a desk, below each other on a phone; whole on paper. There a heading and its introduction claim the
/// room of what follows (`::after`, taken back by a margin): Chromium does not move them along with figures that do not fit.
const STYLE: &str = "\
:root{color:#1b1b1b;background:#fff;font:16px/1.5 system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}\
*{box-sizing:border-box;print-color-adjust:exact;-webkit-print-color-adjust:exact}\
body{margin:0}main{max-width:1180px;margin:0 auto;padding:1rem 1.25rem 3rem}\
h1{font-size:2.2rem;line-height:1.15;margin:.1rem 0 .4rem}h2{font-size:1.4rem;margin:2.4rem 0 .6rem;border-top:2px solid #1b1b1b;padding-top:.6rem}\
h3{font-size:1.05rem;margin:1.4rem 0 .4rem}p{margin:.5rem 0;max-width:75ch}.kicker{text-transform:uppercase;letter-spacing:.08em;font-size:.8rem;margin:0;color:#555}\
.short{background:#eef4f9;border-left:5px solid #0072b2;padding:.6rem 1.2rem;margin:1.2rem 0}.short h2{border:0;margin:0;padding:0}.short ul{padding-left:1.1rem;margin:.5rem 0}.short li{margin:.35rem 0;max-width:85ch}\
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.6rem,1fr));gap:.6rem;margin:1rem 0}.tiles div{border:1px solid #ccc;padding:.6rem .8rem}.tiles b{display:block;font-size:1.25rem}.tiles span{color:#444;font-size:.85rem}\
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.5rem;margin:1rem 0}\
figure{margin:0;min-width:0;max-width:620px;break-inside:avoid}figure svg{width:100%;height:auto;display:block}.map polygon{shape-rendering:crispEdges}.map text{paint-order:stroke;stroke:#fff;stroke-width:3.5px;stroke-linejoin:round}\
figcaption{font-size:.9rem;color:#333;margin:.3rem 0}figcaption.title{font-weight:600;font-size:1rem;color:#1b1b1b}\
.legend{font-size:.85rem;display:flex;flex-wrap:wrap;gap:.15rem .9rem;margin:.4rem 0}.legend i{display:inline-block;width:1em;height:1em;margin-right:.35em;vertical-align:-.12em;border:1px solid #777}\
.wide{overflow-x:auto;margin:.6rem 0}table{border-collapse:collapse;font-size:.88rem;min-width:20rem}th,td{text-align:left;padding:.28rem .7rem .28rem 0;border-bottom:1px solid #ddd;vertical-align:top}th{border-bottom:2px solid #1b1b1b;vertical-align:bottom}.short-text{white-space:nowrap}td:first-child{min-width:9rem}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}th.n{white-space:normal;min-width:4.2rem}\
pre{background:#f4f4f4;padding:.8rem;overflow-x:auto;font-size:.8rem}code{font-size:.9em}\
@media(max-width:480px){main{padding:.6rem .8rem 2rem}h1{font-size:1.7rem}h2{font-size:1.2rem}}\
@media print{@page{margin:14mm}:root{font-size:10.5pt}main{max-width:none;padding:0}.row{grid-template-columns:1fr 1fr}.wide{overflow:visible}table{font-size:8pt}tr,.tiles div,pre{break-inside:avoid}.row,h2,h3,h2+p,h3+p{break-inside:avoid}h2,h3{break-after:avoid}h2+p::after,h3+p::after,h3::after{content:\"\";display:block;height:25mm;margin-bottom:-25mm}h2+p::after{height:115mm;margin-bottom:-115mm}pre{white-space:pre-wrap;overflow-wrap:anywhere}}";
