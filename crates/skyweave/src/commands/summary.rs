//! What is told of a plan: the fields of `--json`, and a line for people.

use serde::Serialize;
use skyweave_base::Utc;
use skyweave_plan::{Access, Plan, Reason};
use std::collections::BTreeMap;

/// One epoch in figures. The names are a contract: scripts read them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) epoch: i64,
    pub(crate) start: Utc,
    pub(crate) plan_hash: String,
    /// Time that planning took; a plan from a file does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) planning_ms: Option<f64>,
    pub(crate) satellites_in_service: u32,
    pub(crate) satellites_serving: usize,
    pub(crate) gateways_used: usize,
    pub(crate) cells_with_demand: usize,
    pub(crate) cells_served: usize,
    pub(crate) terminals: u64,
    pub(crate) terminals_served: u64,
    pub(crate) slots_assigned: usize,
    pub(crate) delivered_gbps: f64,
    pub(crate) demand_gbps: f64,
    /// Cells for each reason.
    pub(crate) unserved: BTreeMap<Reason, usize>,
    /// Terminals for each reason.
    pub(crate) unserved_terminals: BTreeMap<Reason, u64>,
    pub(crate) moved_terminals: u64,
    pub(crate) live_terminals: usize,
    pub(crate) live_terminals_served: usize,
}

impl Summary {
    pub(crate) fn of(plan: &Plan, planning_ms: Option<f64>) -> Self {
        let gbps = |kbps: u64| kbps as f64 / 1e6;
        let mut unserved = BTreeMap::new();
        let mut unserved_terminals = BTreeMap::new();
        for cell in &plan.cells {
            if let Some(reason) = cell.unserved {
                *unserved.entry(reason).or_insert(0) += 1;
                *unserved_terminals.entry(reason).or_insert(0) += u64::from(cell.terminals);
            }
        }
        let terminals = plan
            .cells
            .iter()
            .map(|c| u64::from(c.terminals))
            .sum::<u64>();
        let mut serving: Vec<_> = plan.slots.iter().map(|s| s.satellite).collect();
        serving.sort_unstable();
        serving.dedup();
        let mut gateways: Vec<_> = plan.feeders.iter().map(|f| f.gateway).collect();
        gateways.dedup();
        Self {
            epoch: plan.epoch.0,
            start: plan.start.into(),
            plan_hash: plan.hash(),
            planning_ms,
            satellites_in_service: plan.satellites_in_service,
            satellites_serving: serving.len(),
            gateways_used: gateways.len(),
            cells_with_demand: plan.cells.len(),
            cells_served: plan.cells.iter().filter(|c| c.unserved.is_none()).count(),
            terminals,
            terminals_served: terminals - unserved_terminals.values().sum::<u64>(),
            slots_assigned: plan.slots.len(),
            delivered_gbps: gbps(plan.cells.iter().map(|c| c.delivered_kbps).sum()),
            demand_gbps: gbps(plan.cells.iter().map(|c| c.demand_kbps).sum()),
            unserved,
            unserved_terminals,
            moved_terminals: plan.moved_terminals,
            live_terminals: plan.terminals.len(),
            live_terminals_served: plan
                .terminals
                .iter()
                .filter(|t| t.service.is_ok_and(|s| s.access > Access::AccountPage))
                .count(),
        }
    }
}

/// `number` with its thousands apart.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `part` of `whole` in per cent, never rounded up to 100.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 || part == whole {
        return if whole == 0 {
            "-".to_owned()
        } else {
            "100%".to_owned()
        };
    }
    format!(
        "{:.1}%",
        (part as f64 / whole as f64 * 1000.0).floor() / 10.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(10_050_000), "10,050,000");
        assert_eq!(percent(9999, 10_000), "99.9%");
        assert_eq!(percent(99_999, 100_000), "99.9%");
        assert_eq!(percent(3, 3), "100%");
        assert_eq!(percent(0, 0), "-");
    }
}
