//! A live run as metrics: what was counted of its plans, and how its network stands at a scrape.

use super::{LiveRun, LiveTerminalReport, Report, lock, ut_id};
use crate::metrics::{
    EpochSample, NetworkSample, Planning, Serving, TerminalSample, Writer, label,
};
use skyweave_dataplane::LaneCounters;
use std::fmt;

impl Report {
    /// Counts the plan that this tells of.
    pub(super) fn count(&self, planning: &mut Planning) {
        let serving = |t: &LiveTerminalReport| {
            let serving = Serving {
                satellite: t.satellite.clone()?,
                gateway: t.gateway.clone()?,
                pop: t.pop.clone()?,
            };
            Some(serving)
        };
        let live = self.live.iter().map(|t| (t.id, serving(t)));
        let took_s = self.summary.planning_ms.unwrap_or(0.0) / 1e3;
        planning.count(took_s, self.late, self.summary.moved_terminals, live);
    }
}

impl LiveRun {
    /// Writes the metrics of the network as it stands now.
    pub(crate) fn measure(&self, writer: &mut Writer<'_, '_>) -> fmt::Result {
        let now = self.clock.now();
        let (planning, report) = {
            let state = lock(&self.state);
            // A plan that is late is not followed yet, and then none of these is.
            let passes = |r: &&Report| r.start_ns <= now && now < r.end_ns;
            let report = state.reports.iter().rev().find(passes);
            (state.planning.clone(), report.cloned())
        };
        let terminals = report.as_ref().map(|report| self.terminals(report));
        writer.network(&NetworkSample {
            planning: &planning,
            epoch: report.as_ref().map(epoch),
            terminals: terminals.unwrap_or_default(),
        })
    }

    fn terminals(&self, report: &Report) -> Vec<TerminalSample> {
        let stats = self.network().map(crate::live::Network::stats);
        let lanes = |id| -> Option<[LaneCounters; 2]> {
            let terminals = &stats.as_ref()?.terminals;
            let (_, counters) = terminals.iter().find(|(terminal, _)| *terminal == id)?;
            Some([counters.down, counters.up])
        };
        let world = lock(&self.world);
        let sample = |told: &LiveTerminalReport| {
            // One that has left meanwhile is in the plan still.
            let terminal = world.terminal_by_id(told.id)?;
            let dish = self.dishes.as_ref().and_then(|d| d.measured(told.id));
            Some(TerminalSample {
                id: told.id,
                ut: ut_id(&world, terminal).to_string(),
                code: dish.as_ref().map_or("OKAY", |(code, _)| code).to_owned(),
                unserved: told.unserved.as_ref().map(label),
                down_bps: told.down_mbps * 1e6,
                up_bps: told.up_mbps * 1e6,
                lanes: lanes(told.id),
                pings: dish.map(|(_, pings)| pings),
            })
        };
        report.live.iter().filter_map(sample).collect()
    }
}

fn epoch(report: &Report) -> EpochSample {
    let s = &report.summary;
    let n = |n: usize| n as u64;
    let unserved = s.unserved.iter();
    EpochSample {
        number: s.epoch,
        satellites_in_service: s.satellites_in_service.into(),
        satellites_serving: n(s.satellites_serving),
        gateways_used: n(s.gateways_used),
        cells_served: n(s.cells_served),
        cells_unserved: unserved
            .map(|(reason, cells)| (reason.to_string(), n(*cells)))
            .collect(),
        terminals: s.terminals,
        terminals_served: s.terminals_served,
        demand_bps: s.demand_gbps * 1e9,
        delivered_bps: s.delivered_gbps * 1e9,
    }
}
