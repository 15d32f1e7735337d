//! Weather: what the atmosphere takes over each cell and each gateway in an epoch.
//!
//! A clear sky, what is exceeded for a percentage of the year everywhere at once, or rain by place and time. `radio` knows the physics,
//! the climate grid what a place is like; here they meet in the planner's [`skyweave_plan::Weather`].

use crate::area::Polygons;
use crate::climate::{ClimateGrid, Grid, degrees, not_a_grid};
use crate::problem::{Location, Problems};
use crate::table::{optional, read_csv, required};
use geojson::{Feature, GeoJson};
use rayon::prelude::*;
use skyweave_base::{Geodetic, Time, Utc};
use skyweave_plan::{Cell, CellFade, Gateway};
use skyweave_radio::itu::Climate;
use skyweave_radio::{Fade, LinkBudget, Profile, RateModel};
use std::sync::Arc;

/// The weather of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Weather {
    /// Gases only, as in the reference atmosphere.
    #[default]
    Clear,
    /// At each place what is exceeded there for this percentage of an average year, 0.001 to 5: a statement about each place, not about
    /// a day on which it is so everywhere.
    Exceedance {
        /// Per cent of the year.
        percent: f64,
    },
    /// Rain by place and time.
    Rain(Arc<RainField>),
}

/// Percentages for which P.618-13 predicts rain (section 2.2.1.1, step 10).
pub(crate) const PERCENT: core::ops::RangeInclusive<f64> = 0.001..=5.0;

/// Why weather does not fit a world.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WeatherError {
    /// A percentage beyond what is predicted.
    #[error("{percent} per cent of the year: expected {} to {}", PERCENT.start(), PERCENT.end())]
    Percent {
        /// The percentage.
        percent: f64,
    },
    /// A place of the scenario has no climate.
    #[error("{what} lies outside the climate grid ({bounds})")]
    NoClimate {
        /// The cell or gateway.
        what: String,
        /// Where the grid is.
        bounds: String,
    },
    /// No place of the scenario lies in the rain field.
    #[error(
        "the rain field ({bounds}) holds no cell and no gateway of the scenario: it changes nothing"
    )]
    Elsewhere {
        /// Where the field is.
        bounds: String,
    },
    /// The rain field ends before the scenario begins.
    #[error("the rain field ends at {end}, before the scenario begins at {start}")]
    Past {
        /// The last time of the field.
        end: Utc,
        /// The scenario's start.
        start: Utc,
    },
}

/// Rain in mm/h over an area, at times.
#[derive(Debug, PartialEq)]
pub struct RainField {
    /// When each frame is; empty for one frame that holds always.
    times: Vec<Time>,
    frames: Frames,
    bounds: String,
}

#[derive(Debug, PartialEq)]
enum Frames {
    Grid {
        grid: Grid,
        nearest: bool,
        /// mm/h at each point; NaN where the file has none.
        frames: Vec<Vec<f32>>,
    },
    Areas(Vec<Vec<(Polygons, f64)>>),
}

/// How a field is read between the points of a grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Between {
    /// Linear in latitude and longitude.
    #[default]
    Bilinear,
    /// The value of the nearest point.
    Nearest,
}

/// No rain gauge has measured more over minutes; 500 mm/h is beyond every map of P.837.
const RAIN_MM_H: core::ops::RangeInclusive<f64> = 0.0..=500.0;
/// Points times frames: 200 MB.
const MOST_VALUES: usize = 50_000_000;
/// Areas of a GeoJSON: each has an index of its own.
const MOST_AREAS: usize = 5_000;

/// Two frames and how far between them a time is.
type Moment = (usize, usize, f64);

impl RainField {
    /// Reads a field: GeoJSON if the name says so, else CSV.
    pub fn parse(file: &str, bytes: &[u8], between: Between) -> Result<Self, Problems> {
        let lower = file.to_lowercase();
        match lower.ends_with(".geojson") || lower.ends_with(".json") {
            true => Self::from_geojson(file, bytes),
            false => Self::from_csv(file, bytes, between),
        }
    }

