//! The service of a live run: who its terminals have proved to be, what is decided of them, and how that is felt at once.
//!
//! Plans are made ahead, and a plan that is made is not made anew. So a decision goes two ways: into the inputs of the next
//! plan, with everything that it gives, and at once into the plans that packets follow or will follow, as an amendment that
//! changes no beam ([`Plan::amended`], ADR 7). What packets may do thus never waits for a boundary or for the planner.

use super::{LiveRun, Turns, describe, hold_to_rules, lock, ut_id};
use crate::access::{
    AccountPage, Enrolment, GUESTS, SCENARIO_TERMINALS, Said, Service, Watch, claim,
};
use crate::commands::wall_clock;
use crate::live::{LiveError, Page, Stats};
use crate::operator::Database;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use skyweave_base::{SPEED_OF_LIGHT_M_S, Span, TerminalId, Time, great_circle_m};
use skyweave_dataplane::InstallError;
use skyweave_dish::Disablement;
use skyweave_plan::{Inputs, Plan};
use skyweave_service::{
    Challenge, Claim, Code, Counted, Decision, Observation, Observed, Proof, UtId,
};
use skyweave_world::{Terminal, World};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// How often decisions are looked at: a change is felt by packets this long after the call, and a moment.
const LOOK: Span = Span::from_millis(200);
/// Counters are read and observations made with every so many looks.
const LOOKS_PER_COUNT: u32 = 5;

/// A round trip is measured to some 5 µs (dataplane and kernel; `docs/service.md`, "Misuse"), here as length of the path.
const RANGE_SIGMA_M: f64 = 5e-6 * SPEED_OF_LIGHT_M_S;

/// A plan that packets follow or will follow.
pub(super) struct Made {
    /// What it was made of.
    pub(super) inputs: Inputs,
    /// As the planner made it: each amendment is of this.
    pub(super) plan: Plan,
    pub(super) revision: u32,
}

impl Made {
    /// The plan by the decisions of now, if they are others than those it was made of.
    pub(super) fn amended(&self, world: &World) -> Result<Option<Plan>> {
        let live = world.live_terminals(self.plan.epoch);
        let Some(amended) = self.plan.amended(&self.inputs, &live) else {
            return Ok(None);
        };
        hold_to_rules(&amended.inputs, &amended.plan)?;
        Ok(Some(amended.plan))
    }
}

/// Who a live terminal has proved to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) terminal: UtId,
    pub(super) from: Time,
}

/// How the service is, for the epoch line and for `status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServiceStatus {
    /// Where it is kept.
    pub(crate) database: String,
    /// Why nothing can be changed at the moment; entitlements are those of before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) away: Option<String>,
    /// For how long, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) away_s: Option<u64>,
}

impl LiveRun {
    /// Looks at the service's decisions until the run stops.
    pub(crate) fn keep_deciding(&self) {
        for look in 0_u32.. {
            if !self.wait_until(self.clock.now() + LOOK) {
                return self.count_rest();
            }
            match self.look(look.is_multiple_of(LOOKS_PER_COUNT)) {
                Ok(()) => {}
                Err(error) if matches!(error.downcast_ref(), Some(LiveError::Ended)) => return,
                Err(error) => {
                    lock(&self.state).failed = Some(format!("{error:#}"));
                    self.changed.notify_all();
                    return;
                }
            }
        }
    }

    /// Takes over what the service decides now. What has changed is felt by packets when this returns.
    pub(super) fn look(&self, count: bool) -> Result<()> {
        let (Some(service), Some(watch)) = (&self.service, &self.watch) else {
            return Ok(());
        };
        self.note_database();
        let (desk, mut watch, t) = (service.desk(), lock(watch), self.clock.now());
        watch.follow(desk, t);
        let sessions = lock(&self.sessions).clone();
        let (said, background) = {
            let world = lock(&self.world);
            (said(&world, &sessions, t), Arc::clone(world.background()))
        };
        let decided = watch.decide(desk, &said, t);
        if let (Some(network), true) = (&self.network, count) {
            watch.count(desk, counted(&said, &network.stats()), t);
            watch.observe(desk, &self.observed(&sessions, t), t, wall_clock());
        }
        let closed = watch.closed_cells(&background, t);
        drop(watch);
        let changed = {
            let mut world = lock(&self.world);
            if let Some(closed) = closed {
                world.close_cells(closed);
            }
            let changed = decided.iter().any(|(id, decision)| {
                let terminal = world.terminal_by_id(*id);
                terminal.is_some_and(|t| t.decision.as_ref() != Some(decision))
            });
            if changed {
                world.set_decisions(decided.iter().copied());
            }
            changed
        };
        if let Some(dishes) = &self.dishes {
            for (id, decision) in &decided {
                dishes.set_entitlement(*id, shown(decision.code()));
            }
        }
        if changed { self.amend() } else { Ok(()) }
    }

