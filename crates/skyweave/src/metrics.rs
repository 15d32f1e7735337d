//! What Prometheus reads: the network, its terminals and the service as metrics. docs/metrics.md lists them.
//!
//! Everything is a value that is asked for at a scrape; only what happens in between is counted as it happens
//! ([`Pings`], [`Planning`]). Labels are few and bounded: a live terminal by its id, reasons, kinds. No label says where
//! anything is: names of terminals often do, and are none of them.

use crate::operator::{Database, Desk};
use core::fmt;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, LabelSetEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use skyweave_base::{Span, TerminalId};
use skyweave_dataplane::{Direction, DropReason, LaneCounters};
use skyweave_service::{Register, RequestState};
use std::collections::BTreeMap;

/// Bounds of the histogram of round trips, s: a satellite hop takes 20 to 40 ms; what takes over 0.6 s counts as lost.
const ROUND_TRIP_BOUNDS_S: [f64; 13] = [
    0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.075, 0.1, 0.15, 0.3, 0.6,
];
/// Bounds of the histogram of planning time, s: an epoch lasts 15 s.
const PLANNING_BOUNDS_S: [f64; 9] = [0.01, 0.05, 0.25, 1.0, 2.0, 4.0, 8.0, 12.0, 15.0];

/// Bounds of the histogram of the time that the API takes to answer, s.
const ANSWER_BOUNDS_S: [f64; 11] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0,
];

/// A terminal's pings of its PoP, as its dish sends them.
#[derive(Clone, Debug)]
pub struct Pings {
    round_trips: Histogram,
    lost: Counter,
}

impl Default for Pings {
    fn default() -> Self {
        Self {
            round_trips: Histogram::new(ROUND_TRIP_BOUNDS_S),
            lost: Counter::default(),
        }
    }
}

impl Pings {
    /// Counts a ping; `None`: it was lost.
    pub fn count(&self, round_trip: Option<Span>) {
        match round_trip {
            Some(took) => self.round_trips.observe(took.as_secs_f64()),
            None => drop(self.lost.inc()),
        }
    }
}

type Owned<const N: usize> = [(&'static str, String); N];

/// Requests of an interface, counted as they are answered.
#[derive(Clone, Debug)]
pub struct Requests {
    answered: Family<Owned<3>, Counter>,
    seconds: Family<Owned<1>, Histogram, fn() -> Histogram>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            answered: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(ANSWER_BOUNDS_S)),
        }
    }
}

impl Requests {
    /// Counts an answer. The route is a pattern, never what somebody has asked for.
    pub fn count(&self, route: &str, method: &str, status: u16, took_s: f64) {
        let route = || ("route", route.to_owned());
        let labels = [
            route(),
            ("method", method.to_owned()),
            ("status", status.to_string()),
        ];
        self.answered.get_or_create(&labels).inc();
        self.seconds.get_or_create(&[route()]).observe(took_s);
    }
}

/// Where a terminal is served in an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// Its satellite.
    pub satellite: String,
    /// Its gateway.
    pub gateway: String,
    /// Its point of presence.
    pub pop: String,
}

/// Plans, counted as they are made.
#[derive(Clone, Debug)]
pub struct Planning {
    epochs: u64,
    late: u64,
    moved: u64,
    seconds: Histogram,
    terminals: BTreeMap<TerminalId, Changes>,
}

/// How often a terminal's way has changed from one plan with service to the next.
#[derive(Clone, Debug, Default)]
struct Changes {
    serving: Option<Serving>,
    satellite: u64,
    gateway: u64,
    pop: u64,
}

impl Default for Planning {
    fn default() -> Self {
        Self {
            epochs: 0,
            late: 0,
            moved: 0,
            seconds: Histogram::new(PLANNING_BOUNDS_S),
            terminals: BTreeMap::new(),
        }
    }
}

