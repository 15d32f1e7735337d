//! Misuse: what the network sees against what a terminal says. Each detector is a pure function from observations to a
//! [`Finding`] with its evidence and a proposal; whether anything follows is a person's decision, unless the operator
//! has said that a kind acts by itself.
//!
//! The limits are chosen so that honest users are hardly ever found: a test simulates travellers, convoys, border cells
//! and bad timing, and measures false alarms beside detections.

use crate::ids::{AccountId, BatchId, IncidentId, Market, UtId};
use serde::{Deserialize, Serialize};
use skyweave_base::{Ecef, Geodetic, Span, Time, great_circle_m};
use std::collections::{BTreeMap, BTreeSet};

/// What kind of misuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// The claimed position does not go with the path's delay or the serving cell.
    PositionAgainstRadio,
    /// One key in use at two places at once.
    KeyInTwoPlaces,
    /// Sold in one market and only ever seen in others.
    OutOfMarket,
    /// Many of one batch in a market where none was sold.
    BatchCluster,
    /// From one place to another faster than anything flies.
    ImpossibleTravel,
}

/// What was found, before anybody decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind.
    pub kind: IncidentKind,
    /// The terminals that it is about, by id.
    pub terminals: BTreeSet<UtId>,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
    /// What is proposed.
    pub proposal: Proposal,
}

/// A finding that was taken up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Which incident.
    pub id: IncidentId,
    /// When it was found.
    pub at: Time,
    /// The kind.
    pub kind: IncidentKind,
    /// The terminals that it is about.
    pub terminals: BTreeSet<UtId>,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
    /// What was proposed.
    pub proposal: Proposal,
    /// Where it stands.
    pub state: IncidentState,
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// Nobody has decided.
    Open,
    /// Nothing follows.
    Dismissed,
    /// The terminals were cut off.
    CutOff,
    /// The holder objects; the terminals stay cut off until it is heard.
    Appealed,
    /// The objection was right: service is back.
    Restored,
}

/// What is proposed to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proposal {
    /// Ask the holder to explain.
    AskHolder,
    /// Cut the terminals off.
    CutOff,
}

/// One piece of evidence. Positions are the terminals': they are personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The path to the satellite has another length than the claimed position gives.
    Range {
        /// When.
        at: Time,
        /// Length of the path as measured, m.
        measured_m: f64,
        /// Length from the claimed position, m.
        claimed_m: f64,
    },
    /// The claimed position is not in the serving cell.
    OutsideCell {
        /// When.
        at: Time,
        /// How far beyond its edge, m.
        beyond_m: f64,
    },
    /// Two sessions of one key.
    TwoSessions {
        /// When both were.
        at: Time,
        /// How far apart, m.
        apart_m: f64,
    },
    /// Sightings in a market.
    Seen {
        /// Where.
        market: Market,
        /// First.
        first: Time,
        /// Last.
        last: Time,
        /// How often.
        times: u32,
    },
    /// Terminals of a batch in a market.
    Batch {
        /// The batch.
        batch: BatchId,
        /// Where.
        market: Market,
        /// How many terminals.
        terminals: u32,
        /// Of how many holders.
        holders: u32,
    },
    /// Two places and the time between.
    Travel {
        /// Left at.
        from: Time,
        /// Arrived at.
        to: Time,
        /// Distance, m.
        distance_m: f64,
    },
}

impl Finding {
    /// Takes the finding up.
    pub fn open(self, id: IncidentId, at: Time) -> Incident {
        let Self {
            kind,
            terminals,
            evidence,
            proposal,
        } = self;
        Incident {
            id,
            at,
            kind,
            terminals,
            evidence,
            proposal,
            state: IncidentState::Open,
        }
    }
}

/// From when on something is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// A path's length may differ by this many of its standard deviations.
    pub range_sigmas: f64,
    /// And by this besides, m: errors that are not random (satellite position, terminal electronics).
    pub range_slack_m: f64,
    /// A position may be this far outside its cell, m: beams reach over their cell's edge.
    pub cell_slack_m: f64,
    /// This many contradictions in a row of observations…
    pub contradictions: u32,
    /// …and this share of them all: single errors of timing are not a lie.
    pub contradiction_share: f64,
    /// Sessions of one key this close are one terminal that was handed over or logged in again, m.
    pub same_place_m: f64,
    /// Seen elsewhere for this long without ever being at home: longer than a trip may last.
    pub away: Span,
    /// And at least so often.
    pub away_sightings: u32,
    /// A place this close to the market of sale counts as in it, m: cells reach across borders.
    pub border_m: f64,
    /// So many of one batch…
    pub cluster: u32,
    /// …that belong to this many holders at least: one holder's move is a convoy, to be asked about, not a trade.
    pub cluster_holders: u32,
    /// Nothing civil flies faster over ground, m/s.
    pub fastest_m_s: f64,
    /// Jumps shorter than this are errors of position, m.
    pub jump_m: f64,
}