    fn from_csv(file: &str, bytes: &[u8], between: Between) -> Result<Self, Problems> {
        let columns = [
            required(&["lat_deg", "latitude_deg"]),
            required(&["lon_deg", "longitude_deg"]),
            required(&["rain_mm_h"]),
            optional(&["time"]),
        ];
        let mut rows: Vec<(Option<Time>, (f64, f64), f64)> = Vec::new();
        let mut problems = Problems::default();
        read_csv(file, bytes, &columns, &mut problems, |row| {
            let place = row.place(0, 1);
            let rain = row.required_number(2, RAIN_MM_H);
            let time = match row.text(3).map(str::parse::<Utc>) {
                None => None,
                Some(Ok(utc)) => Some(Time::from(utc)),
                Some(Err(error)) => return row.error(3, &error.to_string()),
            };
            if rows
                .first()
                .is_some_and(|first| first.0.is_some() != time.is_some())
            {
                return row.error(
                    3,
                    "some rows have a time and some have none: give all or none",
                );
            }
            if let (Some(place), Some(rain)) = (place, rain) {
                rows.push((time, degrees(place), rain));
            }
        });
        let at = Location::file(file);
        let grid = Grid::of(rows.iter().map(|r| r.1));
        let mut times: Vec<Option<Time>> = rows.iter().map(|r| r.0).collect();
        times.sort_unstable();
        times.dedup();
        if problems.0.is_empty() {
            let in_all = grid.len().saturating_mul(times.len());
            if rows.is_empty() {
                problems.push(at.error("a rain field needs at least one point"));
            } else if let Some(wrong) = not_a_grid(&grid, rows.len()) {
                problems.push(at.error(wrong));
            } else if in_all > MOST_VALUES {
                problems.push(at.error(format!(
                    "{in_all} values are too many: at most {MOST_VALUES}"
                )));
            }
        }
        if !problems.0.is_empty() {
            return Err(problems);
        }
        let mut frames = vec![vec![f32::NAN; grid.len()]; times.len()];
        for (time, point, rain) in rows {
            if let (Ok(frame), Some(position)) = (times.binary_search(&time), grid.position(point))
            {
                frames[frame][position] = rain as f32;
            }
        }
        Ok(Self {
            times: times.into_iter().flatten().collect(),
            bounds: grid.bounds(),
            frames: Frames::Grid {
                grid,
                nearest: between == Between::Nearest,
                frames,
            },
        })
    }

    fn from_geojson(file: &str, bytes: &[u8]) -> Result<Self, Problems> {
        let at = Location::file(file);
        let text = core::str::from_utf8(bytes).map_err(|_| at.error("is not UTF-8 text"))?;
        let geojson: GeoJson = text
            .parse()
            .map_err(|e: geojson::Error| at.error(format!("not GeoJSON: {e}")))?;
        let features: Vec<Feature> = match geojson {
            GeoJson::FeatureCollection(collection) => collection.features,
            GeoJson::Feature(feature) => vec![feature],
            GeoJson::Geometry(_) => {
                return Err(at
                    .error("expected features with a property `rain_mm_h`, found a bare geometry")
                    .into());
            }
        };
        let mut problems = Problems::default();
        if features.is_empty() || features.len() > MOST_AREAS {
            problems.push(at.error(format!(
                "has {} areas: expected 1 to {MOST_AREAS}",
                features.len()
            )));
            return Err(problems);
        }
        let mut areas: Vec<(Option<Time>, Polygons, f64)> = Vec::new();
        let mut kept = 0;
        for (i, feature) in features.iter().enumerate() {
            match area(feature, &at, i, &mut kept) {
                Ok(area) => areas.push(area),
                Err(problem) => problems.push(problem),
            }
        }
        let dated = areas.iter().filter(|a| a.0.is_some()).count();
        if problems.0.is_empty() && dated != 0 && dated != areas.len() {
            problems
                .push(at.error("some areas have a `time` and some have none: give all or none"));
        }
        if !problems.0.is_empty() {
            return Err(problems);
        }
        let mut times: Vec<Option<Time>> = areas.iter().map(|a| a.0).collect();
        times.sort_unstable();
        times.dedup();
        let mut frames: Vec<Vec<(Polygons, f64)>> = times.iter().map(|_| Vec::new()).collect();
        let count = areas.len();
        for (time, polygons, rain) in areas {
            if let Ok(frame) = times.binary_search(&time) {
                frames[frame].push((polygons, rain));
            }
        }
        Ok(Self {
            times: times.into_iter().flatten().collect(),
            frames: Frames::Areas(frames),
            bounds: format!("{count} areas"),
        })
    }

