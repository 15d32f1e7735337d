//! Maximum flow on integers: E. A. Dinic, "Algorithm for solution of a problem of maximum flow in a network with power
//! estimation", Soviet Math. Dokl. 11 (1970).
//!
//! Augments along shortest paths first, so that flow takes few arcs where it can; of arcs of equal worth those added
//! first are used first. Raising capacities and running again keeps what flows already and adds to it.

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
    next: Vec<u32>,
    queue: Vec<u32>,
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
            next: vec![0; nodes],
            queue: Vec::with_capacity(nodes),
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

    /// Augments the flow along paths of at most so many arcs, the shortest first.
    pub(crate) fn maximise_within(&mut self, source: usize, sink: usize, most_arcs: u32) {
        while self.levels(source, sink) && self.level[sink] <= most_arcs {
            for (next, &start) in self.next.iter_mut().zip(&self.starts) {
                *next = start;
            }
            self.block(source, sink);
        }
    }

    /// Distances in arcs from the source; false if the sink is out of reach.
    fn levels(&mut self, source: usize, sink: usize) -> bool {
        self.level.fill(UNSEEN);
        self.level[source] = 0;
        self.queue.clear();
        self.queue.push(source as u32);
        let mut head = 0;
        while head < self.queue.len() {
            let v = self.queue[head] as usize;
            head += 1;
            for half in &self.halves[self.starts[v] as usize..self.starts[v + 1] as usize] {
                let w = half.to as usize;
                if half.residual > 0 && self.level[w] == UNSEEN {
                    self.level[w] = self.level[v] + 1;
                    if w == sink {
                        return true;
                    }
                    self.queue.push(half.to);
                }
            }
        }
        false
    }

    /// A blocking flow along the levels.
    fn block(&mut self, source: usize, sink: usize) {
        let mut path: Vec<u32> = Vec::new();
        let mut v = source;
        loop {
            if v == sink {
                let amount = path
                    .iter()
                    .map(|&i| self.halves[i as usize].residual)
                    .min()
                    .unwrap_or(0);
                let mut retreat = 0;
                for (depth, &i) in path.iter().enumerate().rev() {
                    let opposite = self.halves[i as usize].opposite as usize;
                    self.halves[i as usize].residual -= amount;
                    self.halves[opposite].residual += amount;
                    if self.halves[i as usize].residual == 0 {
                        retreat = depth;
                    }
                }
                v = self.halves[self.halves[path[retreat] as usize].opposite as usize].to as usize;
                path.truncate(retreat);
                continue;
            }
            let end = self.starts[v + 1];
            let step = (self.next[v]..end).find(|&i| {
                let half = self.halves[i as usize];
                half.residual > 0 && self.level[half.to as usize] == self.level[v] + 1
            });
            match step {
                Some(i) => {
                    self.next[v] = i;
                    path.push(i);
                    v = self.halves[i as usize].to as usize;
                }
                None => {
                    self.next[v] = end;
                    self.level[v] = UNSEEN;
                    let Some(i) = path.pop() else { return };
                    v = self.halves[self.halves[i as usize].opposite as usize].to as usize;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every cut of a small network, by enumeration: max flow = min cut is an oracle that shares nothing with Dinic.
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
    }
}
