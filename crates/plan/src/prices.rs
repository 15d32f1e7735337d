//! Where beams are scarce: what a beam of each satellite is worth to those who compete for it.
//!
//! Without whole slices, channels and neighbours, most is delivered by a transportation problem: cell c takes d(c,s) from
//! satellite s, which costs d / r(c,s) of its beams. The dual has a price λ(s) of a satellite's beam. Traffic that r(c,s)
//! brings in a beam worth λ(s) costs the part λ / r of itself, its toll: in an optimal plan a cell takes its traffic where the
//! toll is least, and none where it is beyond 1, for there others do more with the beam (G. B. Dantzig, "Linear Programming
//! and Extensions", 1963, chapters 6 and 14). A cell that could fill all beams that it may have is short of beams: it takes
//! those with the greatest r − λ, and its toll is 1 − (r − λ) over its best rate.
//!
//! # Algorithm
//! 1. Each cell spreads what it asks over its satellites and over getting nothing, as the tolls to a negative power.
//! 2. Each price rises where more is asked than there is, and falls where less: at first by steps that grow while they go one
//!    way and halve when they turn; then by the ratio to the power of one over that power, which is Newton's step where only
//!    that price changes.
//! 3. Repeat with the power doubled, so that in the end nearly all goes where the toll is least.

use crate::instance::{Instance, Rates};

/// The powers of the tolls, each for so many rounds.
const POWERS: [i32; 4] = [16, 32, 64, 128];
const ROUNDS: usize = 20;
/// Pairs looked at in a round: where there are more, one cell in so many stands for its likes.
const MOST_PAIRS: usize = 100_000;
/// A price is at least this part of the best rate: a beam that nobody competes for is nearly free.
const LEAST_PART: f64 = 0.05;
/// Steps of the first rounds, as parts of the price: the first, the least and greatest, and by what they grow and shrink.
const FIRST_STEP: f64 = 0.1;
const STEPS: (f64, f64) = (0.001, 0.25);
const GROWTH: (f64, f64) = (1.3, 0.5);
/// The greatest change of a price in a later round.
const MOST_CHANGE: f64 = 1.1;
/// Tolls beyond these are as good as these.
const TOLLS: (f64, f64) = (0.05, 20.0);
/// A cell whose ask fills so much of its beams at their best is short of beams.
const SHORT_OF_BEAMS: f64 = 0.9;

/// Prices of beams.
#[derive(Clone)]
pub(crate) struct Prices {
    /// Of each satellite, kbit/s of a whole beam.
    beam_kbps: Vec<f64>,
    /// The best rate of each cell that is short of beams.
    short_kbps: Vec<Option<f64>>,
}

impl Prices {
    /// `budget`: what each satellite can bring from the ground, kbit/s; one with nothing is not asked.
    pub(crate) fn new(instance: &Instance, budget: &[u64]) -> Self {
        let best = most(instance);
        let mut prices = Self {
            beam_kbps: vec![best / 2.0; budget.len()],
            short_kbps: (0..instance.cells.len())
                .map(|c| short_of_beams(instance, c))
                .collect(),
        };
        let beams = instance.beams;
        let all_beams = f64::from(beams.channels) * f64::from(beams.beams_per_channel);
        let mut step = vec![FIRST_STEP; budget.len()];
        let mut rose = vec![false; budget.len()];
        for (stage, power) in POWERS.into_iter().enumerate() {
            for _ in 0..ROUNDS {
                let asked = prices.asked(instance, budget, power);
                for (s, (beams, kbps)) in asked.into_iter().enumerate() {
                    let ratio = (beams / all_beams).max(kbps / budget[s].max(1) as f64);
                    let change = if stage == 0 {
                        let rises = ratio > 1.0;
                        let growth = if rises == rose[s] { GROWTH.0 } else { GROWTH.1 };
                        rose[s] = rises;
                        step[s] = (step[s] * growth).clamp(STEPS.0, STEPS.1);
                        (1.0 + step[s]).powi(if rises { 1 } else { -1 })
                    } else {
                        let newton = ratio.powf(1.0 / f64::from(power));
                        newton.clamp(1.0 / MOST_CHANGE, MOST_CHANGE)
                    };
                    prices.beam_kbps[s] = (prices.beam_kbps[s] * change).max(LEAST_PART * best);
                }
            }
        }
        prices
    }

    /// The toll of a beam of a satellite that brings the cell so much.
    pub(crate) fn toll(&self, cell: usize, satellite: u32, rate_kbps: u32) -> f32 {
        let rate = f64::from(rate_kbps);
        let of = self.short_kbps[cell].unwrap_or(rate);
        (1.0 - (rate - self.beam_kbps[satellite as usize]) / of.max(1.0)) as f32
    }

    /// What is asked of each satellite at these prices: beams, and kbit/s.
    fn asked(&self, instance: &Instance, budget: &[u64], power: i32) -> Vec<(f64, f64)> {
        let reach = &instance.reach;
        let mut asked = vec![(0.0, 0.0); budget.len()];
        let mut options: Vec<(u32, f64, f64)> = Vec::new();
        let every = reach.satellites.count() / MOST_PAIRS + 1;
        for c in (0..instance.cells.len()).step_by(every) {
            options.clear();
            for (i, &s) in reach.satellites.range(c).zip(reach.satellites.row(c)) {
                let rate = reach.rates.of_pair(i);
                if budget[s as usize] > 0 && rate > 0 {
                    let toll = f64::from(self.toll(c, s, rate)).clamp(TOLLS.0, TOLLS.1);
                    options.push((s, f64::from(rate), toll.powi(-power)));
                }
            }
            let all: f64 = options.iter().map(|o| o.2).sum();
            if all == 0.0 {
                continue;
            }
            let mean_rate = options.iter().map(|o| o.1 * o.2).sum::<f64>() / all;
            let ask =
                (instance.cells[c].demand_kbps as f64).min(most_beams(instance, c) * mean_rate);
            for &(s, rate, weight) in &options {
                let kbps = ask * every as f64 * weight / (1.0 + all);
                let (beams, sum) = &mut asked[s as usize];
                *beams += kbps / rate;
                *sum += kbps;
            }
        }
        asked
    }
}

