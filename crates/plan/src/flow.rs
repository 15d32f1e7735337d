//! Maximum flow on integers, along shortest paths first, so that flow takes few arcs where it can; of arcs of equal worth those
//! added first are used first. Raising capacities and running again keeps what flows already and adds to it.

/// Arcs to be put in a [`FlowNetwork`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Arcs {
    ends: Vec<(u32, u32)>,
    capacity: Vec<(u64, u64)>,
}

impl Arcs {
    /// Adds an arc with capacities forth and back; its number is the count of arcs added before.
    pub(crate) fn add(&mut self, from: usize, to: usize, forth: u64, back: u64) -> usize {
        self.ends.push((from as u32, to as u32));
        self.capacity.push((forth, back));
        self.ends.len() - 1
    }

    /// Number of arcs added.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

#[derive(Clone, Copy, Debug)]
struct Half {
    to: u32,
    /// Position of the opposite half.
    opposite: u32,
    residual: u64,
}

/// A network with a flow.
#[derive(Clone, Debug)]
pub(crate) struct FlowNetwork {
    starts: Vec<u32>,
    halves: Vec<Half>,
    /// For each arc added, the position of its forward half, and its capacity forth.
    position: Vec<(u32, u64)>,
    level: Vec<u32>,
    /// How many nodes there are at each distance; empty before the first search.
    at_level: Vec<u32>,
    next: Vec<u32>,
}

const UNSEEN: u32 = u32::MAX;

impl FlowNetwork {
    pub(crate) fn new(nodes: usize, arcs: &Arcs) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        for &(a, b) in &arcs.ends {
            starts[a as usize + 1] += 1;
            starts[b as usize + 1] += 1;
        }
        for i in 0..nodes {
            starts[i + 1] += starts[i];
        }
        let mut free = starts.clone();
        let mut halves = vec![
            Half {
                to: 0,
                opposite: 0,
                residual: 0
            };
            2 * arcs.ends.len()
        ];
        let mut position = Vec::with_capacity(arcs.ends.len());
        for (&(a, b), &(forth, back)) in arcs.ends.iter().zip(&arcs.capacity) {
            let (i, j) = (free[a as usize], free[b as usize]);
            // A loop would need two places at one node; there is none in a network of links.
            debug_assert_ne!(a, b);
            free[a as usize] += 1;
            free[b as usize] += 1;
            halves[i as usize] = Half {
                to: b,
                opposite: j,
                residual: forth,
            };
            halves[j as usize] = Half {
                to: a,
                opposite: i,
                residual: back,
            };
            position.push((i, forth));
        }
        Self {
            starts,
            halves,
            position,
            level: vec![UNSEEN; nodes],
            at_level: Vec::new(),
            next: vec![0; nodes],
        }
    }

    /// Net flow on an arc, forth positive.
    pub(crate) fn flow(&self, arc: usize) -> i64 {
        let (i, capacity) = self.position[arc];
        capacity as i64 - self.halves[i as usize].residual as i64
    }

    /// Adds to the capacity of an arc.
    pub(crate) fn widen(&mut self, arc: usize, by: u64) {
        let (i, capacity) = &mut self.position[arc];
        *capacity += by;
        self.halves[*i as usize].residual += by;
    }

    /// Takes from the capacity of an arc what its flow leaves free.
    pub(crate) fn narrow(&mut self, arc: usize, by: u64) {
        let (i, capacity) = &mut self.position[arc];
        debug_assert!(
            self.halves[*i as usize].residual >= by,
            "only free capacity goes"
        );
        *capacity -= by;
        self.halves[*i as usize].residual -= by;
    }

    /// Augments the flow from `source` to `sink` until it is maximal.
    pub(crate) fn maximise(&mut self, source: usize, sink: usize) {
        self.maximise_within(source, sink, UNSEEN);
    }