    /// When it begins and ends; `None` if it always holds.
    pub fn times(&self) -> Option<(Time, Time)> {
        Some((*self.times.first()?, *self.times.last()?))
    }

    /// Rain at a place, mm/h. Between two frames it is interpolated; before the first and after the last, and outside the field,
    /// it does not rain.
    pub fn rain_mm_h(&self, place: Geodetic, t: Time) -> f64 {
        self.moment(t)
            .map_or(0.0, |moment| self.rain(moment, place).unwrap_or(0.0))
    }

    fn moment(&self, t: Time) -> Option<Moment> {
        if self.times.is_empty() {
            return Some((0, 0, 0.0));
        }
        let after = self.times.partition_point(|&frame| frame <= t);
        let i = after.checked_sub(1)?;
        match self.times.get(after) {
            Some(&next) => {
                let part = (t - self.times[i]).as_secs_f64() / (next - self.times[i]).as_secs_f64();
                Some((i, after, part))
            }
            None => (self.times[i] == t).then_some((i, i, 0.0)),
        }
    }

    /// `None` outside the field.
    fn rain(&self, (from, to, part): Moment, place: Geodetic) -> Option<f64> {
        let (lat, lon) = degrees(place);
        let of = |frame: usize| match &self.frames {
            Frames::Grid {
                grid,
                nearest,
                frames,
            } => {
                let mut around = grid.around(lat, lon)?;
                if *nearest {
                    let best = around.iter().map(|a| a.1).fold(0.0, f64::max);
                    let mut first = true;
                    for (_, weight) in &mut around {
                        let takes = first && *weight == best;
                        first &= !takes;
                        *weight = f64::from(u8::from(takes));
                    }
                }
                // A point that the file leaves out is dry.
                let value = |position: usize| f64::from(frames[frame][position].max(0.0));
                Some(
                    around
                        .iter()
                        .map(|&(p, w)| if w > 0.0 { w * value(p) } else { 0.0 })
                        .sum::<f64>(),
                )
            }
            Frames::Areas(frames) => {
                let over = frames[frame]
                    .iter()
                    .filter(|(area, _)| area.contains(lat, lon));
                over.map(|(_, rain)| *rain).reduce(f64::max)
            }
        };
        match (of(from), of(to)) {
            (None, None) => None,
            (a, b) => {
                let (a, b) = (a.unwrap_or(0.0), b.unwrap_or(0.0));
                Some(a + part * (b - a))
            }
        }
    }

    /// Whether it has rain at a time, somewhere.
    pub fn is_at(&self, t: Time) -> bool {
        self.moment(t).is_some()
    }

    /// Whether a place is ever in the field.
    pub(crate) fn holds(&self, place: Geodetic) -> bool {
        let (lat, lon) = degrees(place);
        match &self.frames {
            Frames::Grid { grid, .. } => grid.around(lat, lon).is_some(),
            Frames::Areas(frames) => frames
                .iter()
                .flatten()
                .any(|(area, _)| area.contains(lat, lon)),
        }
    }
}