impl Default for Limits {
    /// 6σ and 3 km of path; 25 km of beam; half of ten or more; 50 km; 62 days, as roaming is sold for two months; 25 km;
    /// 8 terminals of 4 holders; 400 m/s (an airliner in a jet stream reaches 350); 100 km.
    fn default() -> Self {
        Self {
            range_sigmas: 6.0,
            range_slack_m: 3e3,
            cell_slack_m: 25e3,
            contradictions: 10,
            contradiction_share: 0.5,
            same_place_m: 50e3,
            away: Span::from_secs(62 * 86_400),
            away_sightings: 20,
            border_m: 25e3,
            cluster: 8,
            cluster_holders: 4,
            fastest_m_s: 400.0,
            jump_m: 100e3,
        }
    }
}

/// A terminal's claimed position and what the radio path showed at that time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Time,
    /// Where the terminal says it is.
    pub claimed: Geodetic,
    /// Where the serving satellite was, Earth-fixed.
    pub satellite: Ecef,
    /// Length of the path between them from its delay, m.
    pub range_m: f64,
    /// Standard deviation of that, m.
    pub range_sigma_m: f64,
    /// Centre of the serving cell.
    pub cell_centre: Geodetic,
    /// Radius of the serving cell, m.
    pub cell_radius_m: f64,
}

/// Compares a terminal's claimed positions with the delay of its paths and its serving cells.
pub fn position_against_radio(
    terminal: UtId,
    seen: &[Observation],
    limits: &Limits,
) -> Option<Finding> {
    let contradiction = |o: &Observation| {
        let claimed_m = o.claimed.to_ecef().distance_m(o.satellite);
        let beyond_m = great_circle_m(o.claimed, o.cell_centre) - o.cell_radius_m;
        if (claimed_m - o.range_m).abs()
            > limits.range_sigmas * o.range_sigma_m + limits.range_slack_m
        {
            Some(Evidence::Range {
                at: o.at,
                measured_m: o.range_m,
                claimed_m,
            })
        } else if beyond_m > limits.cell_slack_m {
            Some(Evidence::OutsideCell { at: o.at, beyond_m })
        } else {
            None
        }
    };
    let evidence: Vec<Evidence> = seen.iter().filter_map(contradiction).collect();
    let enough = evidence.len() >= limits.contradictions as usize
        && evidence.len() as f64 >= limits.contradiction_share * seen.len() as f64;
    enough.then(|| {
        finding(
            IncidentKind::PositionAgainstRadio,
            [terminal],
            evidence,
            Proposal::CutOff,
        )
    })
}

/// A time in which a key was in use at one place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Begin.
    pub from: Time,
    /// End.
    pub until: Time,
    /// Where, by the radio: the serving cell's centre.
    pub place: Geodetic,
}

/// Finds sessions of one terminal's key that overlap in time and are far apart.
pub fn key_in_two_places(terminal: UtId, sessions: &[Session], limits: &Limits) -> Option<Finding> {
    let mut by_start: Vec<&Session> = sessions.iter().collect();
    by_start.sort_by_key(|s| (s.from, s.until));
    let mut evidence = Vec::new();
    for (n, a) in by_start.iter().enumerate() {
        for b in by_start[n + 1..].iter().take_while(|b| b.from < a.until) {
            let apart_m = great_circle_m(a.place, b.place);
            if apart_m > limits.same_place_m {
                evidence.push(Evidence::TwoSessions {
                    at: b.from,
                    apart_m,
                });
            }
        }
    }
    (!evidence.is_empty()).then(|| {
        finding(
            IncidentKind::KeyInTwoPlaces,
            [terminal],
            evidence,
            Proposal::CutOff,
        )
    })
}

/// A terminal was seen, by the radio, in a market.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// When.
    pub at: Time,
    /// In which country.
    pub market: Market,
    /// Distance to the market where it was sold, m; 0 in it.
    pub from_home_m: f64,
}

/// Whether the holder has told of a use elsewhere: an entry on the allow list there, or a declared convoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Declared {
    /// They have.
    Yes,
    /// They have not.
    No,
}