impl Planning {
    /// Counts a plan: how long it took, whether it was late, how many terminals it moved, and where it serves the live ones.
    pub fn count(
        &mut self,
        took_s: f64,
        late: bool,
        moved: u64,
        terminals: impl IntoIterator<Item = (TerminalId, Option<Serving>)>,
    ) {
        self.epochs += 1;
        self.late += u64::from(late);
        self.moved += moved;
        self.seconds.observe(took_s);
        // A terminal that has gone takes its counters with it.
        let before = core::mem::take(&mut self.terminals);
        for (terminal, serving) in terminals {
            let mut changes = before.get(&terminal).cloned().unwrap_or_default();
            if let Some(now) = serving {
                if let Some(was) = &changes.serving {
                    changes.satellite += u64::from(was.satellite != now.satellite);
                    changes.gateway += u64::from(was.gateway != now.gateway);
                    changes.pop += u64::from(was.pop != now.pop);
                }
                changes.serving = Some(now);
            }
            self.terminals.insert(terminal, changes);
        }
    }
}

/// A live network at a scrape.
#[derive(Debug)]
pub struct NetworkSample<'a> {
    /// What was counted.
    pub planning: &'a Planning,
    /// The epoch that passes.
    pub epoch: Option<EpochSample>,
    /// Its live terminals.
    pub terminals: Vec<TerminalSample>,
}

/// A plan in figures.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the metrics' own texts say it")]
pub struct EpochSample {
    pub number: i64,
    pub satellites_in_service: u64,
    pub satellites_serving: u64,
    pub gateways_used: u64,
    pub cells_served: u64,
    /// Cells without service, by reason.
    pub cells_unserved: BTreeMap<String, u64>,
    pub terminals: u64,
    pub terminals_served: u64,
    pub demand_bps: f64,
    pub delivered_bps: f64,
}

/// A live terminal at a scrape.
#[derive(Clone, Debug)]
pub struct TerminalSample {
    /// In the plan's tables.
    pub id: TerminalId,
    /// As its dish reports it.
    pub ut: String,
    /// `OKAY`, or the code that its dish shows.
    pub code: String,
    /// Why the plan does not serve it.
    pub unserved: Option<String>,
    /// Planned rates, bit/s.
    pub down_bps: f64,
    /// As `down_bps`, from the terminal.
    pub up_bps: f64,
    /// Packets to it and from it, if packets are carried.
    pub lanes: Option<[LaneCounters; 2]>,
    /// Its pings, if packets are carried.
    pub pings: Option<Pings>,
}

/// Labels of a sample.
struct Labels<'a, const N: usize>([(&'static str, &'a str); N]);

impl<const N: usize> EncodeLabelSet for Labels<'_, N> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        self.0.as_slice().encode(encoder)
    }
}

/// The names of metrics begin so.
const PREFIX: &str = "skyweave_";

/// Writes families of metrics.
pub struct Writer<'a, 'b>(pub &'a mut DescriptorEncoder<'b>);

