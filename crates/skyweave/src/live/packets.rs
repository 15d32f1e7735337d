//! The packet thread: the only one that touches packets, and the only one that sleeps until a packet is due.
//!
//! One loop that runs to completion: take what is due out of the engine and write it, read what has arrived and hand it to
//! the engine, sleep. No lock, no allocation for a packet, no other work. Other threads talk to it through a queue that it
//! looks at when woken.

use super::sys;
use super::{Clock, LiveError};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use rustix::time::Timespec;
use skyweave_base::{Span, TerminalId};
use skyweave_dataplane::{Counters, Engine, EpochTable, InstallError, Port, TerminalCounters};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A packet that leaves later than this after its due time is counted as late.
pub const LATE: Duration = Duration::from_micros(100);

/// Packets that are read from one device before the others have their turn.
const BATCH: usize = 64;

/// Whether the packet thread asks for real-time priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Realtime {
    /// Usual priority.
    #[default]
    No,
    /// SCHED_FIFO and pinned to a core, where permitted.
    IfPermitted,
}

/// What the packet thread did so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// What became of packets.
    pub packets: Counters,
    /// The same for each live terminal, by id.
    pub terminals: Vec<(TerminalId, TerminalCounters)>,
    /// Packets that left more than [`LATE`] after their due time: the machine was too busy for this thread.
    pub late: u64,
    /// The latest.
    pub latest: Span,
    /// Packets from or to a terminal that is off: restarting, asleep or stowed.
    pub silenced: u64,
    /// Packets that a device refused, because it was down or out of buffers.
    pub refused_by_device: u64,
    /// The number of the table that is followed.
    pub epoch: Option<i64>,
    /// Whether the thread has real-time priority.
    pub realtime: bool,
}

/// How the packet thread waits and runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) spin: Duration,
    pub(crate) realtime: Realtime,
}

/// The packet thread as other threads see it. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct PacketThread {
    commands: Sender<Command>,
    wake: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Install(Arc<EpochTable>, Sender<Result<(), InstallError>>),
    Add(TerminalId, OwnedFd),
    Remove(TerminalId),
    Silence(TerminalId, bool),
    Stats(Sender<Stats>),
    Stop,
}