/// Finds a terminal that was never near the market where it was sold, over a longer time than a trip may last.
pub fn out_of_market(
    terminal: UtId,
    seen: &[Sighting],
    declared: Declared,
    limits: &Limits,
) -> Option<Finding> {
    if declared == Declared::Yes || seen.iter().any(|s| s.from_home_m <= limits.border_m) {
        return None;
    }
    let mut markets: BTreeMap<Market, (Time, Time, u32)> = BTreeMap::new();
    for s in seen {
        let m = markets.entry(s.market).or_insert((s.at, s.at, 0));
        *m = (m.0.min(s.at), m.1.max(s.at), m.2 + 1);
    }
    let evidence = |(market, (first, last, times))| Evidence::Seen {
        market,
        first,
        last,
        times,
    };
    never_at_home(
        terminal,
        markets.into_iter().map(evidence).collect(),
        limits,
    )
}

/// The finding on a terminal that was only ever seen in these markets, if that was for long enough.
pub(crate) fn never_at_home(
    terminal: UtId,
    seen: Vec<Evidence>,
    limits: &Limits,
) -> Option<Finding> {
    let (mut from, mut until, mut all) = (None::<Time>, None::<Time>, 0);
    for evidence in &seen {
        if let Evidence::Seen {
            first, last, times, ..
        } = evidence
        {
            from = Some(from.map_or(*first, |from| from.min(*first)));
            until = until.max(Some(*last));
            all += times;
        }
    }
    if until? - from? < limits.away || all < limits.away_sightings {
        return None;
    }
    Some(finding(
        IncidentKind::OutOfMarket,
        [terminal],
        seen,
        Proposal::AskHolder,
    ))
}

/// One terminal of a batch and where it is in use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchMember {
    /// The terminal.
    pub terminal: UtId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it was sold.
    pub sold_in: Market,
    /// Where it is in use.
    pub seen_in: Market,
    /// Whether that was told.
    pub declared: Declared,
}

/// Finds markets in which many terminals of a batch are in use, of several holders, and none was sold.
pub fn batch_cluster(batch: BatchId, members: &[BatchMember], limits: &Limits) -> Vec<Finding> {
    let sold: BTreeSet<Market> = members.iter().map(|m| m.sold_in).collect();
    let mut strangers: BTreeMap<Market, Vec<&BatchMember>> = BTreeMap::new();
    for m in members
        .iter()
        .filter(|m| m.declared == Declared::No && !sold.contains(&m.seen_in))
    {
        strangers.entry(m.seen_in).or_default().push(m);
    }
    let cluster = |(market, members): (Market, Vec<&BatchMember>)| {
        let terminals: BTreeSet<UtId> = members.iter().map(|m| m.terminal).collect();
        let holders: BTreeSet<AccountId> = members.iter().map(|m| m.account).collect();
        let (count, holders) = (terminals.len() as u32, holders.len() as u32);
        let evidence = vec![Evidence::Batch {
            batch,
            market,
            terminals: count,
            holders,
        }];
        (count >= limits.cluster && holders >= limits.cluster_holders).then(|| {
            finding(
                IncidentKind::BatchCluster,
                terminals,
                evidence,
                Proposal::AskHolder,
            )
        })
    };
    strangers.into_iter().filter_map(cluster).collect()
}

/// Finds neighbouring places in a terminal's track between which nothing flies so fast. `track` is in the order of time.
pub fn impossible_travel(
    terminal: UtId,
    track: &[(Time, Geodetic)],
    limits: &Limits,
) -> Option<Finding> {
    let too_fast = |pair: &[(Time, Geodetic)]| {
        let (from, to) = (pair[0].0, pair[1].0);
        let distance_m = great_circle_m(pair[0].1, pair[1].1);
        let reach_m = limits.fastest_m_s * (to - from).as_secs_f64().max(0.0) + limits.jump_m;
        (distance_m > reach_m).then_some(Evidence::Travel {
            from,
            to,
            distance_m,
        })
    };
    let evidence: Vec<Evidence> = track.windows(2).filter_map(too_fast).collect();
    // One jump there and one back is a single wrong position; it takes three to be a way of life.
    (evidence.len() >= 3).then(|| {
        finding(
            IncidentKind::ImpossibleTravel,
            [terminal],
            evidence,
            Proposal::AskHolder,
        )
    })
}

fn finding(
    kind: IncidentKind,
    terminals: impl IntoIterator<Item = UtId>,
    evidence: Vec<Evidence>,
    proposal: Proposal,
) -> Finding {
    Finding {
        kind,
        terminals: terminals.into_iter().collect(),
        evidence,
        proposal,
    }
}
