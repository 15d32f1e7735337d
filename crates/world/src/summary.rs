//! What a loaded scenario holds, for people and for `--json`.

use crate::world::World;
use core::fmt;
use serde::Serialize;
use skyweave_base::Utc;

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The scenario's name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// When it begins.
    pub start: Utc,
    /// Satellites in the element file or the shells.
    pub satellites: usize,
    /// Those in service.
    pub satellites_in_service: usize,
    /// How many are left out for each reason.
    pub left_out: Vec<(String, usize)>,
    /// Median distance of the elements from the start, days; 0 for Walker shells.
    pub median_element_age_days: f64,
    /// How the Earth stands: by the built-in table, or without one.
    pub earth_orientation: &'static str,
    /// Laser links.
    pub lasers: usize,
    /// The radio profile.
    pub profile: String,
    /// The weather, in words.
    pub weather: String,
    /// Gateways in use, and in the list.
    pub gateways: (usize, usize),
    /// Points of presence in use, and in the list.
    pub pops: (usize, usize),
    /// Cells with demand.
    pub cells: usize,
    /// Terminals, live ones included.
    pub terminals: u64,
    /// What they ask, each place in its busiest hour, Gbit/s.
    pub demand_gbps: f64,
    /// The part of it that the background asks at each full hour of its local day; `None`: the same at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demand_by_hour: Option<[f64; 24]>,
    /// Names of the live terminals.
    pub live_terminals: Vec<String>,
}

impl Summary {
    pub(crate) fn of(world: &World) -> Self {
        let sky = &world.constellation;
        let mut left_out: Vec<(String, usize)> = Vec::new();
        for reason in sky.left_out.iter().flatten().map(ToString::to_string) {
            match left_out.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => left_out.push((reason, 1)),
            }
        }
        left_out.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Self {
            name: world.name.clone(),
            description: world.description.clone(),
            start: world.start.into(),
            satellites: sky.elements.len(),
            satellites_in_service: sky.in_service(),
            left_out,
            median_element_age_days: sky.median_age.as_secs_f64() / 86_400.0,
            earth_orientation: match sky.earth_orientation {
                true => "UT1 and polar motion of the IERS (built-in table)",
                false => {
                    "UT1 = UTC, no polar motion (the built-in table does not cover the start): at most 460 m off"
                }
            },
            lasers: sky.lasers.len(),
            profile: world.profile.name.clone(),
            weather: world.atmosphere.words(&world.cells, world.gateways()),
            gateways: (world.ground.gateways.len(), world.ground.gateways_listed),
            pops: (world.ground.pops.len(), world.ground.pops_listed),
            cells: world.cells.len(),
            terminals: world.cells.iter().map(|c| u64::from(c.terminals)).sum(),
            demand_gbps: world.cells.iter().map(|c| c.demand_kbps).sum::<u64>() as f64 / 1e6,
            demand_by_hour: world.demand_by_hour().map(|curve| *curve.hours()),
            live_terminals: world.terminals.iter().map(|t| t.name.clone()).collect(),
        }
    }
}

impl fmt::Display for Summary {
    /// A few lines, without a line end after the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if !self.description.is_empty() {
            write!(f, ": {}", self.description)?;
        }
        write!(f, "\nstart       {}", self.start)?;
        write!(
            f,
            "\nsatellites  {} in service of {}",
            self.satellites_in_service, self.satellites
        )?;
        if self.median_element_age_days > 0.0 {
            write!(
                f,
                ", elements {:.1} days from the start (median)",
                self.median_element_age_days
            )?;
        }
        for (reason, count) in &self.left_out {
            write!(f, "\n            {count} left out: {reason}")?;
        }
        write!(f, "\nearth       {}", self.earth_orientation)?;
        write!(f, "\nlasers      {} links", self.lasers)?;
        write!(f, "\nradio       {}; {}", self.profile, self.weather)?;
        write!(
            f,
            "\ngateways    {} of {} listed",
            self.gateways.0, self.gateways.1
        )?;
        write!(f, "\npops        {} of {} listed", self.pops.0, self.pops.1)?;
        write!(
            f,
            "\ndemand      {} terminals in {} cells ask {:.1} Gbit/s",
            self.terminals, self.cells, self.demand_gbps
        )?;
        if let Some(hours) = &self.demand_by_hour {
            let least = hours.iter().copied().fold(1.0, f64::min);
            write!(
                f,
                " in the busiest hour, {:.0} % of it in the quietest of the local day",
                100.0 * least
            )?;
        }
        if !self.live_terminals.is_empty() {
            write!(f, "\nlive        {}", self.live_terminals.join(", "))?;
        }
        Ok(())
    }
}
