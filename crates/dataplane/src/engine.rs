//! The packet path as a state machine: packets and tables in, packets out, time as an argument.
//!
//! A packet passes: checks, its terminal's queue at the beam, the beam's server, the legs of its route one by one, the far
//! port. The PoP is one router (a hop): it takes one from the TTL and reports what it cannot deliver. Legs have no queue,
//! so the time at which a packet comes out is known when it leaves the server, and costs one event.

use crate::address::{AddressError, Directory};
use crate::counters::{Counters, Direction, DropReason, LaneCounters, TerminalCounters};
use crate::ip::{self, Error, Header, Router, TcpPort};
use crate::pool::{Fifo, Handle, Pool};
use crate::server::{Server, Share};
use crate::table::{ACCOUNT_PAGE_PORT, Access, EpochTable, TableError};
use crate::wheel::Wheel;
use crate::{AddressPlan, TerminalAddress};
use skyweave_base::{Span, TerminalId, Time};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What an engine is made from.
#[derive(Clone, Debug)]
pub struct Config {
    /// The terminals, in any order.
    pub addresses: Vec<TerminalAddress>,
    /// Address of the PoP's router.
    pub gateway_v4: Ipv4Addr,
    /// Its IPv6 address.
    pub gateway_v6: Ipv6Addr,
    /// Size of the queues at the beams.
    pub queue: QueueLimit,
    /// Whether a path that gets shorter may let packets overtake.
    pub order: Order,
}

/// How long a terminal's queue at its beam may be, in each direction. A packet that does not fit is dropped (tail drop).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimit {
    /// As many bytes as the terminal's fair share of its beam (by weight, all terminals sending) carries in this time.
    /// A full queue is thus never older than this, whoever else sends.
    pub time: Span,
    /// But at least so many bytes.
    pub floor_bytes: u32,
}

/// The order in which packets of one terminal and direction come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they went in: a packet waits for an earlier one that is still on a longer path.
    Kept,
    /// As the delays say.
    ByDelay,
}

/// Where packets enter and leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// A terminal's network.
    Terminal(TerminalId),
    /// The Internet side of the PoP.
    Pop,
}

/// A packet that comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit<'a> {
    /// Where.
    pub port: Port,
    /// The IP packet.
    pub packet: &'a [u8],
    /// The exact time; `now` less this is how late the caller is.
    pub due: Time,
}

/// Why a table is refused. The engine goes on as if it had not been offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// Its number is not above that of the newest one installed, nor its revision above that of one that is followed or
    /// will be.
    #[error("table {epoch} is not newer than table {newest}, which is installed already")]
    Old {
        /// Its number.
        epoch: i64,
        /// The newest number.
        newest: i64,
    },
    /// It begins before the newest one installed ends.
    #[error("table {epoch} begins at {start}, before table {newest} ends at {end}")]
    Overlap {
        /// Its number.
        epoch: i64,
        /// Its start.
        start: Time,
        /// The newest number.
        newest: i64,
        /// The end of that one.
        end: Time,
    },
    /// It names a terminal that the engine does not have.
    #[error("table {epoch} has a route for terminal {terminal}, which has no addresses here")]
    UnknownTerminal {
        /// Its number.
        epoch: i64,
        /// The terminal.
        terminal: TerminalId,
    },
    /// It contradicts itself.
    #[error("table {epoch} cannot be followed")]
    Table {
        /// Its number.
        epoch: i64,
        /// How.
        #[source]
        error: TableError,
    },
}

