//! A plan whose terminals' access has changed since it was made.

use crate::inputs::{Access, LiveTerminal};
use crate::output::{Plan, Reason, Service};

impl Plan {
    /// The plan for the same epoch with the access of its live terminals as it is now. Beams, links and routes stay; rates only
    /// shrink. So it breaks no rule that the plan kept, and needs no time: what a change gives beyond that comes with the
    /// next plan. A terminal that had no access at all when the plan was made stays without.
    ///
    /// `None` if nothing is different.
    pub fn amended(&self, live: &[LiveTerminal]) -> Option<Self> {
        let mut amended = None;
        for (i, outcome) in self.terminals.iter().enumerate() {
            let at = live.binary_search_by_key(&outcome.terminal, |t| t.id);
            let Ok(now) = at.map(|at| &live[at]) else {
                // It has left: nothing is known of it.
                continue;
            };
            let service = match outcome.service {
                _ if now.access == Access::None => Err(Reason::Forbidden),
                Ok(service) => Ok(Service {
                    down_kbps: service.down_kbps.min(now.ask_kbps),
                    up_kbps: service.up_kbps.min(now.most_up_kbps),
                    // It holds its share of what was planned for others, not theirs.
                    access: match service.access {
                        Access::Full => now.access,
                        _ => now.access.min(Access::Limited),
                    },
                    ..service
                }),
                Err(reason) => Err(reason),
            };
            if service != outcome.service {
                amended.get_or_insert_with(|| self.clone()).terminals[i].service = service;
            }
        }
        amended
    }
}