/// One area of a GeoJSON rain field.
fn area(
    feature: &Feature,
    at: &Location,
    i: usize,
    kept: &mut usize,
) -> Result<(Option<Time>, Polygons, f64), crate::Problem> {
    let at = |field: &str| at.clone().with_field(&format!("features[{i}].{field}"));
    let property = |name: &str| feature.property(name).filter(|v| !v.is_null());
    let rain_at = at("properties.rain_mm_h");
    let rain = property("rain_mm_h")
        .ok_or_else(|| rain_at.error("is missing: expected a number of mm/h"))?
        .as_f64()
        .filter(|rain| RAIN_MM_H.contains(rain))
        .ok_or_else(|| {
            let (least, most) = (RAIN_MM_H.start(), RAIN_MM_H.end());
            rain_at.error(format!("expected a number of mm/h from {least} to {most}"))
        })?;
    let time = match property("time") {
        None => None,
        Some(time) => {
            let time_at = at("properties.time");
            let text = time
                .as_str()
                .ok_or_else(|| time_at.error("expected a UTC time as a string"))?;
            let utc: Utc = text
                .parse()
                .map_err(|e: skyweave_base::TimeError| time_at.error(e.to_string()))?;
            Some(Time::from(utc))
        }
    };
    let geometry = feature
        .geometry
        .as_ref()
        .ok_or_else(|| at("geometry").error("is missing: expected polygons"))?;
    let mut polygons = Polygons::none();
    polygons.add(&geometry.value, &at("geometry"), kept)?;
    Ok((time, polygons, rain))
}

/// The weather of a world, with what it needs of the climate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Atmosphere {
    pub(crate) weather: Weather,
    pub(crate) climate: Option<Arc<ClimateGrid>>,
    /// Under [`Weather::Exceedance`]: the fade of each of the world's cells, and of each gateway.
    fixed: skyweave_plan::Weather,
}

/// Budgets of a profile's links.
struct Budgets<'a> {
    down: Option<&'a LinkBudget>,
    up: Option<&'a LinkBudget>,
    feeder: Option<&'a LinkBudget>,
}

impl<'a> Budgets<'a> {
    fn of(profile: &'a Profile) -> Self {
        let user = |model: &'a RateModel| match model {
            RateModel::LinkBudget(budget) => Some(&**budget),
            _ => None,
        };
        Self {
            down: user(&profile.user.down),
            up: user(&profile.user.up),
            feeder: profile.feeder.up.as_deref(),
        }
    }

    fn cell(&self, fade: impl Fn(&LinkBudget) -> Fade) -> CellFade {
        CellFade {
            down: self.down.map_or(Fade::NONE, &fade),
            up: self.up.map_or(Fade::NONE, &fade),
        }
    }
}

/// What is exceeded for a percentage of the year.
fn exceeded(budget: &LinkBudget, climate: &Climate, percent: f64) -> Fade {
    Fade::of(budget.path(), |path| path.attenuation(climate, percent))
}

/// Under a clear sky with so much rain in it.
fn in_rain(budget: &LinkBudget, climate: &Climate, rain_mm_h: f64) -> Fade {
    let clear = budget.clear();
    if rain_mm_h <= 0.0 {
        return clear;
    }
    use core::f64::consts::{FRAC_PI_3, FRAC_PI_6};
    let [at_60, at_30] = [FRAC_PI_3, FRAC_PI_6].map(|elevation_rad| {
        let path = skyweave_radio::itu::SlantPath {
            elevation_rad,
            ..budget.path()
        };
        clear.db(elevation_rad.sin()) + path.rain_db(climate, rain_mm_h)
    });
    Fade::through(at_60, at_30)
}

impl Atmosphere {
    /// Whether any rate of the profile minds the weather.
    pub(crate) fn matters_to(profile: &Profile) -> bool {
        let budgets = Budgets::of(profile);
        budgets.down.is_some() || budgets.up.is_some() || budgets.feeder.is_some()
    }