    /// Augments the flow along paths of at most so many arcs, the shortest first. Source and sink are always the same.
    ///
    /// # Algorithm
    /// Each node has a distance to the sink in arcs with something left, at first the true one. A path goes from the source by arcs
    /// that lead one nearer. A node from which none does is moved away to just beyond the nearest of those it leads to, and the path
    /// goes one back. When no node is left at some distance, nothing farther reaches the sink (R. K. Ahuja and J. B. Orlin, "Distance-directed
    /// augmenting path algorithms for maximum flow and parametric maximum flow problems", Naval Research Logistics 38, 1991).
    ///
    /// No distance is ever more than the true one, nor becomes so when only arcs out of the source are widened or narrowed: no path needs
    /// to come back to the source. So distances stay for the next time; that of the source alone is taken anew.
    pub(crate) fn maximise_within(&mut self, source: usize, sink: usize, most_arcs: u32) {
        if self.at_level.is_empty() {
            self.measure(sink);
        }
        self.set_level(source, self.farther(source, source));
        let mut path: Vec<u32> = Vec::new();
        let mut v = source;
        while self.level[source] != UNSEEN && self.level[source] <= most_arcs {
            if v == sink {
                let retreat = self.augment(&path);
                v = self.tail(path[retreat]);
                path.truncate(retreat);
                continue;
            }
            let end = self.starts[v + 1];
            let step = (self.next[v]..end).find(|&i| {
                let half = self.halves[i as usize];
                let to = half.to as usize;
                half.residual > 0 && self.level[to].wrapping_add(1) == self.level[v] && to != source
            });
            if let Some(i) = step {
                self.next[v] = i;
                path.push(i);
                v = self.halves[i as usize].to as usize;
                continue;
            }
            let was = self.level[v];
            self.set_level(v, self.farther(v, source));
            if self.at_level[was as usize] == 0 {
                for level in self.level.iter_mut().filter(|level| **level > was) {
                    *level = UNSEEN;
                }
                self.at_level[was as usize..].fill(0);
                return;
            }
            if let Some(i) = path.pop() {
                v = self.tail(i);
            }
        }
    }

    /// Puts a node at another distance, from which it looks at its arcs from the first on.
    fn set_level(&mut self, v: usize, level: u32) {
        for (level, change) in [(self.level[v], -1), (level, 1)] {
            if let Some(count) = self.at_level.get_mut(level as usize) {
                *count = count.wrapping_add_signed(change);
            }
        }
        self.level[v] = level;
        self.next[v] = self.starts[v];
    }

    /// Distances to the sink in arcs with something left.
    fn measure(&mut self, sink: usize) {
        self.level.fill(UNSEEN);
        self.level[sink] = 0;
        let mut queue = vec![sink as u32];
        let mut head = 0;
        while head < queue.len() {
            let v = queue[head] as usize;
            head += 1;
            for half in &self.halves[self.starts[v] as usize..self.starts[v + 1] as usize] {
                let w = half.to as usize;
                if self.level[w] == UNSEEN && self.halves[half.opposite as usize].residual > 0 {
                    self.level[w] = self.level[v] + 1;
                    queue.push(half.to);
                }
            }
        }
        self.next.copy_from_slice(&self.starts[..self.level.len()]);
        self.at_level = vec![0; self.level.len() + 1];
        for &level in self.level.iter().filter(|&&level| level != UNSEEN) {
            self.at_level[level as usize] += 1;
        }
    }

    /// One more than the least distance of those to which a node leads, but for the source.
    fn farther(&self, v: usize, source: usize) -> u32 {
        let halves = &self.halves[self.starts[v] as usize..self.starts[v + 1] as usize];
        let open = halves
            .iter()
            .filter(|half| half.residual > 0 && half.to as usize != source);
        let nearest = open.map(|half| self.level[half.to as usize]).min();
        nearest.map_or(UNSEEN, |level| level.saturating_add(1))
    }