/// The packet path.
///
/// # Calling order
/// 1. [`install`](Self::install) tables ahead of their time, whenever they are made.
/// 2. [`handle`](Self::handle) each packet that arrives.
/// 3. [`poll`](Self::poll) until it gives `None`, and write what it gives.
/// 4. Sleep until [`next_timeout`](Self::next_timeout) or the next packet, whichever is first, and go on at 2 or 3.
///
/// Everything happens at its exact time however late it is asked for: results depend on what is handled when, not on how
/// often `poll` is called.
#[derive(Debug)]
pub struct Engine {
    directory: Directory,
    router: Router,
    queue: QueueLimit,
    order: Order,
    /// The latest time that the engine was told of; everything due by then has happened.
    clock_ns: i64,
    /// The table that is followed, and those that will be.
    current: Option<Arc<EpochTable>>,
    pending: VecDeque<Arc<EpochTable>>,
    /// Index into the current table's routes of each terminal.
    routes: Vec<Option<u32>>,
    /// Two for each beam of the current table: up, down.
    servers: Vec<Server>,
    /// Two for each terminal, in the order of the directory: up, down.
    lanes: Vec<Lane>,
    /// When each terminal's allowance of ICMP errors is whole again.
    icmp_allowance_ns: Vec<i64>,
    wheel: Wheel<Event>,
    /// What is due, for `poll`.
    ready: VecDeque<(i64, Handle)>,
    pool: Pool,
    /// Packets that belong to no terminal: up, down.
    stray: [LaneCounters; 2],
    epochs: u64,
    /// Counts tables that took effect, revisions too.
    generation: u32,
    late_plan: u64,
    /// When the next epoch is missed if no table has taken over by then.
    late_at_ns: i64,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A packet comes out of its last leg.
    Exit(Handle),
    /// A server may send again, if the table of that generation is still followed.
    Serve { generation: u32, server: u32 },
}

/// One direction of a terminal.
#[derive(Debug)]
struct Lane {
    queue: Fifo,
    bytes: u64,
    limit_bytes: u64,
    share: Share,
    /// Index into `servers`; `None` without a route.
    server: Option<u32>,
    access: Access,
    last_exit_ns: i64,
    counters: LaneCounters,
}

/// ICMP errors for one terminal: at most 20 at once and one each 10 ms on average (RFC 4443 section 2.4 (f) asks for a
/// token bucket). Enough for three probes each of several traceroutes at the same time.
const ICMP_INTERVAL_NS: i64 = 10_000_000;
const ICMP_BURST: i64 = 20;

impl Default for QueueLimit {
    /// 100 ms; at least 20 full packets, so that slow links pass a TCP's first flight of 10 (RFC 6928) of two users.
    fn default() -> Self {
        Self {
            time: Span::from_millis(100),
            floor_bytes: 30_000,
        }
    }
}

impl Config {
    /// The given terminals, the PoP's router as in `plan`, queues of 100 ms, order kept.
    pub fn new(plan: &AddressPlan, addresses: Vec<TerminalAddress>) -> Self {
        Self {
            addresses,
            gateway_v4: plan.gateway_v4(),
            gateway_v6: plan.gateway_v6(),
            queue: QueueLimit::default(),
            order: Order::Kept,
        }
    }
}

impl Engine {
    /// An engine without tables: until the first takes effect no terminal has a route.
    pub fn new(config: Config) -> Result<Self, AddressError> {
        let router = Router {
            v4: config.gateway_v4,
            v6: config.gateway_v6,
        };
        let directory = Directory::new(config.addresses, router)?;
        let terminals = directory.by_id.len();
        Ok(Self {
            directory,
            router,
            queue: config.queue,
            order: config.order,
            clock_ns: i64::MIN,
            current: None,
            pending: VecDeque::new(),
            routes: vec![None; terminals],
            servers: Vec::new(),
            lanes: (0..terminals * 2).map(|_| Lane::new()).collect(),
            icmp_allowance_ns: vec![i64::MIN; terminals],
            wheel: Wheel::new(),
            ready: VecDeque::new(),
            pool: Pool::new(),
            stray: [LaneCounters::default(); 2],
            epochs: 0,
            generation: 0,
            late_plan: 0,
            late_at_ns: i64::MAX,
        })
    }