    /// Takes over weather, if it fits the places of a world.
    pub(crate) fn set(
        &mut self,
        weather: Weather,
        start: Time,
        cells: &[Cell],
        gateways: &[Gateway],
    ) -> Result<(), WeatherError> {
        if weather == Weather::Clear {
            *self = Self {
                climate: self.climate.take(),
                ..Self::default()
            };
            return Ok(());
        }
        let climate = self
            .climate
            .get_or_insert_with(|| Arc::new(ClimateGrid::builtin()));
        let mut places = cells
            .iter()
            .map(|c| (c.centre, format!("cell {}", c.id)))
            .chain(
                gateways
                    .iter()
                    .map(|g| (g.place, format!("gateway {}", g.name))),
            );
        if let Weather::Exceedance { percent } = weather
            && !PERCENT.contains(&percent)
        {
            return Err(WeatherError::Percent { percent });
        }
        if let Weather::Rain(field) = &weather {
            if let Some((_, end)) = field.times()
                && end < start
            {
                let (end, start) = (end.into(), start.into());
                return Err(WeatherError::Past { end, start });
            }
            let mut held = cells
                .iter()
                .map(|c| c.centre)
                .chain(gateways.iter().map(|g| g.place));
            if !held.any(|place| field.holds(place)) {
                let bounds = field.bounds.clone();
                return Err(WeatherError::Elsewhere { bounds });
            }
        }
        if let Some((_, what)) = places.find(|(place, _)| climate.at(*place).is_none()) {
            let bounds = climate.grid.bounds();
            return Err(WeatherError::NoClimate { what, bounds });
        }
        self.weather = weather;
        Ok(())
    }

    /// What is to be known of weather that fits, but changes less than one may think.
    pub(crate) fn doubt(&self, cells: &[Cell], gateways: &[Gateway]) -> Option<String> {
        let Weather::Rain(field) = &self.weather else {
            return None;
        };
        let over =
            |places: &mut dyn Iterator<Item = Geodetic>| places.filter(|p| field.holds(*p)).count();
        let dry = !cells.is_empty() && over(&mut cells.iter().map(|c| c.centre)) == 0;
        dry.then(|| {
            format!(
                "the rain field ({}) covers none of the {} cells with demand, only {} of the {} gateways",
                field.bounds,
                cells.len(),
                over(&mut gateways.iter().map(|g| g.place)),
                gateways.len()
            )
        })
    }

    /// Works out what does not change from epoch to epoch, for these places.
    pub(crate) fn settle(&mut self, profile: &Profile, cells: &[Cell], gateways: &[Gateway]) {
        self.fixed = match (&self.weather, &self.climate) {
            (Weather::Exceedance { percent }, Some(climate)) if Self::matters_to(profile) => {
                exceedance(&Budgets::of(profile), climate, *percent, cells, gateways)
            }
            _ => skyweave_plan::Weather::default(),
        };
    }

    /// The weather of an epoch. `settled` are the cells of the last [`settle`](Self::settle), which `cells` may add to.
    pub(crate) fn at(
        &self,
        t: Time,
        profile: &Profile,
        settled: &Arc<[Cell]>,
        cells: &Arc<[Cell]>,
        gateways: &[Gateway],
    ) -> skyweave_plan::Weather {
        let (Some(climate), true) = (&self.climate, Self::matters_to(profile)) else {
            return skyweave_plan::Weather::default();
        };
        let budgets = Budgets::of(profile);
        match &self.weather {
            Weather::Clear => skyweave_plan::Weather::default(),
            Weather::Exceedance { .. } if Arc::ptr_eq(settled, cells) => self.fixed.clone(),
            Weather::Exceedance { percent } => {
                let fade = |cell: &Cell| match settled.binary_search_by_key(&cell.id, |c| c.id) {
                    Ok(i) => self.fixed.cells[i],
                    Err(_) => {
                        let here = climate.at(cell.centre);
                        budgets.cell(|b| here.map_or(b.clear(), |c| exceeded(b, &c, *percent)))
                    }
                };
                skyweave_plan::Weather {
                    cells: cells.par_iter().map(fade).collect::<Vec<_>>().into(),
                    gateways: Arc::clone(&self.fixed.gateways),
                }
            }
            Weather::Rain(field) => {
                let Some(moment) = field.moment(t) else {
                    return skyweave_plan::Weather::default();
                };
                let clear = budgets.cell(LinkBudget::clear);
                let rain_at = |place: Geodetic| {
                    let rain = field.rain(moment, place).filter(|rain| *rain > 0.0)?;
                    Some((climate.at(place)?, rain))
                };
                let of_cell = |cell: &Cell| match rain_at(cell.centre) {
                    None => clear,
                    Some((here, rain)) => budgets.cell(|b| in_rain(b, &here, rain)),
                };
                let of_gateway = |gateway: &Gateway| {
                    budgets
                        .feeder
                        .map_or(Fade::NONE, |b| match rain_at(gateway.place) {
                            None => b.clear(),
                            Some((here, rain)) => in_rain(b, &here, rain),
                        })
                };
                skyweave_plan::Weather {
                    cells: cells.par_iter().map(of_cell).collect::<Vec<_>>().into(),
                    gateways: gateways.iter().map(of_gateway).collect(),
                }
            }
        }
    }