    /// Sends along a path what it has room for; says which is the first of its arcs that is full then.
    fn augment(&mut self, path: &[u32]) -> usize {
        let rooms = path.iter().map(|&i| self.halves[i as usize].residual);
        let amount = rooms.min().unwrap_or(0);
        let mut full = 0;
        for (depth, &i) in path.iter().enumerate().rev() {
            let opposite = self.halves[i as usize].opposite as usize;
            self.halves[i as usize].residual -= amount;
            self.halves[opposite].residual += amount;
            if self.halves[i as usize].residual == 0 {
                full = depth;
            }
        }
        full
    }

    fn tail(&self, half: u32) -> usize {
        self.halves[self.halves[half as usize].opposite as usize].to as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every cut of a small network, by enumeration: max flow = min cut is an oracle that shares nothing with augmenting paths.
    fn least_cut(nodes: usize, arcs: &Arcs) -> u64 {
        (0..1_u32 << nodes)
            .filter(|side| side & 1 == 1 && side >> 1 & 1 == 0)
            .map(|side| {
                arcs.ends.iter().zip(&arcs.capacity).fold(
                    0,
                    |sum, (&(a, b), &(forth, back))| match (side >> a & 1, side >> b & 1) {
                        (1, 0) => sum + forth,
                        (0, 1) => sum + back,
                        _ => sum,
                    },
                )
            })
            .min()
            .unwrap()
    }

    proptest! {
        #[test]
        fn maximal_flow_is_least_cut(
            list in proptest::collection::vec((0..8_usize, 1..8_usize, 0..50_u64, 0..50_u64), 1..30),
        ) {
            let mut arcs = Arcs::default();
            for (a, d, forth, back) in list {
                arcs.add(a, (a + d) % 8, forth, back);
            }
            let mut network = FlowNetwork::new(8, &arcs);
            network.maximise(0, 1);
            let mut net = [0_i64; 8];
            for (i, &(a, b)) in arcs.ends.iter().enumerate() {
                let f = network.flow(i);
                prop_assert!(f <= arcs.capacity[i].0 as i64 && -f <= arcs.capacity[i].1 as i64);
                net[a as usize] += f;
                net[b as usize] -= f;
            }
            prop_assert!(net[2..].iter().all(|&n| n == 0));
            prop_assert_eq!(net[0] as u64, least_cut(8, &arcs));
        }

        /// As backhaul does it: capacities out of the source grow, and what was asked in vain is taken back.
        #[test]
        fn flow_raised_in_steps_is_maximal_too(
            inner in proptest::collection::vec((1..8_usize, 1..7_usize, 0..50_u64, 0..50_u64), 1..30),
            steps in proptest::collection::vec((proptest::collection::vec(0..40_u64, 6), 2..6_u32), 1..6),
        ) {
            let mut arcs = Arcs::default();
            for (a, d, forth, back) in inner {
                arcs.add(a, (a + d - 1) % 7 + 1, forth, back);
            }
            let asks: Vec<usize> = (2..8).map(|node| arcs.add(0, node, 0, 0)).collect();
            let mut network = FlowNetwork::new(8, &arcs);
            for (more, most_arcs) in steps {
                let flow = |network: &FlowNetwork| asks.iter().map(|&arc| network.flow(arc) as u64).collect::<Vec<_>>();
                let before = flow(&network);
                asks.iter().zip(&more).for_each(|(&arc, &by)| network.widen(arc, by));
                network.maximise_within(0, 1, most_arcs);
                let after = flow(&network);
                prop_assert!(after.iter().zip(&before).all(|(a, b)| a >= b), "nobody loses");
                for (((&arc, by), got), had) in asks.iter().zip(more).zip(after).zip(before) {
                    arcs.capacity[arc].0 += by;
                    // Half of what was in vain stays.
                    let vain = (arcs.capacity[arc].0 - got.max(had)) / 2;
                    network.narrow(arc, vain);
                    arcs.capacity[arc].0 -= vain;
                }
            }
            network.maximise(0, 1);
            let all: i64 = asks.iter().map(|&arc| network.flow(arc)).sum();
            prop_assert_eq!(all as u64, least_cut(8, &arcs));
        }
    }
}