    /// Accepts a table; it takes effect at its start, or with the next call if that has gone by. Tables come in the order of
    /// their numbers and do not overlap. There may be a gap: the table before goes on being followed, which
    /// [`Counters::late_plan`] shows. May be called at any time, best an epoch ahead.
    ///
    /// A table of an epoch that is followed or waits, for the same time and of a greater revision, takes its place: the next
    /// call, or its start, whichever is later. Packets are not lost by that, except those that may no longer pass.
    pub fn install(&mut self, table: Arc<EpochTable>) -> Result<(), InstallError> {
        let epoch = table.epoch;
        table
            .validate()
            .map_err(|error| InstallError::Table { epoch, error })?;
        let revises = |old: &EpochTable| {
            (old.epoch, old.start, old.end) == (epoch, table.start, table.end)
                && old.revision < table.revision
        };
        let waits = self.pending.iter().position(|t| t.epoch == epoch);
        let followed = self.current.as_ref().filter(|t| t.epoch == epoch);
        let revised = match waits {
            Some(i) => revises(&self.pending[i]),
            None => followed.is_some_and(|t| revises(t)),
        };
        if let Some(newest) = self.pending.back().or(self.current.as_ref())
            && !revised
        {
            if epoch <= newest.epoch {
                return Err(InstallError::Old {
                    epoch,
                    newest: newest.epoch,
                });
            }
            if table.start < newest.end {
                let (newest, end) = (newest.epoch, newest.end);
                return Err(InstallError::Overlap {
                    epoch,
                    start: table.start,
                    newest,
                    end,
                });
            }
        }
        let unknown = table
            .routes
            .iter()
            .find(|(t, _)| self.directory.position(*t).is_none());
        if let Some(&(terminal, _)) = unknown {
            return Err(InstallError::UnknownTerminal { epoch, terminal });
        }
        match waits {
            Some(i) => self.pending[i] = table,
            None if revised => self.pending.push_front(table),
            None => self.pending.push_back(table),
        }
        Ok(())
    }

    /// Takes in a packet that arrived at `port` at `now`; the bytes are copied. What becomes of it is seen in
    /// [`poll`](Self::poll) and the counters. Packets that arrive at the same time are handled in the order of the calls,
    /// after everything else that is due at that time.
    ///
    /// `now` may lie before the latest time that the engine was told of, as the receive stamp of a packet does that was
    /// read late: as long as the lateness is below the delay of its path, it comes out at the time that its stamp says.
    pub fn handle(&mut self, now: Time, port: Port, packet: &[u8]) {
        self.advance(now.nanos());
        match port {
            Port::Terminal(terminal) => self.enter_up(now.nanos(), terminal, packet),
            Port::Pop => self.enter_down(now.nanos(), packet),
        }
    }

