//! From satellites to the ground: feeder links, gateways and lasers as a maximum flow.
//!
//! Flow is counted from the serving satellite to the gateway, against the direction of the traffic that it stands for: a
//! satellite then takes its own gateways in its own order of preference, and arcs out of the source never lose what they
//! have. Knows satellites by what they ask; nothing of cells or beams.

use crate::flow::{Arcs, FlowNetwork};
use crate::instance::Network;
use core::cmp::Reverse;

/// How the flow is raised: what part of its ask, in sixteenths, a satellite may get before the next step, and over how many
/// lasers. First everyone gets something. Then come those for whom a gateway is near, so that their ways are short and lasers
/// are left to those who have no other. The rest comes near max-min between satellites. The last step sets no bound: in the
/// end as much is carried as can be.
const STEPS: [(u64, Option<u32>); 6] = [
    (1, None),
    (16, Some(2)),
    (4, None),
    (8, None),
    (12, None),
    (16, None),
];

/// Arcs of a way without lasers: source, satellite, its feeder links, gateway, sink.
const ARCS_WITHOUT_LASERS: u32 = 4;

/// Flow from satellites to gateways.
#[derive(Clone)]
pub(crate) struct Backhaul<'a> {
    network: &'a Network,
    flow: FlowNetwork,
    /// By satellite: its arc from the source.
    asks: Vec<usize>,
    /// The first arc of the lasers; one for each.
    lasers: usize,
    /// Feeder links that may be used, by satellite, and the arc of each.
    feeders: Vec<(u32, u32, usize)>,
    source: usize,
    sink: usize,
    asked: Vec<u64>,
}

/// A way from a satellite to a gateway, and what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Satellites passed, the serving one first.
    pub path: Vec<u32>,
    /// The gateway.
    pub gateway: u32,
    /// What it carries, kbit/s.
    pub kbps: u64,
}

impl<'a> Backhaul<'a> {
    /// Over the given feeder links (satellite, gateway), ascending by satellite, each satellite's best first.
    pub(crate) fn new(network: &'a Network, links: &[(u32, u32)]) -> Self {
        let n = network.satellites;
        let gateways = network.gateways.len();
        let (source, sink) = (2 * n + gateways, 2 * n + gateways + 1);
        let mut arcs = Arcs::default();
        let mut feeders = Vec::with_capacity(links.len());
        // A satellite's own gateways come before its lasers: of two ways of the same length the first is taken.
        for (i, &(s, g)) in links.iter().enumerate() {
            if i == 0 || links[i - 1].0 != s {
                arcs.add(s as usize, n + s as usize, network.satellite_kbps, 0);
            }
            feeders.push((
                s,
                g,
                arcs.add(
                    n + s as usize,
                    2 * n + g as usize,
                    network.link_kbps(s, g),
                    0,
                ),
            ));
        }
        let lasers = arcs.len();
        for &(a, b) in &network.lasers {
            arcs.add(
                a as usize,
                b as usize,
                network.laser_kbps,
                network.laser_kbps,
            );
        }
        for (g, limit) in network.gateways.iter().enumerate() {
            arcs.add(2 * n + g, sink, limit.total_kbps, 0);
        }
        let asks = (0..n).map(|s| arcs.add(source, s, 0, 0)).collect();
        Self {
            network,
            flow: FlowNetwork::new(sink + 1, &arcs),
            asks,
            lasers,
            feeders,
            source,
            sink,
            asked: vec![0; n],
        }
    }

    /// Carries as much of `asks` (kbit/s, by satellite) as can be, on top of what is carried already.
    pub(crate) fn carry(&mut self, asks: &[u64]) {
        let before = self.asked.clone();
        for (sixteenths, lasers) in STEPS {
            let mut any = false;
            for (s, &ask) in asks.iter().enumerate() {
                let target = before[s] + (ask.saturating_sub(before[s]) * sixteenths).div_ceil(16);
                if target > self.asked[s] {
                    self.flow.widen(self.asks[s], target - self.asked[s]);
                    self.asked[s] = target;
                    any = true;
                }
            }
            match lasers {
                Some(n) if any => {
                    self.flow
                        .maximise_within(self.source, self.sink, ARCS_WITHOUT_LASERS + n);
                    // What was asked in vain waits for the later steps.
                    for (s, asked) in self.asked.iter_mut().enumerate() {
                        let got = self.flow.flow(self.asks[s]) as u64;
                        self.flow.narrow(self.asks[s], *asked - got.min(*asked));
                        *asked = got.min(*asked);
                    }
                }
                None if any => self.flow.maximise(self.source, self.sink),
                _ => {}
            }
        }
    }

    /// What each satellite gets, kbit/s.
    pub(crate) fn carried(&self) -> Vec<u64> {
        self.asks
            .iter()
            .map(|&arc| self.flow.flow(arc) as u64)
            .collect()
    }

