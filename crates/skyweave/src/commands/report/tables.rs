//! The findings as Parquet: one file for each table, flat, units in the columns' names (docs/report.md).

use anyhow::Result;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use serde::Serialize;
use skyweave_world::study::{CaseFinding, Findings};
use std::sync::Arc;

/// A column; a value may be missing.
enum Column {
    Text(Vec<Option<String>>),
    Whole(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
}

type Columns = Vec<(&'static str, Column)>;

/// All tables: (file name, bytes).
pub(crate) fn all(f: &Findings) -> Result<Vec<(String, Vec<u8>)>> {
    let tables = [
        ("cells", cells(f)),
        ("epochs", epochs(f)),
        ("hours", hours(f)),
        ("rates", rates(f)),
        ("curve", curve(f)),
        ("gateways", gateways(f)),
        ("pops", pops(f)),
        ("losses", cases(&f.losses)),
        ("remedies", cases(&f.remedies)),
        ("placements", placements(f)),
        ("unserved", unserved(f)),
        ("infeasible", infeasible(f)),
    ];
    let file = |(name, columns)| Ok((format!("{name}.parquet"), write(name, columns)?));
    tables.into_iter().map(file).collect()
}

fn text<T>(rows: &[T], value: impl Fn(&T) -> String) -> Column {
    Column::Text(rows.iter().map(|r| Some(value(r))).collect())
}

fn whole<T>(rows: &[T], value: impl Fn(&T) -> u64) -> Column {
    let value = |r| i64::try_from(value(r)).ok();
    Column::Whole(rows.iter().map(value).collect())
}

fn real<T>(rows: &[T], value: impl Fn(&T) -> f64) -> Column {
    Column::Real(rows.iter().map(|r| Some(value(r))).collect())
}

fn may_be_real<T>(rows: &[T], value: impl Fn(&T) -> Option<f64>) -> Column {
    Column::Real(rows.iter().map(value).collect())
}

/// The word that serde has for a value of an enum.
fn word(value: &impl Serialize) -> Option<String> {
    let value = serde_json::to_value(value).ok()?;
    value.as_str().map(str::to_owned)
}

fn cells(f: &Findings) -> Columns {
    let r = &f.cells;
    vec![
        ("cell", text(r, |c| c.cell.clone())),
        ("lat_deg", real(r, |c| c.lat_deg)),
        ("lon_deg", real(r, |c| c.lon_deg)),
        ("people", whole(r, |c| c.people)),
        ("terminals", whole(r, |c| c.terminals.into())),
        (
            "availability_percent",
            may_be_real(r, |c| c.availability_percent),
        ),
        ("rate_mbps", may_be_real(r, |c| c.rate_mbps)),
        ("round_trip_ms", may_be_real(r, |c| c.round_trip_ms)),
        (
            "round_trip_least_ms",
            may_be_real(r, |c| c.round_trip_least_ms),
        ),
        (
            "round_trip_most_ms",
            may_be_real(r, |c| c.round_trip_most_ms),
        ),
        ("lasers_percent", may_be_real(r, |c| c.lasers_percent)),
        (
            "pop",
            Column::Text(r.iter().map(|c| c.pop.clone()).collect()),
        ),
        (
            "reason",
            Column::Text(r.iter().map(|c| c.reason.as_ref().and_then(word)).collect()),
        ),
        ("plans_unserved", whole(r, |c| c.plans_unserved.into())),
        ("capacity_mbps", real(r, |c| c.capacity_mbps)),
    ]
}

fn epochs(f: &Findings) -> Columns {
    let r = &f.epochs;
    vec![
        (
            "epoch",
            Column::Whole(r.iter().map(|e| Some(e.epoch)).collect()),
        ),
        ("start_utc", text(r, |e| e.start.to_string())),
        ("cells_served", whole(r, |e| e.cells_served.into())),
        ("terminals", whole(r, |e| e.terminals)),
        ("terminals_served", whole(r, |e| e.terminals_served)),
        ("demand_kbps", whole(r, |e| e.demand_kbps)),
        ("delivered_kbps", whole(r, |e| e.delivered_kbps)),
        ("satellites", whole(r, |e| e.satellites.into())),
        (
            "region_delivered_kbps",
            whole(r, |e| e.region_delivered_kbps),
        ),
        ("gateways_kbps", whole(r, |e| e.gateways_kbps)),
    ]
}

fn hours(f: &Findings) -> Columns {
    let r = &f.hours;
    vec![
        ("hour_utc", whole(r, |h| h.hour_utc.into())),
        ("availability_percent", real(r, |h| h.availability_percent)),
        ("demand_gbps", real(r, |h| h.demand_gbps)),
        ("delivered_gbps", real(r, |h| h.delivered_gbps)),
        ("asked_mbps", real(r, |h| h.asked_mbps)),
        ("rate_mbps", real(r, |h| h.rate_mbps)),
        (
            "rate_worst_5_percent_mbps",
            real(r, |h| h.rate_worst_5_percent_mbps),
        ),
        (
            "rate_best_5_percent_mbps",
            real(r, |h| h.rate_best_5_percent_mbps),
        ),
    ]
}

fn rates(f: &Findings) -> Columns {
    let shares: Vec<(u64, f64)> = (0..).zip(f.totals.rate_shares.iter().copied()).collect();
    vec![
        ("percent_of_ask", whole(&shares, |s| s.0)),
        ("share_of_terminals", real(&shares, |s| s.1)),
    ]
}

fn curve(f: &Findings) -> Columns {
    let r = &f.curve;
    vec![
        ("terminals", whole(r, |p| p.terminals)),
        ("demand_gbps", real(r, |p| p.demand_gbps)),
        ("delivered_gbps", real(r, |p| p.delivered_gbps)),
        ("rate_mbps", real(r, |p| p.rate_mbps)),
        ("availability_percent", real(r, |p| p.availability_percent)),
        ("is_scenario", whole(r, |p| p.is_scenario.into())),
    ]
}

fn gateways(f: &Findings) -> Columns {
    let r = &f.gateways;
    vec![
        ("name", text(r, |g| g.name.clone())),
        ("lat_deg", real(r, |g| g.lat_deg)),
        ("lon_deg", real(r, |g| g.lon_deg)),
        ("antennas", whole(r, |g| g.antennas.into())),
        ("area_share_percent", real(r, |g| g.area_share_percent)),
        ("area_gbps", real(r, |g| g.area_gbps)),
        ("gbps", real(r, |g| g.gbps)),
        ("most_gbps", real(r, |g| g.most_gbps)),
        ("limit_gbps", real(r, |g| g.limit_gbps)),
        ("used_percent", real(r, |g| g.used_percent)),
        ("antennas_used", real(r, |g| g.antennas_used)),
        ("full_percent", real(r, |g| g.full_percent)),
    ]
}

fn pops(f: &Findings) -> Columns {
    let r = &f.pops;
    vec![
        ("code", text(r, |p| p.code.clone())),
        ("city", text(r, |p| p.city.clone())),
        ("cells", whole(r, |p| p.cells)),
        ("terminals", whole(r, |p| p.terminals)),
        ("round_trip_ms", real(r, |p| p.round_trip_ms)),
    ]
}

fn cases(r: &[CaseFinding]) -> Columns {
    vec![
        ("name", text(r, |c| c.name.clone())),
        (
            "kind",
            Column::Text(r.iter().map(|c| word(&c.kind)).collect()),
        ),
        ("samples", whole(r, |c| c.samples.into())),
        ("terminals_lost", real(r, |c| c.terminals_lost)),
        ("terminals_lost_after", real(r, |c| c.terminals_lost_after)),
        ("people_lost", real(r, |c| c.people_lost)),
        (
            "delivered_lost_percent",
            real(r, |c| c.delivered_lost_percent),
        ),
        (
            "capacity_lost_percent",
            real(r, |c| c.capacity_lost_percent),
        ),
        ("capacity_lost_gbps", real(r, |c| c.capacity_lost_gbps)),
        (
            "plans_to_restore",
            Column::Whole(
                r.iter()
                    .map(|c| c.plans_to_restore.map(i64::from))
                    .collect(),
            ),
        ),
    ]
}

fn placements(f: &Findings) -> Columns {
    let rows = f
        .placements
        .iter()
        .flat_map(|p| p.cells.iter().map(move |c| (p, c)));
    let r: Vec<_> = rows.collect();
    vec![
        (
            "by",
            Column::Text(r.iter().map(|(p, _)| word(&p.kind)).collect()),
        ),
        ("cell", text(&r, |(_, c)| c.cell.clone())),
        ("lat_deg", real(&r, |(_, c)| c.lat_deg)),
        ("lon_deg", real(&r, |(_, c)| c.lon_deg)),
        (
            "near",
            Column::Text(r.iter().map(|(_, c)| c.near.clone()).collect()),
        ),
        ("terminals", whole(&r, |(_, c)| c.terminals.into())),
    ]
}

fn unserved(f: &Findings) -> Columns {
    let r = &f.unserved;
    vec![
        (
            "reason",
            Column::Text(r.iter().map(|u| word(&u.reason)).collect()),
        ),
        ("words", text(r, |u| u.words.clone())),
        ("terminals", real(r, |u| u.terminals)),
        ("cells", whole(r, |u| u.cells)),
    ]
}

fn infeasible(f: &Findings) -> Columns {
    let r = &f.infeasible;
    vec![
        ("cell", text(r, |c| c.cell.clone())),
        ("lat_deg", real(r, |c| c.lat_deg)),
        ("lon_deg", real(r, |c| c.lon_deg)),
        ("terminals", whole(r, |c| c.terminals.into())),
        ("asked_mbps", real(r, |c| c.asked_mbps)),
        ("most_mbps", real(r, |c| c.most_mbps)),
        (
            "terminals_satisfied",
            whole(r, |c| c.terminals_satisfied.into()),
        ),
        ("words", text(r, |c| c.words.clone())),
    ]
}

fn write(table: &str, columns: Columns) -> Result<Vec<u8>> {
    let field = |(name, column): &(&str, Column)| {
        let (physical, logical) = match column {
            Column::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Column::Whole(_) => (Physical::INT64, None),
            Column::Real(_) => (Physical::DOUBLE, None),
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(Repetition::OPTIONAL);
        Ok(Arc::new(field.build()?))
    };
    let fields = columns.iter().map(field).collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder(table)
        .with_fields(fields)
        .build()?;
    // The library's version must not change the bytes.
    let properties = WriterProperties::builder()
        .set_created_by("skyweave".to_owned())
        .set_compression(Compression::SNAPPY);
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema.into(), properties.build().into())?;
    let mut rows = file.next_row_group()?;
    let mut columns = columns.into_iter();
    while let Some(mut writer) = rows.next_column()? {
        let Some((_, column)) = columns.next() else {
            break;
        };
        match column {
            Column::Text(values) => {
                let levels = levels(&values);
                let there = values.iter().flatten().map(|t| ByteArray::from(t.as_str()));
                let there: Vec<ByteArray> = there.collect();
                let typed = writer.typed::<ByteArrayType>();
                typed.write_batch(&there, Some(&levels), None)?;
            }
            Column::Whole(values) => {
                let levels = levels(&values);
                let there: Vec<i64> = values.into_iter().flatten().collect();
                let typed = writer.typed::<Int64Type>();
                typed.write_batch(&there, Some(&levels), None)?;
            }
            Column::Real(values) => {
                let levels = levels(&values);
                let there: Vec<f64> = values.into_iter().flatten().collect();
                let typed = writer.typed::<DoubleType>();
                typed.write_batch(&there, Some(&levels), None)?;
            }
        }
        writer.close()?;
    }
    rows.close()?;
    file.close()?;
    Ok(bytes)
}

/// Parquet's definition levels: 1 where a value is.
fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
    values.iter().map(|v| i16::from(v.is_some())).collect()
}
