//! A live run as the HTTP interface sees it.

use super::service::claim_of;
use super::{LiveRun, lock};
use crate::api::{Epoch, LiveNetwork};
use crate::metrics::Writer;
use skyweave_base::Time;
use skyweave_plan::Plan;
use skyweave_service::{Claim, UtId};
use skyweave_world::Conditions;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Whole plans that are kept: the one that is on, those ready for what follows, and the one before.
const PLANS: usize = 4;

/// The last plans, and who waits for the next.
pub(super) struct Published {
    plans: Mutex<VecDeque<Arc<Plan>>>,
    last: watch::Sender<i64>,
}

impl Default for Published {
    fn default() -> Self {
        Self {
            plans: Mutex::default(),
            last: watch::channel(0).0,
        }
    }
}

impl Published {
    /// Takes over a plan whose report is known.
    pub(super) fn publish(&self, plan: Plan) {
        let epoch = plan.epoch.0;
        let mut plans = lock(&self.plans);
        plans.push_back(Arc::new(plan));
        if plans.len() > PLANS {
            plans.pop_front();
        }
        drop(plans);
        self.last.send_replace(epoch);
    }

    /// Puts a plan in the place of that of its epoch, if that is still kept.
    pub(super) fn amend(&self, plan: Plan) {
        let mut plans = lock(&self.plans);
        if let Some(kept) = plans.iter_mut().find(|p| p.epoch == plan.epoch) {
            *kept = Arc::new(plan);
        }
    }

    pub(super) fn plan(&self, epoch: i64) -> Option<Arc<Plan>> {
        let plans = lock(&self.plans);
        plans.iter().find(|p| p.epoch.0 == epoch).cloned()
    }
}

/// A run that is on the air.
pub(crate) struct OnAir(pub(crate) Arc<LiveRun>);

impl LiveNetwork for OnAir {
    fn now(&self) -> Time {
        self.0.clock.now()
    }

    fn claim(&self, id: UtId) -> Option<Claim> {
        let sessions = lock(&self.0.sessions);
        let (live, _) = sessions.iter().find(|(_, s)| s.terminal == id)?;
        let live = *live;
        drop(sessions);
        let world = lock(&self.0.world);
        let terminal = world.terminal_by_id(live)?;
        Some(claim_of(&world, terminal, self.0.clock.now()))
    }

    fn measure(&self, writer: &mut Writer<'_, '_>) -> core::fmt::Result {
        self.0.measure(writer)
    }

    fn epochs(&self) -> Vec<Epoch> {
        let reports = lock(&self.0.state).reports.clone();
        let epoch = |r: &super::Report| Epoch {
            number: r.summary.epoch,
            start: r.start_ns,
            end: r.end_ns,
            // A report's maps have texts as keys: it is JSON.
            report: serde_json::to_value(r).unwrap_or_default(),
        };
        reports.iter().map(epoch).collect()
    }

    fn plan(&self, epoch: i64) -> Option<Arc<Plan>> {
        self.0.published.plan(epoch)
    }

    fn watch(&self) -> watch::Receiver<i64> {
        self.0.published.last.subscribe()
    }

    fn conditions(&self) -> Conditions {
        lock(&self.0.world).conditions().clone()
    }

    fn check_conditions(&self, conditions: &Conditions) -> Result<(), String> {
        let fits = lock(&self.0.world).check_conditions(conditions);
        fits.map_err(|e| e.to_string())
    }

    fn set_conditions(&self, conditions: Conditions) -> Result<(), String> {
        let set = lock(&self.0.world).set_conditions(conditions);
        set.map_err(|e| e.to_string())
    }
}