impl Writer<'_, '_> {
    /// A gauge without labels.
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.gauges(name, help, [(Labels([]), value)])
    }

    /// A counter without labels. `_total` is added to its name.
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.counters(name, help, [(Labels([]), value)])
    }

    fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, f64)>,
    ) -> fmt::Result {
        let name = format!("{PREFIX}{name}");
        let mut family = self
            .0
            .encode_descriptor(&name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let name = format!("{PREFIX}{name}");
        let mut family = self
            .0
            .encode_descriptor(&name, help, None, MetricType::Counter)?;
        let no_exemplar = None::<&Exemplar<NoLabelSet, u64>>;
        for (labels, value) in samples {
            family
                .encode_family(&labels)?
                .encode_counter(&value, no_exemplar)?;
        }
        Ok(())
    }

    fn histograms<'l, 'h, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, &'h Histogram)>,
    ) -> fmt::Result {
        let name = format!("{PREFIX}{name}");
        let mut family = self
            .0
            .encode_descriptor(&name, help, None, MetricType::Histogram)?;
        for (labels, histogram) in samples {
            histogram.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// This program.
    ///
    /// # Errors
    /// As the encoder.
    pub fn program(&mut self) -> fmt::Result {
        let version = Labels([("version", env!("CARGO_PKG_VERSION"))]);
        self.gauges(
            "build_info",
            "Always 1; its label is the version",
            [(version, 1.0)],
        )
    }

    /// A live network.
    ///
    /// # Errors
    /// As the encoder.
    pub fn network(&mut self, sample: &NetworkSample<'_>) -> fmt::Result {
        let planning = sample.planning;
        self.counter(
            "epochs_planned",
            "Plans made since the start",
            planning.epochs,
        )?;
        let help = "Plans that were not ready when their epoch began";
        self.counter("epochs_late", help, planning.late)?;
        let help = "Time that it took to make a plan";
        self.histograms("planning_seconds", help, [(Labels([]), &planning.seconds)])?;
        let help = "Terminals of the plan that got another satellite than in the plan before, summed over plans";
        self.counter("terminals_moved", help, planning.moved)?;
        if let Some(epoch) = &sample.epoch {
            self.epoch(epoch)?;
        }
        self.terminals(planning, &sample.terminals)
    }

    fn epoch(&mut self, epoch: &EpochSample) -> fmt::Result {
        let n = |n: u64| n as f64;
        let help = "The number of the epoch that passes: 15 s each since 1970-01-01T00:00:12Z";
        self.gauge("epoch", help, epoch.number as f64)?;
        let help = "Satellites that are in service";
        self.gauge(
            "satellites_in_service",
            help,
            n(epoch.satellites_in_service),
        )?;
        let help = "Satellites with a beam in this plan";
        self.gauge("satellites_serving", help, n(epoch.satellites_serving))?;
        let help = "Gateways that carry traffic in this plan";
        self.gauge("gateways_used", help, n(epoch.gateways_used))?;
        self.gauge("cells_served", "Cells with a beam", n(epoch.cells_served))?;
        let reasons = epoch.cells_unserved.iter();
        let reasons =
            reasons.map(|(reason, cells)| (Labels([("reason", reason.as_str())]), n(*cells)));
        self.gauges("cells_unserved", "Cells with demand and no beam", reasons)?;
        let help = "Terminals of the plan: those of the demand and the live ones";
        self.gauge("planned_terminals", help, n(epoch.terminals))?;
        let help = "Terminals of the plan in cells with a beam";
        self.gauge("planned_terminals_served", help, n(epoch.terminals_served))?;
        let help = "What all terminals of the plan ask for";
        self.gauge("demand_bits_per_second", help, epoch.demand_bps)?;
        let help = "What all terminals of the plan get";
        self.gauge("delivered_bits_per_second", help, epoch.delivered_bps)
    }

    fn terminals(&mut self, planning: &Planning, terminals: &[TerminalSample]) -> fmt::Result {
        let one =
            |t: &'_ TerminalSample| f64::from(u8::from(t.unserved.is_none() && t.code == "OKAY"));
        let help = "1 if the live terminal is entitled and the plan serves it, 0 if not";
        let all = terminals.iter();
        self.gauges(
            "terminal_service",
            help,
            all.clone().map(|t| (of(t), one(t))),
        )?;
        let help = "Always 1; the code that the terminal's dish shows, OKAY if it is entitled";
        let codes = all.clone().map(|t| {
            (
                Labels([("terminal", t.ut.as_str()), ("code", t.code.as_str())]),
                1.0,
            )
        });
        self.gauges("terminal_entitlement", help, codes)?;
        let help = "Always 1; why the plan does not serve a live terminal";
        let unserved = all.clone().filter_map(|t| {
            let reason = t.unserved.as_deref()?;
            Some((
                Labels([("terminal", t.ut.as_str()), ("reason", reason)]),
                1.0,
            ))
        });
        self.gauges("terminal_unserved", help, unserved)?;
        let rates = all.clone().flat_map(|t| {
            [("down", t.down_bps), ("up", t.up_bps)].map(|(d, bps)| (with_direction(t, d), bps))
        });
        let help = "The rate that the plan gives a live terminal";
        self.gauges("terminal_planned_bits_per_second", help, rates)?;
        let help = "How often the satellite, the gateway or the PoP of a live terminal was another one in the next plan";
        let changes = all.clone().flat_map(|t| {
            let c = planning.terminals.get(&t.id).cloned().unwrap_or_default();
            let counts = [
                ("satellite", c.satellite),
                ("gateway", c.gateway),
                ("pop", c.pop),
            ];
            counts.map(|(what, n)| (Labels([("terminal", t.ut.as_str()), ("what", what)]), n))
        });
        self.counters("terminal_changes", help, changes)?;
        self.packets(terminals)?;
        let help = "Round trips of a live terminal's pings to its PoP, as its dish measures them";
        let pings = all
            .clone()
            .filter_map(|t| Some((of(t), &t.pings.as_ref()?.round_trips)));
        self.histograms("terminal_ping_seconds", help, pings)?;
        let help = "Pings of a live terminal to its PoP that were not answered within 0.6 s";
        let lost = all.filter_map(|t| Some((of(t), t.pings.as_ref()?.lost.get())));
        self.counters("terminal_pings_lost", help, lost)
    }

    fn packets(&mut self, terminals: &[TerminalSample]) -> fmt::Result {
        let lanes = || {
            let counted = terminals
                .iter()
                .filter_map(|t| Some((t, t.lanes.as_ref()?)));
            counted.flat_map(|(t, [down, up])| {
                [(Direction::Down, down), (Direction::Up, up)].map(|(d, lane)| (t, d, lane))
            })
        };
        let every = |value: fn(&LaneCounters) -> u64| {
            lanes().map(move |(t, d, lane)| (with_direction(t, direction(d)), value(lane)))
        };
        let help = "Bytes of IP that were delivered to a live terminal (down) and from it (up)";
        self.counters("terminal_bytes", help, every(|lane| lane.delivered.bytes))?;
        let help = "Packets that were delivered to a live terminal (down) and from it (up)";
        self.counters(
            "terminal_packets",
            help,
            every(|lane| lane.delivered.packets),
        )?;
        let help = "Packets of a live terminal that were dropped, for whatever reason";
        self.counters(
            "terminal_packets_dropped",
            help,
            every(LaneCounters::dropped_total),
        )?;
        let reasons = [Direction::Down, Direction::Up]
            .into_iter()
            .flat_map(|way| {
                DropReason::ALL.map(|reason| {
                    let of_way = lanes().filter(|(_, d, _)| *d == way);
                    let dropped = of_way.map(|(_, _, lane)| lane[reason]).sum();
                    let labels = [("direction", direction(way)), ("reason", reason.name())];
                    (Labels(labels), dropped)
                })
            });
        let help = "Packets of all live terminals that were dropped, by reason";
        self.counters("packets_dropped", help, reasons)
    }

    /// The interface's own requests.
    ///
    /// # Errors
    /// As the encoder.
    pub fn requests(&mut self, requests: &Requests) -> fmt::Result {
        let help = "Requests that the API has answered, by route, method and status";
        let name = format!("{PREFIX}api_requests");
        let family = self
            .0
            .encode_descriptor(&name, help, None, MetricType::Counter)?;
        requests.answered.encode(family)?;
        let help = "Time from the head of a request to the head of its answer";
        let name = format!("{PREFIX}api_request_seconds");
        let family = self
            .0
            .encode_descriptor(&name, help, None, MetricType::Histogram)?;
        requests.seconds.encode(family)
    }

    /// The desk and the database behind it.
    ///
    /// # Errors
    /// As the encoder.
    pub fn desk(&mut self, desk: &Desk) -> fmt::Result {
        let health = desk.health();
        let up = matches!(health.database, Database::Working);
        let help = "1 if the database takes writes, 0 if changes are refused";
        self.gauge("database_up", help, f64::from(u8::from(up)))?;
        let help = "Transactions written since the start";
        self.counter("database_transactions", help, health.transactions)?;
        let help = "How long the last transaction took";
        let took = health.last_transaction.as_secs_f64();
        self.gauge("database_last_transaction_seconds", help, took)?;
        let help = "Counters of traffic that are not written yet";
        self.gauge("usage_unwritten", help, health.unwritten_usage as f64)?;
        let help = "Counters of traffic of terminals that do not exist";
        self.counter("usage_refused", help, health.refused_usage)?;
        self.register(&desk.register())
    }

    fn register(&mut self, register: &Register) -> fmt::Result {
        let n = |n: usize| n as f64;
        let rows = register.audit_head().rows;
        self.counter("audit_rows", "Rows of the audit log", rows)?;
        let help = "Terminals on the books";
        self.gauge("registered_terminals", help, n(register.terminals().len()))?;
        self.gauge(
            "accounts",
            "Accounts on the books",
            n(register.accounts().len()),
        )?;
        self.gauge("service_areas", "Service areas", n(register.areas().len()))?;
        let lists = register.lists().values();
        let pending = lists
            .flat_map(|list| list.requests.values())
            .filter(|request| request.state == RequestState::Pending)
            .count();
        let help = "Requests for a place on an allow list that nobody has decided yet";
        self.gauge("allow_list_requests_pending", help, n(pending))?;
        let mut incidents = BTreeMap::<(String, String), u32>::new();
        for incident in register.incidents().values() {
            *incidents
                .entry((label(&incident.kind), label(&incident.state)))
                .or_default() += 1;
        }
        let incidents = incidents.iter().map(|((kind, state), count)| {
            let labels = [("kind", kind.as_str()), ("state", state.as_str())];
            (Labels(labels), f64::from(*count))
        });
        self.gauges(
            "incidents",
            "Findings of misuse by kind and state",
            incidents,
        )
    }
}

fn of(t: &TerminalSample) -> Labels<'_, 1> {
    Labels([("terminal", &t.ut)])
}