    /// The next packet that is due by `now` (or the latest time told before), in the order of their times. Call until `None`;
    /// the answer changes with time, and with [`handle`](Self::handle). Spurious calls do no harm.
    pub fn poll(&mut self, now: Time) -> Option<Transmit<'_>> {
        self.advance(now.nanos());
        let (due, handle) = self.ready.pop_front()?;
        let lane = self.pool.get(handle).lane as usize;
        let counters = &mut self.lanes[lane].counters;
        counters.delivered.count(self.pool.len(handle));
        if self.pool.get(handle).carried {
            counters.carried.count(self.pool.len(handle));
        }
        let port = match direction(lane) {
            Direction::Up => Port::Pop,
            Direction::Down => Port::Terminal(self.directory.by_id[lane / 2].terminal),
        };
        // Freed already: the bytes stay until the next packet is taken in, which the borrow holds off.
        self.pool.give(handle);
        Some(Transmit {
            port,
            packet: &self.pool.get(handle).bytes,
            due: Time::from_nanos(due),
        })
    }

    /// When to call [`poll`](Self::poll) next if nothing else happens; a time that has gone by means now, `None` means not
    /// until a packet or a table comes. Changes with every other call.
    pub fn next_timeout(&self) -> Option<Time> {
        let ready = self.ready.front().map(|&(due, _)| due);
        let table = self.pending.front().map(|t| t.start.nanos());
        let next = [ready, table, self.wheel.next_due()]
            .into_iter()
            .flatten()
            .min();
        next.map(Time::from_nanos)
    }

    /// The number of the table that is followed.
    pub fn epoch(&self) -> Option<i64> {
        self.current.as_ref().map(|table| table.epoch)
    }

    /// What happened so far, all terminals together.
    pub fn counters(&self) -> Counters {
        let [mut up, mut down] = self.stray;
        for pair in self.lanes.chunks_exact(2) {
            up += pair[0].counters;
            down += pair[1].counters;
        }
        Counters {
            up,
            down,
            epochs: self.epochs,
            late_plan: self.late_plan,
        }
    }

    /// What happened to one terminal's packets so far.
    pub fn terminal_counters(&self, terminal: TerminalId) -> Option<TerminalCounters> {
        let position = self.directory.position(terminal)?;
        let counters = |direction| self.lanes[lane(position, direction)].counters;
        Some(TerminalCounters {
            up: counters(Direction::Up),
            down: counters(Direction::Down),
        })
    }

    /// Bytes that wait in a terminal's queue at its beam.
    pub fn queued_bytes(&self, terminal: TerminalId, direction: Direction) -> Option<u64> {
        Some(self.lanes[lane(self.directory.position(terminal)?, direction)].bytes)
    }

    /// Makes everything happen that is due by `now_ns`, each thing at its own time. At equal times a new table comes first:
    /// epochs are `[start, end)`.
    fn advance(&mut self, now_ns: i64) {
        let before = self.clock_ns;
        self.clock_ns = before.max(now_ns);
        loop {
            let boundary = self.pending.front().map(|t| t.start.nanos());
            let limit = match boundary {
                Some(start) if start <= self.clock_ns => start.saturating_sub(1),
                _ => self.clock_ns,
            };
            match self.wheel.pop(limit) {
                Some((due, Event::Exit(handle))) => self.exit(due, handle),
                Some((due, Event::Serve { generation, server })) => {
                    if generation == self.generation {
                        self.servers[server as usize].armed = false;
                        self.serve(due, server);
                    }
                }
                None if limit == self.clock_ns => break,
                // A table that came late takes effect where the clock stood, not in the past.
                None => self.switch(limit.saturating_add(1).max(before)),
            }
        }
        self.count_late(self.clock_ns);
    }

    fn enter_up(&mut self, now_ns: i64, terminal: TerminalId, packet: &[u8]) {
        let Some(position) = self.directory.position(terminal) else {
            let stray = &mut self.stray[Direction::Up as usize];
            stray.received.count(packet.len());
            stray[DropReason::UnknownTerminal] += 1;
            return;
        };
        let lane = lane(position, Direction::Up);
        let counters = &mut self.lanes[lane].counters;
        counters.received.count(packet.len());
        let Some(header) = Header::parse(packet) else {
            counters[DropReason::Malformed] += 1;
            return;
        };
        if header.stays_on_link() {
            counters[DropReason::LinkScope] += 1;
            return;
        }
        if self.directory.owner(header.source) != Some(position) {
            counters[DropReason::SpoofedSource] += 1;
            return;
        }
        let packet = &packet[..header.len];
        if self.lanes[lane].server.is_none() {
            self.lanes[lane].counters[DropReason::NoRoute] += 1;
            self.report(
                now_ns,
                position,
                Error::Unreachable,
                packet,
                Direction::Down,
            );
            return;
        }
        // The PoP's own addresses are reached without passing the router.
        let hop = !self.router.owns(header.destination);
        let page = || ip::tcp_port(packet, TcpPort::Destination) == Some(ACCOUNT_PAGE_PORT);
        if self.lanes[lane].access == Access::AccountPage && (hop || !page()) {
            self.lanes[lane].counters[DropReason::NotEntitled] += 1;
            self.report(now_ns, position, Error::Prohibited, packet, Direction::Down);
            return;
        }
        let expires = hop && header.ttl <= 1;
        if self.has_room(lane, packet.len()) {
            let handle = self.pool.take(lane as u32);
            let stored = self.pool.get_mut(handle);
            stored.bytes.extend_from_slice(packet);
            stored.expires = expires;
            stored.carried = hop;
            if hop && !expires {
                ip::decrement_ttl(&mut stored.bytes);
            }
            self.enqueue(now_ns, handle);
        }
    }

    fn enter_down(&mut self, now_ns: i64, packet: &[u8]) {
        let header = Header::parse(packet);
        let owner = header.and_then(|h| self.directory.owner(h.destination));
        let counters = match owner {
            Some(position) => &mut self.lanes[lane(position, Direction::Down)].counters,
            None => &mut self.stray[Direction::Down as usize],
        };
        counters.received.count(packet.len());
        let (header, position) = match (header, owner) {
            (None, _) => {
                counters[DropReason::Malformed] += 1;
                return;
            }
            (Some(header), _) if header.stays_on_link() => {
                counters[DropReason::LinkScope] += 1;
                return;
            }
            (Some(_), None) => {
                counters[DropReason::UnknownDestination] += 1;
                return;
            }
            (Some(header), Some(position)) => (header, position),
        };
        let packet = &packet[..header.len];
        let hop = !self.router.owns(header.source);
        if hop && header.ttl <= 1 {
            counters[DropReason::TtlExpired] += 1;
            self.report(now_ns, position, Error::TimeExceeded, packet, Direction::Up);
            return;
        }
        let lane = lane(position, Direction::Down);
        if self.lanes[lane].server.is_none() {
            self.lanes[lane].counters[DropReason::NoRoute] += 1;
            self.report(now_ns, position, Error::Unreachable, packet, Direction::Up);
            return;
        }
        let page = || ip::tcp_port(packet, TcpPort::Source) == Some(ACCOUNT_PAGE_PORT);
        if self.lanes[lane].access == Access::AccountPage && (hop || !page()) {
            self.lanes[lane].counters[DropReason::NotEntitled] += 1;
            self.report(now_ns, position, Error::Prohibited, packet, Direction::Up);
            return;
        }
        if self.has_room(lane, packet.len()) {
            let handle = self.pool.take(lane as u32);
            let stored = self.pool.get_mut(handle);
            stored.bytes.extend_from_slice(packet);
            stored.carried = hop;
            if hop {
                ip::decrement_ttl(&mut stored.bytes);
            }
            self.enqueue(now_ns, handle);
        }
    }

    /// A packet has come out of its last leg.
    fn exit(&mut self, due_ns: i64, handle: Handle) {
        let packet = self.pool.get_mut(handle);
        if !packet.expires {
            self.ready.push_back((due_ns, handle));
            return;
        }
        // It came up with a TTL that ends here; the answer goes back the way that the terminal has now.
        let lane = packet.lane as usize;
        let bytes = core::mem::take(&mut packet.bytes);
        self.lanes[lane].counters[DropReason::TtlExpired] += 1;
        self.report(
            due_ns,
            lane / 2,
            Error::TimeExceeded,
            &bytes,
            Direction::Down,
        );
        self.pool.get_mut(handle).bytes = bytes;
        self.pool.give(handle);
    }

    /// Sends an ICMP error about `packet`: `Down` to the terminal, `Up` out of the PoP. One for a terminal without a route
    /// or without service is made at the terminal, at once; so is any toward the PoP, by the PoP.
    fn report(
        &mut self,
        now_ns: i64,
        position: usize,
        error: Error,
        packet: &[u8],
        direction: Direction,
    ) {
        let allowance = &mut self.icmp_allowance_ns[position];
        let next = (*allowance).max(now_ns).saturating_add(ICMP_INTERVAL_NS);
        if next > now_ns.saturating_add(ICMP_INTERVAL_NS * ICMP_BURST) {
            return;
        }
        let lane = lane(position, direction);
        let handle = self.pool.take(lane as u32);
        if !self
            .router
            .write_error(error, packet, &mut self.pool.get_mut(handle).bytes)
        {
            self.pool.give(handle);
            return;
        }
        *allowance = next;
        self.lanes[lane]
            .counters
            .originated
            .count(self.pool.len(handle));
        let at_terminal = matches!(error, Error::Unreachable | Error::Prohibited);
        if at_terminal || direction == Direction::Up {
            self.ready.push_back((now_ns, handle));
        } else if self.lanes[lane].server.is_none() {
            self.lanes[lane].counters[DropReason::NoRoute] += 1;
            self.pool.give(handle);
        } else if self.has_room(lane, self.pool.len(handle)) {
            self.enqueue(now_ns, handle);
        } else {
            self.pool.give(handle);
        }
    }

    /// Whether a packet fits into the lane's queue; counts it as dropped if not.
    fn has_room(&mut self, lane: usize, bytes: usize) -> bool {
        let lane = &mut self.lanes[lane];
        let fits = lane.bytes + bytes as u64 <= lane.limit_bytes;
        if !fits {
            lane.counters[DropReason::QueueFull] += 1;
        }
        fits
    }

    /// Puts a packet into the queue of its lane, which has a server.
    fn enqueue(&mut self, now_ns: i64, handle: Handle) {
        let bytes = self.pool.len(handle);
        let number = self.pool.get(handle).lane;
        let lane = &mut self.lanes[number as usize];
        let server = lane.server.expect("the caller has checked it");
        if lane.queue.is_empty() {
            self.servers[server as usize].wait(number, &mut lane.share, bytes);
        }
        self.pool.push(&mut lane.queue, handle);
        lane.bytes += bytes as u64;
        self.serve(now_ns, server);
    }

    /// Lets a packet go if the server may send by `now_ns`, and sets its timer for the one after.
    fn serve(&mut self, now_ns: i64, number: u32) {
        let server = &mut self.servers[number as usize];
        while !server.armed
            && let Some(free_ns) = server.next_free_ns()
        {
            if free_ns > now_ns {
                server.armed = true;
                let event = Event::Serve {
                    generation: self.generation,
                    server: number,
                };
                self.wheel.push(free_ns, event);
                return;
            }
            let number = server.next().expect("one waits");
            let lane = &mut self.lanes[number as usize];
            let handle = self
                .pool
                .pop(&mut lane.queue)
                .expect("a lane that waits has a packet");
            let bytes = self.pool.len(handle);
            lane.bytes -= bytes as u64;
            server.charge(now_ns, bytes);
            if let Some(next) = lane.queue.head() {
                server.wait(number, &mut lane.share, self.pool.len(next));
            }
            let terminal = number as usize / 2;
            let table = self
                .current
                .as_ref()
                .expect("a lane with a server has a table");
            let route = self.routes[terminal].expect("a lane with a server has a route");
            let route = table.routes[route as usize]
                .1
                .as_ref()
                .expect("routes point at routes");
            let entered = Time::from_nanos(now_ns);
            // The user link is the first of a packet's links or the last.
            let (exit, at_terminal) = match direction(number as usize) {
                Direction::Up => (route.out_at_pop(entered), entered),
                Direction::Down => {
                    let exit = route.out_at_terminal(entered);
                    (exit, exit)
                }
            };
            if route.is_blocked(at_terminal) {
                lane.counters[DropReason::Obstructed] += 1;
                self.pool.give(handle);
                continue;
            }
            let exit_ns = match self.order {
                Order::Kept => exit.nanos().max(lane.last_exit_ns),
                Order::ByDelay => exit.nanos(),
            };
            lane.last_exit_ns = exit_ns;
            self.wheel.push(exit_ns, Event::Exit(handle));
        }
    }

    /// The next table takes over at `now_ns`: what is queued moves to the new beams, what is on its way stays on it.
    fn switch(&mut self, now_ns: i64) {
        self.count_late(now_ns.saturating_sub(1));
        let table = self.pending.pop_front().expect("the caller has seen it");
        self.generation = self.generation.wrapping_add(1);
        if self.epoch() != Some(table.epoch) {
            self.late_at_ns = table.end.nanos();
            self.epochs += 1;
        }
        self.servers.clear();
        for beam in &table.beams {
            self.servers
                .extend([Server::new(beam.up_bps), Server::new(beam.down_bps)]);
        }
        // What all terminals of a beam weigh together, by server.
        let mut weights = vec![0_u128; self.servers.len()];
        for route in table
            .routes
            .iter()
            .filter_map(|(_, route)| route.as_ref().ok())
        {
            for direction in [Direction::Up, Direction::Down] {
                weights[lane(route.beam as usize, direction)] +=
                    u128::from(route.weight_bps(direction));
            }
        }
        self.routes.fill(None);
        for (i, (terminal, route)) in table.routes.iter().enumerate() {
            if route.is_ok() {
                let position = self
                    .directory
                    .position(*terminal)
                    .expect("checked at installation");
                self.routes[position] = Some(i as u32);
            }
        }
        for number in 0..self.lanes.len() {
            let l = &mut self.lanes[number];
            let Some(route) = self.routes[number / 2] else {
                l.server = None;
                while let Some(handle) = self.pool.pop(&mut l.queue) {
                    l.bytes -= self.pool.len(handle) as u64;
                    l.counters[DropReason::NoRoute] += 1;
                    self.pool.give(handle);
                }
                continue;
            };
            let route = table.routes[route as usize]
                .1
                .as_ref()
                .expect("routes point at routes");
            let server = lane(route.beam as usize, direction(number));
            let weight = route.weight_bps(direction(number));
            // What waited may have been on its way anywhere.
            if route.access != l.access && route.access == Access::AccountPage {
                while let Some(handle) = self.pool.pop(&mut l.queue) {
                    l.bytes -= self.pool.len(handle) as u64;
                    l.counters[DropReason::NotEntitled] += 1;
                    self.pool.give(handle);
                }
            }
            l.access = route.access;
            l.server = Some(server as u32);
            l.share = Share::new(weight);
            l.limit_bytes =
                self.queue
                    .bytes(self.servers[server].rate_bps(), weight, weights[server]);
            if let Some(head) = l.queue.head() {
                let bytes = self.pool.len(head);
                self.servers[server].wait(number as u32, &mut l.share, bytes);
            }
        }
        self.current = Some(table);
        for server in 0..self.servers.len() {
            self.serve(now_ns, server as u32);
        }
    }

    /// Counts the epochs that have begun by `now_ns` without a table of their own.
    fn count_late(&mut self, now_ns: i64) {
        let Some(table) = &self.current else { return };
        if now_ns >= self.late_at_ns {
            let length = table.end.nanos().saturating_sub(table.start.nanos());
            let missed = now_ns.saturating_sub(self.late_at_ns) / length + 1;
            self.late_plan += missed as u64;
            self.late_at_ns = self
                .late_at_ns
                .saturating_add(missed.saturating_mul(length));
        }
    }
}

impl Lane {
    fn new() -> Self {
        Self {
            queue: Fifo::EMPTY,
            bytes: 0,
            limit_bytes: 0,
            share: Share::new(1),
            server: None,
            access: Access::Full,
            last_exit_ns: i64::MIN,
            counters: LaneCounters::default(),
        }
    }
}

impl QueueLimit {
    fn bytes(&self, rate_bps: u64, weight: u64, weights: u128) -> u64 {
        let time_ns = u128::try_from(self.time.nanos()).unwrap_or(0);
        // rate · weight / weights · time / 8, in steps that cannot overflow.
        let share_bps = u128::from(rate_bps) * u128::from(weight) / weights;
        let bytes = share_bps * time_ns / 8_000_000_000;
        u64::try_from(bytes)
            .unwrap_or(u64::MAX)
            .max(self.floor_bytes.into())
    }
}

/// Things that come in pairs, up and down, stand beside each other: lanes by terminal, servers by beam.
fn lane(owner: usize, direction: Direction) -> usize {
    owner * 2 + direction as usize
}

fn direction(lane: usize) -> Direction {
    [Direction::Up, Direction::Down][lane % 2]
}