    /// What each feeder link carries: (satellite, gateway, kbit/s).
    pub(crate) fn feeders(&self) -> impl Iterator<Item = (u32, u32, u64)> + '_ {
        self.feeders
            .iter()
            .map(|&(s, g, arc)| (s, g, self.flow.flow(arc) as u64))
    }

    /// The flow as ways, ascending by satellite: first those over a satellite's own gateways.
    pub(crate) fn ways(&self) -> Vec<Way> {
        let n = self.network.satellites;
        let mut owed = self.carried();
        let mut landing: Vec<Vec<(u32, u64)>> = vec![Vec::new(); n];
        for (s, g, kbps) in self.feeders() {
            if kbps > 0 {
                landing[s as usize].push((g, kbps));
            }
        }
        let mut hops: Vec<Vec<(u32, u64)>> = vec![Vec::new(); n];
        for (i, &(a, b)) in self.network.lasers.iter().enumerate() {
            match self.flow.flow(self.lasers + i) {
                f if f > 0 => hops[a as usize].push((b, f as u64)),
                f if f < 0 => hops[b as usize].push((a, f.unsigned_abs())),
                _ => {}
            }
        }
        let mut ways = Vec::new();
        for (s, (own, owed)) in landing.iter_mut().zip(&mut owed).enumerate() {
            for (g, left) in own {
                let kbps = (*left).min(*owed);
                if kbps > 0 {
                    ways.push(Way {
                        path: vec![s as u32],
                        gateway: *g,
                        kbps,
                    });
                    *left -= kbps;
                    *owed -= kbps;
                }
            }
        }
        let mut on_path = vec![false; n];
        for (s, mut owed) in owed.into_iter().enumerate() {
            while owed > 0 {
                let (path, gateway) = walk(s as u32, &mut hops, &landing, &mut on_path);
                let last = path[path.len() - 1] as usize;
                let land = landing[last]
                    .iter_mut()
                    .find(|(g, _)| *g == gateway)
                    .expect("the walk ends at a landing");
                let mut kbps = owed.min(land.1);
                for pair in path.windows(2) {
                    kbps = kbps.min(on_hop(&mut hops, pair[0], pair[1]).1);
                }
                land.1 -= kbps;
                for pair in path.windows(2) {
                    on_hop(&mut hops, pair[0], pair[1]).1 -= kbps;
                }
                owed -= kbps;
                ways.push(Way {
                    path,
                    gateway,
                    kbps,
                });
            }
        }
        ways.sort_by(|a, b| {
            (a.path[0], a.path.len(), a.gateway, &a.path).cmp(&(
                b.path[0],
                b.path.len(),
                b.gateway,
                &b.path,
            ))
        });
        ways
    }
}

fn on_hop(hops: &mut [Vec<(u32, u64)>], from: u32, to: u32) -> &mut (u32, u64) {
    hops[from as usize]
        .iter_mut()
        .find(|(b, _)| *b == to)
        .expect("paths follow lasers that carry something")
}

/// Follows the flow from a satellite to where it lands. Circles on the way carry nothing anywhere and are taken out.
fn walk(
    from: u32,
    hops: &mut [Vec<(u32, u64)>],
    landing: &[Vec<(u32, u64)>],
    on_path: &mut [bool],
) -> (Vec<u32>, u32) {
    let mut path = vec![from];
    on_path[from as usize] = true;
    loop {
        let v = path[path.len() - 1];
        if let Some(&(gateway, _)) = landing[v as usize].iter().find(|(_, left)| *left > 0) {
            for &p in &path {
                on_path[p as usize] = false;
            }
            return (path, gateway);
        }
        let &(w, _) = hops[v as usize]
            .iter()
            .find(|(_, left)| *left > 0)
            .expect("flow that comes in goes on");
        if on_path[w as usize] {
            let start = path.iter().position(|&p| p == w).expect("on the path");
            let circle: Vec<u32> = path[start..].iter().copied().chain([w]).collect();
            let least = circle
                .windows(2)
                .map(|p| on_hop(hops, p[0], p[1]).1)
                .min()
                .expect("a circle has links");
            for p in circle.windows(2) {
                on_hop(hops, p[0], p[1]).1 -= least;
            }
            for &p in &path[start + 1..] {
                on_path[p as usize] = false;
            }
            path.truncate(start + 1);
        } else {
            on_path[w as usize] = true;
            path.push(w);
        }
    }
}

/// Over how many lasers each satellite reaches one that a gateway feeds, at least; 255 if over none or too many.
pub(crate) fn lasers_to_gateway(network: &Network, feeders: &[(u32, u32)]) -> Vec<u8> {
    let links = links(network);
    let mut lasers = vec![u8::MAX; network.satellites];
    let mut shell: Vec<u32> = feeders.iter().map(|&(s, _)| s).collect();
    for distance in 0..u8::MAX {
        shell.retain(|&s| {
            let first = lasers[s as usize] == u8::MAX;
            lasers[s as usize] = lasers[s as usize].min(distance);
            first
        });
        if shell.is_empty() {
            break;
        }
        shell = shell
            .iter()
            .flat_map(|&s| links[s as usize].iter().copied())
            .collect();
    }
    lasers
}