/// Whether beams of different satellites bring a cell different rates: else there is nothing to choose.
pub(crate) fn rates_differ(instance: &Instance) -> bool {
    matches!(instance.reach.rates, Rates::PerPair(_))
}

fn most_beams(instance: &Instance, c: usize) -> f64 {
    f64::from(instance.beams.most_of_cell(instance.cells[c].terminals))
}

/// The cell's best rate, kbit/s, if it is short of beams.
fn short_of_beams(instance: &Instance, c: usize) -> Option<f64> {
    let best = f64::from(instance.reach.best_kbps(c)?);
    let demand = instance.cells[c].demand_kbps as f64;
    (demand > SHORT_OF_BEAMS * most_beams(instance, c) * best).then_some(best)
}

/// The best rate of all pairs, kbit/s.
fn most(instance: &Instance) -> f64 {
    let best = (0..instance.cells.len()).filter_map(|c| instance.reach.best_kbps(c));
    f64::from(best.max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csr::Csr;
    use crate::instance::{BeamPlan, CellAsk, GatewayLimit, Network, Reach};
    use crate::solve::{Kept, solve};

    /// Cells that see satellites at given rates and fill one beam each; every satellite has eight beams and its own gateway.
    fn instance(cells: &[&[(u32, u32)]], satellites: usize) -> Instance {
        let beams = BeamPlan {
            channels: 8,
            beams_per_channel: 1,
            time_slices: 8,
        };
        let mut reach = Csr::default();
        let mut neighbours = Csr::default();
        let mut gateways = Csr::default();
        cells
            .iter()
            .for_each(|row| reach.push_row(row.iter().map(|p| p.0)));
        cells.iter().for_each(|_| neighbours.push_row([]));
        (0..satellites as u32).for_each(|s| gateways.push_row([s]));
        let rates: Vec<u32> = cells
            .iter()
            .flat_map(|row| row.iter().map(|p| p.1))
            .collect();
        let ask = |row: &&[(u32, u32)]| {
            let best = row.iter().map(|p| p.1).max().unwrap();
            CellAsk::new(80, best.into(), best, beams)
        };
        Instance {
            beams,
            cells: cells.iter().map(ask).collect(),
            reach: Reach {
                satellites: reach,
                preference: vec![128; rates.len()],
                preference_weight: 0.25,
                rates: Rates::PerPair(rates),
                far: Vec::new(),
            },
            neighbours: std::sync::Arc::new(neighbours),
            network: Network {
                satellites,
                gateways: vec![
                    GatewayLimit {
                        total_kbps: 10_000_000,
                        satellites: None
                    };
                    satellites
                ],
                gateways_of: gateways,
                antenna_kbps: 10_000_000,
                satellite_kbps: 10_000_000,
                ..Network::default()
            },
        }
    }

    #[test]
    fn the_price_is_what_the_last_to_be_served_would_pay_and_nothing_where_there_is_enough() {
        // Twenty cells for the eight beams of one satellite, and one cell that has another for itself.
        let rows: Vec<Vec<(u32, u32)>> = (0..20)
            .map(|i| vec![(0, 100_000 + 1_000 * i)])
            .chain([vec![(1, 100_000)]])
            .collect();
        let rows: Vec<&[(u32, u32)]> = rows.iter().map(Vec::as_slice).collect();
        let prices = Prices::new(&instance(&rows, 2), &[10_000_000; 2]);
        // The eight best bring 112,000 to 119,000. Spreading over close choices costs a hundredth at the last power.
        let dear = prices.beam_kbps[0];
        assert!((110_000.0..113_500.0).contains(&dear), "{dear}");
        assert!(prices.beam_kbps[1] <= 1.01 * LEAST_PART * 119_000.0);
    }

    #[test]
    fn scarce_beams_go_where_they_bring_most_and_every_cell_has_some() {
        // Satellite 1 is nearly as good as 0 for the first eight cells, and poor for the next eight; the last eight see
        // only 0, and poorly.
        let rows: Vec<Vec<(u32, u32)>> = (0..24)
            .map(|i| match i / 8 {
                0 => vec![(0, 100_000), (1, 96_000)],
                1 => vec![(0, 100_000), (1, 20_000)],
                _ => vec![(0, 50_000)],
            })
            .collect();
        let rows: Vec<&[(u32, u32)]> = rows.iter().map(Vec::as_slice).collect();
        let solution = solve(&instance(&rows, 2), &Kept::default());
        let mut of_cell = [0_u64; 24];
        for slot in &solution.slots {
            of_cell[slot.cell as usize] += u64::from(slot.delivered_kbps);
        }
        assert!(of_cell.iter().all(|&kbps| kbps > 0), "{of_cell:?}");
        // The first eight on 1: 768,000. The last eight have a slice each, 50,000 together, so that 700,000 are left for the
        // others. A hundredth is left for whole slices.
        let best = 768_000 + 50_000 + 700_000;
        let delivered: u64 = of_cell.iter().sum();
        assert!(100 * delivered >= 99 * best, "{delivered} of {best}");
    }
}
