//! The picture of a running network: a table redrawn in place on a terminal, plain lines otherwise.

use super::live::{Report, ServiceStatus};
use super::summary::{percent, thousands};
use crossterm::{cursor, queue, terminal};
use std::collections::VecDeque;
use std::io::{Result, Write};

/// Epochs kept on the screen.
const ROWS: usize = 8;

/// Where epochs are shown.
pub(crate) struct Screen {
    in_place: bool,
    recent: VecDeque<String>,
    last: Option<(Report, u64)>,
    drawn_lines: u16,
    shown_any: bool,
}

impl Screen {
    /// `in_place`: redraw one table, which needs a terminal.
    pub(crate) fn new(in_place: bool) -> Self {
        Self {
            in_place,
            recent: VecDeque::new(),
            last: None,
            drawn_lines: 0,
            shown_any: false,
        }
    }

    /// Shows an epoch.
    pub(crate) fn show(&mut self, report: &Report, late: u64, out: &mut impl Write) -> Result<()> {
        if !self.in_place {
            if !self.shown_any {
                self.shown_any = true;
                writeln!(out, "{HEADER}")?;
            }
            writeln!(out, "{}", row(report))?;
            return match report.service.as_ref().and_then(away) {
                Some(away) => writeln!(out, "{away}"),
                None => Ok(()),
            };
        }
        self.recent.push_back(row(report));
        if self.recent.len() > ROWS {
            self.recent.pop_front();
        }
        self.draw(report, late, out)?;
        self.last = Some((report.clone(), late));
        Ok(())
    }

    /// Shows that the service's database went away or is back, without waiting for the next epoch.
    pub(crate) fn show_database(
        &mut self,
        status: ServiceStatus,
        out: &mut impl Write,
    ) -> Result<()> {
        if !self.in_place {
            return writeln!(out, "{}", about_database(&status));
        }
        let Some((mut report, late)) = self.last.take() else {
            return Ok(());
        };
        report.service = Some(status);
        self.draw(&report, late, out)?;
        self.last = Some((report, late));
        Ok(())
    }

    fn draw(&mut self, report: &Report, late: u64, out: &mut impl Write) -> Result<()> {
        let mut lines = vec![HEADER.to_owned()];
        lines.extend(self.recent.iter().cloned());
        lines.push(String::new());
        lines.extend(live_table(report));
        lines.extend(unserved_line(report));
        lines.extend(report.service.as_ref().and_then(away));
        if late > 0 {
            lines.push(format!(
                "{late} plans were not ready when their epoch began"
            ));
        }
        let width = terminal::size().map_or(120, |(w, _)| usize::from(w));
        if self.drawn_lines > 0 {
            queue!(out, cursor::MoveToPreviousLine(self.drawn_lines))?;
        }
        queue!(out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
        for line in &lines {
            writeln!(out, "{}", clip(line, width))?;
        }
        self.drawn_lines = lines.len() as u16;
        Ok(())
    }
}

const HEADER: &str = "\
epoch     start (UTC)           planned   satellites   cells served     terminals served         delivered      moved";

fn row(report: &Report) -> String {
    let s = &report.summary;
    format!(
        "{:<9} {:<20} {:>5.0} ms{} {:>5}/{:<5} {:>8} {:>6}   {:>11} {:>6}   {:>8.1} Gbit/s {:>10}",
        s.epoch,
        s.start.to_string(),
        s.planning_ms.unwrap_or(0.0),
        if report.late { "!" } else { " " },
        s.satellites_serving,
        s.satellites_in_service,
        thousands(s.cells_served as u64),
        percent(s.cells_served as u64, s.cells_with_demand as u64),
        thousands(s.terminals_served),
        percent(s.terminals_served, s.terminals),
        s.delivered_gbps,
        thousands(s.moved_terminals),
    )
}

fn live_table(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if report.live.is_empty() {
        return lines;
    }
    lines.push("terminal       satellite        elev  lasers  gateway                PoP            down / up Mbit/s  round trip".to_owned());
    for t in &report.live {
        let text = |s: &Option<String>| s.clone().unwrap_or_else(|| "-".to_owned());
        lines.push(match &t.reason {
            Some(reason) => format!("{:<14} {reason}", clip(&t.name, 14)),
            None => format!(
                "{:<14} {:<16} {:>3.0}°  {:>6}  {:<22} {:<14} {:>6.0} / {:<6.0} {:>8.2} ms",
                clip(&t.name, 14),
                clip(&text(&t.satellite), 16),
                t.elevation_deg.unwrap_or(f64::NAN),
                t.lasers.unwrap_or(0),
                clip(&text(&t.gateway), 22),
                clip(&text(&t.pop), 14),
                t.down_mbps,
                t.up_mbps,
                t.planned_rtt_ms.first().copied().unwrap_or(f64::NAN),
            ),
        });
    }
    lines
}

/// Whether changes are possible.
pub(crate) fn about_database(service: &ServiceStatus) -> String {
    away(service).unwrap_or_else(|| "the service's database is back".to_owned())
}

/// That nothing can be changed at the moment.
fn away(service: &ServiceStatus) -> Option<String> {
    let why = service.away.as_ref()?;
    let away_s = service.away_s.unwrap_or_default();
    Some(format!(
        "the service's database is away for {away_s} s, entitlements stay as they were: {why}"
    ))
}

fn unserved_line(report: &Report) -> Option<String> {
    if report.summary.unserved.is_empty() {
        return None;
    }
    let reasons: Vec<String> = report
        .summary
        .unserved
        .iter()
        .map(|(reason, cells)| format!("{reason}: {}", thousands(*cells as u64)))
        .collect();
    Some(format!("cells without service: {}", reasons.join(", ")))
}

/// The first `width` characters.
fn clip(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}