/// The satellites with which each has a laser.
fn links(network: &Network) -> Vec<Vec<u32>> {
    let mut links = vec![Vec::new(); network.satellites];
    for &(a, b) in &network.lasers {
        links[a as usize].push(b);
        links[b as usize].push(a);
    }
    links
}

/// For each satellite the least of those that lasers connect it with.
fn islands(network: &Network) -> Vec<u32> {
    let links = links(network);
    let mut island = vec![u32::MAX; network.satellites];
    for first in 0..network.satellites as u32 {
        let mut queue = vec![first];
        while let Some(s) = queue.pop() {
            if island[s as usize] == u32::MAX {
                island[s as usize] = first;
                queue.extend(&links[s as usize]);
            }
        }
    }
    island
}

/// Chooses which satellites the gateways feed: all in reach, or as many as each has antennas.
///
/// `need` is what each satellite's cells ask, kbit/s. Links in `keep` stay where they are still in reach. Then the
/// gateways, those with fewest satellites in reach first, each give one antenna in turn: to a satellite from which no
/// laser leads to one already fed, then to the one whose need is least met, then to one that can pass on most. A satellite
/// gets no more antennas than it can listen to.
/// The result ascends by satellite, each satellite's gateways in the network's order of preference.
pub(crate) fn choose_feeders(
    network: &Network,
    need: &[u64],
    keep: &[(u32, u32)],
) -> Vec<(u32, u32)> {
    let all = (0..network.satellites as u32).flat_map(|s| {
        network
            .gateways_of
            .row(s as usize)
            .iter()
            .map(move |&g| (s, g))
    });
    if network.gateways.iter().all(|g| g.satellites.is_none()) {
        return all.collect();
    }
    let island = islands(network);
    let mut sizes = vec![0_u32; network.satellites];
    let mut needs = vec![0_u64; network.satellites];
    for (s, &i) in island.iter().enumerate() {
        sizes[i as usize] += 1;
        needs[i as usize] += need[s];
    }
    let mut fed = vec![false; network.satellites];
    let in_reach = network.gateways_of.transposed(network.gateways.len());
    let mut antennas: Vec<u32> = network
        .gateways
        .iter()
        .map(|g| g.satellites.unwrap_or(u32::MAX))
        .collect();
    let mut open_kbps = vec![network.satellite_kbps; network.satellites];
    let mut unmet = need.to_vec();
    let mut chosen: Vec<(u32, u32)> = Vec::new();
    // Satellites that each gateway sees and does not feed.
    let mut idle: Vec<Vec<u32>> = (0..network.gateways.len())
        .map(|g| in_reach.row(g).to_vec())
        .collect();
    let mut link =
        |s: u32, g: u32, idle: &mut [Vec<u32>], open_kbps: &mut [u64], unmet: &mut [u64]| {
            let at = idle[g as usize].iter().position(|&other| other == s);
            let Some(at) = at.filter(|_| antennas[g as usize] > 0 && open_kbps[s as usize] > 0)
            else {
                return false;
            };
            idle[g as usize].swap_remove(at);
            antennas[g as usize] -= 1;
            let kbps = network.link_kbps(s, g).min(open_kbps[s as usize]);
            open_kbps[s as usize] -= kbps;
            unmet[s as usize] = unmet[s as usize].saturating_sub(kbps);
            chosen.push((s, g));
            true
        };
    for &(s, g) in keep {
        fed[island[s as usize] as usize] |= link(s, g, &mut idle, &mut open_kbps, &mut unmet);
    }
    let mut order: Vec<u32> = (0..network.gateways.len() as u32).collect();
    order.sort_by_key(|&g| (in_reach.row(g as usize).len(), g));
    loop {
        let mut any = false;
        for &g in &order {
            let best = idle[g as usize]
                .iter()
                .filter(|&&s| open_kbps[s as usize] > 0)
                .max_by_key(|&&s| {
                    let i = island[s as usize] as usize;
                    let useful = unmet[s as usize].min(network.link_kbps(s, g));
                    let through = if sizes[i] > 1 {
                        open_kbps[s as usize]
                    } else {
                        0
                    };
                    (!fed[i] && needs[i] > 0, useful, through, Reverse(s))
                });
            if let Some(&s) = best
                && link(s, g, &mut idle, &mut open_kbps, &mut unmet)
            {
                fed[island[s as usize] as usize] = true;
                any = true;
            }
        }
        if !any {
            break;
        }
    }
    chosen.sort_by_key(|&(s, g)| {
        (
            s,
            network
                .gateways_of
                .row(s as usize)
                .iter()
                .position(|&other| other == g),
        )
    });
    chosen
}