fn with_direction<'a>(t: &'a TerminalSample, direction: &'static str) -> Labels<'a, 2> {
    Labels([("terminal", &t.ut), ("direction", direction)])
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Down => "down",
        Direction::Up => "up",
    }
}

/// An enum's name, as it stands in JSON.
pub fn label(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::prometheus_text;
    use prometheus_client::registry::Registry;
    use skyweave_dataplane::Tally;

    #[derive(Debug)]
    struct One(Planning, Vec<TerminalSample>);

    impl Collector for One {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let mut writer = Writer(&mut encoder);
            writer.program()?;
            writer.network(&NetworkSample {
                planning: &self.0,
                epoch: Some(EpochSample::default()),
                terminals: self.1.clone(),
            })
        }
    }

    fn page(planning: Planning, terminals: Vec<TerminalSample>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(One(planning, terminals)));
        let mut page = String::new();
        prometheus_text::encode(&mut page, &registry).unwrap();
        page
    }

    fn serving(satellite: &str, gateway: &str) -> Option<Serving> {
        Some(Serving {
            satellite: satellite.into(),
            gateway: gateway.into(),
            pop: "Warsaw".into(),
        })
    }

    #[test]
    fn changes_are_counted_from_plan_to_plan_and_a_gap_is_none() {
        let (mut planning, id) = (Planning::default(), TerminalId(7));
        for serves in [
            serving("A", "x"),
            serving("B", "x"),
            None,
            serving("B", "x"),
            serving("C", "y"),
        ] {
            planning.count(1.5, false, 10, [(id, serves)]);
        }
        let changes = &planning.terminals[&id];
        assert_eq!((changes.satellite, changes.gateway, changes.pop), (2, 1, 0));
        assert_eq!((planning.epochs, planning.moved), (5, 50));
        planning.count(20.0, true, 0, []);
        assert!(planning.terminals.is_empty());
        let page = page(planning, Vec::new());
        for line in [
            "skyweave_epochs_planned_total 6",
            "skyweave_epochs_late_total 1",
            "skyweave_planning_seconds_bucket{le=\"2\"} 5",
            "skyweave_planning_seconds_count 6",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }

    #[test]
    fn a_terminal_is_told_by_its_id_with_its_packets_and_pings() {
        let pings = Pings::default();
        pings.count(Some(Span::from_millis(22)));
        pings.count(None);
        let mut down = LaneCounters {
            delivered: Tally {
                packets: 3,
                bytes: 4000,
            },
            ..LaneCounters::default()
        };
        down.dropped[DropReason::QueueFull as usize] = 2;
        let sample = TerminalSample {
            id: TerminalId(1),
            ut: "ut01000000-00000000-00000001".into(),
            code: "OKAY".into(),
            unserved: None,
            down_bps: 1e8,
            up_bps: 1e7,
            lanes: Some([down, LaneCounters::default()]),
            pings: Some(pings),
        };
        let page = page(Planning::default(), vec![sample]);
        for line in [
            "skyweave_terminal_service{terminal=\"ut01000000-00000000-00000001\"} 1.0",
            "skyweave_terminal_bytes_total{terminal=\"ut01000000-00000000-00000001\",direction=\"down\"} 4000",
            "skyweave_packets_dropped_total{direction=\"down\",reason=\"queue_full\"} 2",
            "skyweave_packets_dropped_total{direction=\"up\",reason=\"queue_full\"} 0",
            "skyweave_terminal_ping_seconds_bucket{terminal=\"ut01000000-00000000-00000001\",le=\"0.025\"} 1",
            "skyweave_terminal_pings_lost_total{terminal=\"ut01000000-00000000-00000001\"} 1",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }
}