impl PacketThread {
    /// Starts the thread over the PoP's device.
    pub(crate) fn start(
        engine: Engine,
        clock: Clock,
        waiting: Waiting,
        pop: OwnedFd,
    ) -> Result<Self, LiveError> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(LiveError::errno("make an event descriptor"))?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(LiveError::errno("make an epoll descriptor"))?;
        for (fd, key) in [(wake.as_fd(), WAKE), (pop.as_fd(), POP)] {
            epoll::add(
                &epoll,
                fd,
                epoll::EventData::new_u64(key),
                epoll::EventFlags::IN,
            )
            .map_err(LiveError::errno("watch a device"))?;
        }
        let (commands, inbox) = channel();
        let wake_in_thread = wake
            .try_clone()
            .map_err(LiveError::system("copy a descriptor"))?;
        let state = Loop {
            engine,
            clock,
            spin: Span::from_nanos(i64::try_from(waiting.spin.as_nanos()).unwrap_or(i64::MAX)),
            epoll,
            wake: wake_in_thread,
            inbox,
            pop,
            terminals: Vec::new(),
            stats: Stats::default(),
        };
        let thread = std::thread::Builder::new()
            .name("packets".to_owned())
            .spawn(move || state.run(waiting.realtime))
            .map_err(LiveError::system("start the packet thread"))?;
        Ok(Self {
            commands,
            wake,
            thread: Some(thread),
        })
    }

    /// Gives the engine a table.
    pub(crate) fn install(&self, table: Arc<EpochTable>) -> Result<(), InstallError> {
        let (reply, answer) = channel();
        self.send(Command::Install(table, reply));
        answer.recv().expect(ALIVE)
    }

    /// Lets packets of a terminal's device in and out.
    pub(crate) fn add(&self, terminal: TerminalId, tun: OwnedFd) {
        self.send(Command::Add(terminal, tun));
    }

    /// Closes a terminal's device.
    pub(crate) fn remove(&self, terminal: TerminalId) {
        self.send(Command::Remove(terminal));
    }

    /// Drops packets of a terminal's device, or lets them pass again.
    pub(crate) fn silence(&self, terminal: TerminalId, silent: bool) {
        self.send(Command::Silence(terminal, silent));
    }

    pub(crate) fn stats(&self) -> Stats {
        let (reply, answer) = channel();
        self.send(Command::Stats(reply));
        answer.recv().expect(ALIVE)
    }

    fn send(&self, command: Command) {
        self.commands.send(command).expect(ALIVE);
        // Fails only if the counter is full, and then the thread is to wake already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

/// Why waiting for the packet thread cannot fail.
const ALIVE: &str = "the packet thread runs until it is told to stop";

impl Drop for PacketThread {
    fn drop(&mut self) {
        if self.commands.send(Command::Stop).is_ok() {
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What an epoll event is about: a terminal's number, or one of these.
const POP: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;

/// The largest IP packet that a device can hand over.
const MAX_PACKET: usize = 1 << 16;

struct Loop {
    engine: Engine,
    clock: Clock,
    spin: Span,
    epoll: OwnedFd,
    wake: OwnedFd,
    inbox: Receiver<Command>,
    pop: OwnedFd,
    /// By number.
    terminals: Vec<Option<Device>>,
    stats: Stats,
}

/// A terminal's device.
struct Device {
    fd: OwnedFd,
    silent: bool,
}

impl Loop {
    fn run(mut self, realtime: Realtime) {
        // Sleeps end up to 50 µs late by default, so that the kernel can end several at once.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        // Held for as long as the thread runs.
        let mut _shallow_idle = None;
        if realtime == Realtime::IfPermitted {
            self.stats.realtime = sys::make_this_thread_realtime();
            _shallow_idle = sys::forbid_deep_idle();
        }
        let mut events = Vec::with_capacity(64);
        let mut buffer = vec![0; MAX_PACKET];
        loop {
            self.write_what_is_due();
            let timeout = self.sleep();
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                timeout.as_ref(),
            ) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => {
                    unreachable!("epoll on open descriptors and valid memory does not fail: {e}")
                }
            }
            for event in &events {
                match event.data.u64() {
                    WAKE => {
                        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
                        if self.obey().is_break() {
                            return;
                        }
                    }
                    key => self.read(key, &mut buffer),
                }
            }
        }
    }

    /// How long to sleep: until shortly before the next packet is due, since a sleep ends some tens of microseconds late.
    /// From there on this returns zero, and the loop spins.
    fn sleep(&self) -> Option<Timespec> {
        let left = self.engine.next_timeout()? - self.clock.now() - self.spin;
        let nanos = left.nanos().max(0);
        Some(Timespec {
            tv_sec: nanos / 1_000_000_000,
            tv_nsec: nanos % 1_000_000_000,
        })
    }

    fn write_what_is_due(&mut self) {
        let mut now = self.clock.now();
        while let Some(transmit) = self.engine.poll(now) {
            let device = match transmit.port {
                Port::Pop => Some(&self.pop),
                Port::Terminal(id) => match self.terminals.get(id.index()) {
                    Some(Some(device)) if device.silent => {
                        self.stats.silenced += 1;
                        continue;
                    }
                    Some(Some(device)) => Some(&device.fd),
                    _ => None,
                },
            };
            let lateness = now - transmit.due;
            self.stats.late += u64::from(lateness > LATE_SPAN);
            self.stats.latest = self.stats.latest.max(lateness);
            let written = device.is_some_and(|fd| rustix::io::write(fd, transmit.packet).is_ok());
            self.stats.refused_by_device += u64::from(!written);
            now = self.clock.now();
        }
    }

    fn read(&mut self, key: u64, buffer: &mut [u8]) {
        let (device, port, silent) = if key == POP {
            (&self.pop, Port::Pop, false)
        } else {
            let Some(Some(device)) = self.terminals.get(key as usize) else {
                return;
            };
            (
                &device.fd,
                Port::Terminal(TerminalId(key as u32)),
                device.silent,
            )
        };
        for _ in 0..BATCH {
            match rustix::io::read(device, &mut *buffer) {
                Ok(_) if silent => self.stats.silenced += 1,
                // A TUN device gives no time stamps: a packet arrives when it is read.
                Ok(length) => self
                    .engine
                    .handle(self.clock.now(), port, &buffer[..length]),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }

    fn obey(&mut self) -> std::ops::ControlFlow<()> {
        while let Ok(command) = self.inbox.try_recv() {
            match command {
                Command::Install(table, reply) => {
                    let _ = reply.send(self.engine.install(table));
                }
                Command::Add(id, tun) => {
                    let data = epoll::EventData::new_u64(u64::from(id.0));
                    if epoll::add(&self.epoll, &tun, data, epoll::EventFlags::IN).is_ok() {
                        if self.terminals.len() <= id.index() {
                            self.terminals.resize_with(id.index() + 1, || None);
                        }
                        self.terminals[id.index()] = Some(Device {
                            fd: tun,
                            silent: false,
                        });
                    }
                }
                // Closing the device also ends its watch.
                Command::Remove(id) => self.terminals[id.index()] = None,
                Command::Silence(id, silent) => {
                    if let Some(Some(device)) = self.terminals.get_mut(id.index()) {
                        device.silent = silent;
                    }
                }
                Command::Stats(reply) => {
                    let _ = reply.send(self.stats());
                }
                Command::Stop => return std::ops::ControlFlow::Break(()),
            }
        }
        std::ops::ControlFlow::Continue(())
    }

    fn stats(&self) -> Stats {
        let live = self
            .terminals
            .iter()
            .enumerate()
            .filter(|(_, fd)| fd.is_some());
        let terminals = live.filter_map(|(i, _)| {
            let id = TerminalId(i as u32);
            Some((id, self.engine.terminal_counters(id)?))
        });
        Stats {
            packets: self.engine.counters(),
            terminals: terminals.collect(),
            epoch: self.engine.epoch(),
            ..self.stats.clone()
        }
    }
}

const LATE_SPAN: Span = Span::from_micros(LATE.as_micros() as i64);