    /// Tells the desk of what the run has carried until its end.
    fn count_rest(&self) {
        let (Some(service), Some(watch), Some(network)) =
            (&self.service, &self.watch, &self.network)
        else {
            return;
        };
        let (desk, mut watch, t) = (service.desk(), lock(watch), self.clock.now());
        let sessions = lock(&self.sessions).clone();
        let said = said(&lock(&self.world), &sessions, t);
        watch.count(desk, counted(&said, &network.stats()), t);
        watch.tell(desk, t);
    }

    /// Lets whoever watches know when the database goes away and when it is back.
    fn note_database(&self) {
        let away = self.service_status().is_some_and(|s| s.away.is_some());
        let mut state = lock(&self.state);
        if state.database.away != away {
            state.database = Turns {
                count: state.database.count + 1,
                away,
            };
            self.changed.notify_all();
        }
    }

    /// Brings the plans that packets follow or will follow up to the decisions of now.
    fn amend(&self) -> Result<()> {
        let now = self.clock.now();
        let mut made = lock(&self.made);
        let current = made.iter().rposition(|m| m.plan.start <= now).unwrap_or(0);
        for made in &mut made[current..] {
            made.revision += 1;
            let (table, mut live, followed) = {
                let world = lock(&self.world);
                let plan = made.amended(&world)?.unwrap_or_else(|| made.plan.clone());
                let mut table = world.forwarding(&plan);
                table.revision = made.revision;
                let told = plan.terminals.iter();
                let told: Vec<_> = told.map(|o| describe(&world, &plan, &table, o)).collect();
                (table, told, plan)
            };
            if let Some(network) = &self.network {
                match network.install(Arc::new(table)) {
                    // The next epoch has begun in between; its own table is amended too.
                    Err(LiveError::Table(InstallError::Old { .. })) => {}
                    done => done?,
                }
            }
            self.introduce(&mut live);
            let mut state = lock(&self.state);
            let epoch = made.plan.epoch.0;
            if let Some(report) = state.reports.iter_mut().find(|r| r.summary.epoch == epoch) {
                report.live = live;
            }
            drop(state);
            self.published.amend(followed);
        }
        self.changed.notify_all();
        Ok(())
    }

    /// What the radio shows of each terminal at `t`: the network knows the delay of its path, not where it is.
    fn observed(&self, sessions: &BTreeMap<TerminalId, Session>, t: Time) -> Vec<Observed> {
        let made = lock(&self.made);
        let Some(made) = made.iter().rfind(|m| m.plan.start <= t) else {
            return Vec::new();
        };
        let world = lock(&self.world);
        let outcomes = made.plan.terminals.iter();
        let observed = outcomes.filter_map(|outcome| {
            let session = sessions.get(&outcome.terminal)?;
            let (cell_centre, cell_radius_m) = world.cell_place(outcome.cell)?;
            let terminal = world.terminal_by_id(outcome.terminal)?;
            let slot = made.plan.slots[outcome.service.ok()?.slot as usize];
            let satellite = world.ephemeris().position(slot.satellite, t).ok()?;
            Some(Observed {
                terminal: session.terminal,
                epoch: made.plan.epoch,
                from: session.from,
                seen: Observation {
                    at: t,
                    claimed: world.claimed(terminal, t),
                    satellite,
                    range_m: world.position(terminal, t).to_ecef().distance_m(satellite),
                    range_sigma_m: RANGE_SIGMA_M,
                    cell_centre,
                    cell_radius_m,
                },
            })
        });
        let mut observed: Vec<_> = observed.collect();
        observed.sort_by_key(|o| o.terminal);
        observed
    }

    pub(super) fn admit(&self, live: TerminalId, terminal: UtId) {
        let from = self.clock.now();
        lock(&self.sessions).insert(live, Session { terminal, from });
    }

    /// A terminal that joins at a place proves who it is: by the proof that it brought, or with a key of this machine.
    pub(super) fn prove(&self, id: TerminalId, proof: Option<&Proof>) -> Result<()> {
        let Some(service) = &self.service else {
            anyhow::ensure!(
                proof.is_none(),
                "this network has no service: no terminal has a key there"
            );
            return Ok(());
        };
        let now = self.clock.now();
        let terminal = match proof {
            Some(proof) => service.judge(proof, now)?,
            None => {
                let (terminal, at) = {
                    let world = lock(&self.world);
                    let t = world.terminal_by_id(id).context("it has joined")?;
                    (ut_id(&world, t), world.claimed(t, now))
                };
                if service.enrol(terminal, GUESTS, at, wall_clock())? == Enrolment::Closed {
                    anyhow::bail!(
                        "the service does not take guests: its account {GUESTS} is not active"
                    );
                }
                service.prove_own(terminal, now)?;
                terminal
            }
        };
        self.admit(id, terminal);
        Ok(())
    }

    /// What a terminal has to sign that wants to join.
    pub(crate) fn challenge(&self, terminal: UtId) -> Result<Challenge> {
        let service = self
            .service
            .as_ref()
            .context("this network has no service")?;
        Ok(service.challenge(terminal, self.clock.now()))
    }