    /// The weather in a line.
    pub(crate) fn words(&self, cells: &[Cell], gateways: &[Gateway]) -> String {
        match &self.weather {
            Weather::Clear => "clear sky".to_owned(),
            Weather::Exceedance { percent } => {
                format!("at each place what is exceeded for {percent} % of the year")
            }
            Weather::Rain(field) => {
                let when = match field.times() {
                    None => "always".to_owned(),
                    Some((from, to)) => format!("{} to {}", Utc::from(from), Utc::from(to)),
                };
                let cells_in = cells.iter().filter(|c| field.holds(c.centre)).count();
                let gateways_in = gateways.iter().filter(|g| field.holds(g.place)).count();
                format!(
                    "rain ({}), {when}, over {cells_in} of {} cells and {gateways_in} of {} gateways; dry elsewhere",
                    field.bounds,
                    cells.len(),
                    gateways.len()
                )
            }
        }
    }
}

/// Fades at the points of the climate grid, and between them over the cells: a cell costs no more than its four corners.
fn exceedance(
    budgets: &Budgets<'_>,
    climate: &ClimateGrid,
    percent: f64,
    cells: &[Cell],
    gateways: &[Gateway],
) -> skyweave_plan::Weather {
    let corners: Vec<Option<[(usize, f64); 4]>> = cells
        .par_iter()
        .map(|cell| {
            let (lat, lon) = degrees(cell.centre);
            climate.grid.around(lat, lon)
        })
        .collect();
    let mut used = vec![false; climate.grid.len()];
    for &(position, _) in corners.iter().flatten().flatten() {
        used[position] = true;
    }
    let at_points: Vec<Option<CellFade>> = used
        .par_iter()
        .enumerate()
        .map(|(position, used)| {
            let here = used.then(|| climate.at_point(position)).flatten()?;
            Some(budgets.cell(|b| exceeded(b, &here, percent)))
        })
        .collect();
    let clear = budgets.cell(LinkBudget::clear);
    let cells: Vec<CellFade> = corners
        .par_iter()
        .map(|corners| {
            let mut sum = [0.0; 4];
            let mut weights = 0.0;
            for (position, weight) in corners.iter().flatten() {
                let Some(fade) = at_points[*position] else {
                    continue;
                };
                let parts = [
                    fade.down.zenith_db,
                    fade.down.slope,
                    fade.up.zenith_db,
                    fade.up.slope,
                ];
                for (sum, part) in sum.iter_mut().zip(parts) {
                    *sum += weight * f64::from(part);
                }
                weights += weight;
            }
            if weights <= 0.0 {
                return clear;
            }
            let [down_db, down_slope, up_db, up_slope] = sum.map(|s| (s / weights) as f32);
            CellFade {
                down: Fade {
                    zenith_db: down_db,
                    slope: down_slope,
                },
                up: Fade {
                    zenith_db: up_db,
                    slope: up_slope,
                },
            }
        })
        .collect();
    let of_gateway = |gateway: &Gateway| {
        budgets.feeder.map_or(Fade::NONE, |b| {
            climate
                .at(gateway.place)
                .map_or(b.clear(), |here| exceeded(b, &here, percent))
        })
    };
    skyweave_plan::Weather {
        cells: cells.into(),
        gateways: gateways
            .par_iter()
            .map(of_gateway)
            .collect::<Vec<_>>()
            .into(),
    }
}