    /// The account page of whoever has this address.
    pub(super) fn account_page(&self, address: IpAddr) -> Option<Page> {
        let network = self.network.as_ref()?;
        let of = |v6: std::net::Ipv6Addr, other: std::net::Ipv6Addr| {
            // A terminal has a /56.
            v6.octets()[..7] == other.octets()[..7]
        };
        let info = network.terminals().into_iter().find(|t| match address {
            IpAddr::V4(v4) => t.v4 == v4,
            IpAddr::V6(v6) => t.v6.is_some_and(|own| of(own, v6)),
        })?;
        let session = lock(&self.sessions).get(&info.id).copied();
        let decision = lock(&self.world)
            .terminal_by_id(info.id)
            .and_then(|t| t.decision);
        let register = self.service.as_ref().map(|s| s.desk().register());
        let page = AccountPage::new(
            &info.name,
            session.map(|s| s.terminal),
            decision.as_ref(),
            register.as_deref(),
        );
        Some(page.page())
    }

    /// Why a terminal goes no farther than its account page, and how to see that.
    pub(super) fn refusal(&self, id: TerminalId) -> Option<String> {
        let world = lock(&self.world);
        let terminal = world.terminal_by_id(id)?;
        let refused = terminal.decision.filter(|d| !d.is_granted())?;
        let pop = self.network.as_ref()?.addresses().pop_v4;
        Some(format!(
            "the terminal has no service: {} It reaches its account page and nothing else: curl http://{pop}/",
            refused.sentence()
        ))
    }

    /// How the service is; `None` without one.
    pub(crate) fn service_status(&self) -> Option<ServiceStatus> {
        let service = self.service.as_ref()?;
        let (away, away_s) = match service.desk().health().database {
            Database::Working => (None, None),
            Database::Away { since, why } => {
                let for_s = since.elapsed().unwrap_or_default().as_secs();
                (Some(why.to_string()), Some(for_s))
            }
            Database::Stopped => (Some("its thread has ended".to_owned()), None),
        };
        Some(ServiceStatus {
            database: service.place().url.to_string(),
            away,
            away_s,
        })
    }
}

/// Lets the terminals of a scenario prove who they are, with the keys of this machine, and takes over what is decided of them
/// at `t`, when the network begins.
pub(super) fn admit_scenario(
    world: &mut World,
    service: &Service,
    t: Time,
) -> Result<(BTreeMap<TerminalId, Session>, Watch)> {
    let terminals: Vec<_> = world
        .terminals()
        .iter()
        .map(|terminal| {
            let at = world.claimed(terminal, t);
            (
                terminal.id,
                terminal.name.clone(),
                ut_id(world, terminal),
                at,
            )
        })
        .collect();
    let mut sessions = BTreeMap::new();
    for (id, name, terminal, at) in terminals {
        service.enrol(terminal, SCENARIO_TERMINALS, at, wall_clock())?;
        match service.prove_own(terminal, t) {
            Ok(()) => drop(sessions.insert(id, Session { terminal, from: t })),
            Err(error) => {
                eprintln!("terminal {name} ({terminal}) gets no address: {error}");
                world.set_decisions([(id, Decision::UNKNOWN)]);
            }
        }
    }
    let desk = service.desk();
    let mut watch = Watch::new(desk, t)?;
    let decided = watch.decide(desk, &said(world, &sessions, t), t);
    let background = Arc::clone(world.background());
    if let Some(closed) = watch.closed_cells(&background, t) {
        world.close_cells(closed);
    }
    world.set_decisions(decided);
    Ok((sessions, watch))
}

/// What live terminals say of themselves at `t`.
fn said(world: &World, sessions: &BTreeMap<TerminalId, Session>, t: Time) -> Vec<Said> {
    let said = |(live, session): (&TerminalId, &Session)| {
        let terminal = world.terminal_by_id(*live)?;
        Some(Said {
            live: *live,
            terminal: session.terminal,
            claim: claim_of(world, terminal, t),
        })
    };
    sessions.iter().filter_map(said).collect()
}

/// What a data allowance counts of each terminal.
fn counted(said: &[Said], stats: &Stats) -> Vec<Counted> {
    let counted = |said: &Said| {
        let (_, counters) = stats
            .terminals
            .iter()
            .find(|(live, _)| *live == said.live)?;
        Some(Counted {
            live: said.live,
            terminal: said.terminal,
            down_bytes: counters.down.carried.bytes,
            up_bytes: counters.up.carried.bytes,
        })
    };
    said.iter().filter_map(counted).collect()
}

/// Position and speed as a terminal's own receiver gives them: the way of the last second.
pub(super) fn claim_of(world: &World, terminal: &Terminal, t: Time) -> Claim {
    let second = Span::from_secs(1);
    let (before, now) = (
        world.claimed(terminal, t - second),
        world.claimed(terminal, t),
    );
    claim(now, great_circle_m(before, now))
}

/// The same codes in the words of the dish.
fn shown(code: Code) -> Disablement {
    Disablement::try_from(i32::from(code as u8)).unwrap_or(Disablement::UnknownState)
}

#[cfg(test)]
mod tests;
