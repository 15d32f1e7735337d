//! The one place where commands are executed: checked on the register, written, and only then seen by anybody.
//!
//! One thread writes. It keeps two copies of the register: the one that everybody reads, and the next one. A batch of
//! commands is applied to the next one and written in one transaction; then the two change places and the other is brought
//! up to date. So a reader never waits, for the database or for a writer, and never sees what is not on the disk.
//! Commands that come while the disk is at work share the next transaction.
//!
//! When the database is away, reads go on with the last state, commands are refused with the reason, and counters of
//! traffic are kept until they can be written. It is tried again and again on a thread of its own, so that nobody waits for
//! a database that does not answer but the one who finds out.

use super::store::{Record, Store, Writes};
use super::{StoreError, StoreUrl};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use skyweave_base::Time;
use skyweave_service::{AuditHead, Command, Outcome, Refused, Register, UsageRecord, UtId};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};
use tokio::sync::{broadcast, oneshot};

/// Orders of one transaction at most, and terminals of one: what a caller may have to wait for.
const BATCH: usize = 1000;
const BATCH_TERMINALS: usize = 20_000;
/// Events that a subscriber may be behind.
const EVENTS: usize = 1024;
/// How often an idle desk asks whether the database is there, and how often it tries when it is not.
const IDLE: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(250);
const SLOWEST_RETRY: Duration = Duration::from_secs(5);
/// How often it is asked whether a try has come to its end.
const TRYING: Duration = Duration::from_millis(20);
/// How long a write waits for readers of the register before the last; then it goes on with a copy.
const READERS: Duration = Duration::from_millis(200);

/// Commands that are executed together or not at all, and what is kept with them in the same transaction.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// What is to be done, in this order; without any only records are kept.
    pub commands: Vec<Command>,
    /// What is kept beside.
    pub records: Vec<Record>,
}

impl From<Command> for Draft {
    fn from(command: Command) -> Self {
        Self {
            commands: vec![command],
            records: Vec::new(),
        }
    }
}

/// Why an order was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Rejected {
    /// The register refused: nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A condition of the caller did not hold: nothing was changed.
    #[error("{0}")]
    Condition(String),
    /// The database does not take writes: nothing was changed.
    #[error("nothing can be changed at the moment: {0}")]
    Away(Arc<StoreError>),
    /// The database went away while it wrote: what was ordered is done or not done, and the register shows it once the
    /// database is back.
    #[error("not known whether this was done, until the database is back: {0}")]
    InDoubt(Arc<StoreError>),
    /// The desk has been closed.
    #[error("the service has ended")]
    Closed,
}

/// What happened, for the event stream and the live network. Whoever gets it reads the register as it stands now.
#[derive(Clone, Debug)]
pub enum Event {
    /// A command was executed.
    Done(Arc<Outcome>),
    /// Traffic of these was counted.
    Used(Arc<[UtId]>),
    /// Anything may have changed: events were missed, or the register was read anew.
    Everything,
}

/// A subscription.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next event; `None` when the desk has ended. Events that came too fast become one [`Event::Everything`].
    pub async fn next(&mut self) -> Option<Event> {
        Self::event(self.0.recv().await)
    }

    /// The next event, waiting for it; not from an asynchronous function.
    pub fn wait(&mut self) -> Option<Event> {
        Self::event(self.0.blocking_recv())
    }

    /// The next event if there is one.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.0.try_recv() {
            Ok(event) => Some(event),
            Err(broadcast::error::TryRecvError::Lagged(_)) => Some(Event::Everything),
            Err(_) => None,
        }
    }

    fn event(received: Result<Event, broadcast::error::RecvError>) -> Option<Event> {
        match received {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::Everything),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Whether the database takes writes.
#[derive(Clone, Debug)]
pub enum Database {
    /// It does.
    Working,
    /// It does not: reads and entitlements go on, commands are refused.
    Away {
        /// Since when.
        since: SystemTime,
        /// Why.
        why: Arc<StoreError>,
    },
    /// The thread that writes has ended.
    Stopped,
}

/// How the desk is.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether commands are executed.
    pub database: Database,
    /// Transactions written since the start.
    pub transactions: u64,
    /// How long the last transaction took.
    pub last_transaction: Duration,
    /// Counters of traffic that are not written yet.
    pub unwritten_usage: usize,
    /// Counters of traffic of terminals that do not exist.
    pub refused_usage: u64,
}

/// An answer to come: a future, or [`Ticket::wait`] for it.
#[derive(Debug)]
pub struct Ticket<T>(oneshot::Receiver<T>);

impl<T, E: From<Closed>> Ticket<Result<T, E>> {
    /// Waits for the answer; not from an asynchronous function.
    ///
    /// # Errors
    /// As the call that gave the ticket says.
    pub fn wait(self) -> Result<T, E> {
        self.0
            .blocking_recv()
            .unwrap_or_else(|_| Err(Closed.into()))
    }

    /// The answer if it is there, once.
    ///
    /// # Errors
    /// As the call that gave the ticket says.
    pub fn answer(&mut self) -> Option<Result<T, E>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(Closed.into())),
        }
    }
}

impl<T, E: From<Closed>> Future for Ticket<Result<T, E>> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or_else(|_| Err(Closed.into())))
    }
}

/// The desk ended before it answered.
#[derive(Debug)]
pub struct Closed;

impl From<Closed> for Rejected {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<Closed> for Arc<StoreError> {
    fn from(_: Closed) -> Self {
        Arc::new(StoreError::Closed)
    }
}

type Build = Box<dyn FnOnce(&Register) -> Result<Draft, Rejected> + Send>;
type Done = Result<Option<Arc<Outcome>>, Rejected>;
type Answer = oneshot::Sender<Done>;

enum Order {
    Execute(Build, Answer),
    Usage(Vec<UsageRecord>),
}

type Question = Box<dyn FnOnce(&mut Option<Store>, &StoreUrl) + Send>;

/// The desk. Dropping it waits until what was ordered is written.
pub struct Desk {
    shared: Arc<Shared>,
    orders: Option<Sender<Order>>,
    questions: Option<Sender<Question>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    register: Mutex<Arc<Register>>,
    health: Mutex<Health>,
    events: broadcast::Sender<Event>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// Opens the database, brings it to this program's version, reads it, and begins to work. Waits; not from an
    /// asynchronous function.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        let mut store = Store::open(url)?;
        let register = Arc::new(load(&mut store)?);
        let shared = Arc::new(Shared {
            register: Mutex::new(Arc::clone(&register)),
            health: Mutex::new(Health {
                database: Database::Working,
                transactions: 0,
                last_transaction: Duration::ZERO,
                unwritten_usage: 0,
                refused_usage: 0,
            }),
            events: broadcast::channel(EVENTS).0,
        });
        let writer = Writer {
            url: url.clone(),
            shared: Arc::clone(&shared),
            store: Some(store),
            published: Arc::clone(&register),
            next: register,
            unwritten: BTreeMap::new(),
            retry: RETRY,
            retry_at: Instant::now(),
            trying: None,
        };
        let (orders, to_do) = channel();
        let (questions, asked) = channel::<Question>();
        let url = url.clone();
        let threads = vec![
            spawn("service writer", move || writer.run(&to_do)),
            spawn("service reader", move || {
                let mut store = None;
                asked.iter().for_each(|question| question(&mut store, &url));
            }),
        ];
        Ok(Self {
            shared,
            orders: Some(orders),
            questions: Some(questions),
            threads,
        })
    }

    /// The register as it stands: a snapshot that nothing changes. Ask for it anew instead of keeping it, since two writes
    /// later one that is still held costs a copy of everything.
    pub fn register(&self) -> Arc<Register> {
        Arc::clone(&lock(&self.shared.register))
    }

    /// Executes a command: checks it, writes it, publishes it.
    ///
    /// # Errors
    /// [`Rejected`]
    pub fn execute(&self, command: Command) -> Result<Arc<Outcome>, Rejected> {
        let outcome = self.submit(|_| Ok(command.into())).wait()?;
        Ok(outcome.expect("a draft with a command has an outcome"))
    }

    /// Executes what `build` makes of the register as it stands when the order's turn has come: for conditions ("if nobody
    /// has changed it"), new numbers, and records that belong to the commands. The answer is the outcome of the last one, to
    /// a draft without a command `None`. `build` runs on the writer's thread: it must be quick and must not wait.
    pub fn submit(
        &self,
        build: impl FnOnce(&Register) -> Result<Draft, Rejected> + Send + 'static,
    ) -> Ticket<Result<Option<Arc<Outcome>>, Rejected>> {
        let (answer, ticket) = oneshot::channel();
        self.order(Order::Execute(Box::new(build), answer));
        Ticket(ticket)
    }

    /// Takes over counters of traffic: at once for entitlement, into the database as soon as it can be. Of several of one
    /// terminal and period the last counts.
    pub fn record_usage(&self, records: Vec<UsageRecord>) {
        self.order(Order::Usage(records));
    }

    /// Asks the database, beside the writer: for what the register does not hold.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Ticket<Result<T, Arc<StoreError>>> {
        let (answer, ticket) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        let ask = move |store: &mut Option<Store>, url: &StoreUrl| {
            let answered = match shared.unreachable() {
                Some(why) => Err(why),
                None => ask(store, url, question).map_err(Arc::new),
            };
            // Whoever asked may have gone.
            let _ = answer.send(answered);
        };
        if let Some(questions) = &self.questions {
            // A thread that has ended drops the answer, and that is the answer.
            let _ = questions.send(Box::new(ask));
        }
        Ticket(ticket)
    }

    /// Tells what changes from now on.
    pub fn subscribe(&self) -> Events {
        Events(self.shared.events.subscribe())
    }

    /// How the desk is.
    pub fn health(&self) -> Health {
        let mut health = lock(&self.shared.health).clone();
        if self.threads.iter().any(JoinHandle::is_finished) {
            health.database = Database::Stopped;
        }
        health
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // A thread that has ended drops the answer, and that is the answer.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        (self.orders, self.questions) = (None, None);
        for thread in self.threads.drain(..) {
            // A panic of theirs was told by `health` and by its own message.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Why questions need not be tried, if it is known: one that only takes no writes can be read.
    fn unreachable(&self) -> Option<Arc<StoreError>> {
        match &lock(&self.health).database {
            Database::Away { why, .. } if matches!(**why, StoreError::Gone { .. }) => {
                Some(Arc::clone(why))
            }
            _ => None,
        }
    }
}

/// Asks on a connection that is opened when it is needed, and again once if it was lost since.
fn ask<T>(
    store: &mut Option<Store>,
    url: &StoreUrl,
    question: impl FnOnce(&mut Store) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if store.as_mut().is_some_and(|s| s.check_present().is_err()) {
        *store = None;
    }
    let open = match store.take() {
        Some(open) => open,
        None => Store::read_only(url)?,
    };
    question(store.insert(open))
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder
        .spawn(work)
        .expect("a process can start a thread more")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever holds one of these locks only copies.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn load(store: &mut Store) -> Result<Register, StoreError> {
    let things = store.load()?;
    Register::load(things).map_err(|source| StoreError::Things {
        database: store.url().clone(),
        source,
    })
}

/// The thread that writes.
struct Writer {
    url: StoreUrl,
    shared: Arc<Shared>,
    /// `None` while the database is away.
    store: Option<Store>,
    published: Arc<Register>,
    next: Arc<Register>,
    /// Counters that the database does not have yet.
    unwritten: BTreeMap<(UtId, Time), UsageRecord>,
    retry: Duration,
    retry_at: Instant,
    /// Whether the database is back.
    trying: Option<JoinHandle<Result<Found, StoreError>>>,
}

/// A database that takes writes again, and where its log ends.
struct Found {
    store: Store,
    head: AuditHead,
}

/// A batch on its way.
#[derive(Default)]
struct Batch {
    /// What changed the next register, to be done to the other one.
    applied: Vec<Applied>,
    outcomes: Vec<Arc<Outcome>>,
    records: Vec<Record>,
    used: Vec<UtId>,
    answers: Vec<(Answer, Done)>,
}

enum Applied {
    Command(Command),
    Usage(UsageRecord),
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        self.make_second_copy();
        loop {
            let patience = match (&self.store, &self.trying) {
                (Some(_), _) => IDLE,
                (None, Some(_)) => TRYING,
                (None, None) => self.retry_at.saturating_duration_since(Instant::now()),
            };
            match orders.recv_timeout(patience) {
                Ok(order) => {
                    let batch = self.collect(order, orders);
                    self.carry_out(batch);
                    // Whoever asks without pause does not keep it away.
                    if self.store.is_none() {
                        self.look_after();
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.look_after(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match self.trying.take() {
            Some(trying) => self.come_back(ended(trying)),
            None if self.store.is_none() && !self.unwritten.is_empty() => {
                self.come_back(try_again(self.url.clone()));
            }
            None => {}
        }
        self.carry_out(Batch::default());
        if !self.unwritten.is_empty() {
            eprintln!(
                "the traffic of {} terminals since the database went away is not counted: {}",
                self.unwritten.len(),
                self.why_away()
            );
        }
    }

    /// Before it is needed: after the register was read, one copy stands for both.
    fn make_second_copy(&mut self) {
        Arc::make_mut(&mut self.next);
    }

    /// When there is nothing to do: is the database there, is it back?
    fn look_after(&mut self) {
        match (&self.store, self.trying.take()) {
            (Some(_), _) => {
                if let Err(why) = self.check_present() {
                    self.away(Arc::new(why));
                }
            }
            (None, Some(trying)) if trying.is_finished() => {
                self.come_back(ended(trying));
                self.make_second_copy();
            }
            (None, Some(trying)) => self.trying = Some(trying),
            (None, None) if Instant::now() < self.retry_at => {}
            (None, None) => {
                let url = self.url.clone();
                self.trying = Some(spawn("service returns", move || try_again(url)));
            }
        }
        if !self.unwritten.is_empty() {
            self.carry_out(Batch::default());
        }
    }

    /// Applies this order, and what else waits, to the next register.
    fn collect(&mut self, first: Order, orders: &Receiver<Order>) -> Batch {
        if !Arc::ptr_eq(&self.next, &self.published) {
            wait_for_readers(&mut self.next);
        }
        let away = self.store.is_none().then(|| self.why_away());
        let mut batch = Batch::default();
        let (mut order, mut left) = (Some(first), BATCH_TERMINALS);
        while let Some(next) = order.take() {
            match next {
                Order::Usage(records) => self.count(records, &mut batch),
                Order::Execute(_, answer) if away.is_some() => {
                    let why = away.clone().expect("asked before");
                    batch.answers.push((answer, Err(Rejected::Away(why))));
                }
                Order::Execute(build, answer) => {
                    let done = self.apply(build, &mut batch);
                    let touched = done.as_ref().ok().and_then(Option::as_ref);
                    left = left.saturating_sub(touched.map_or(0, |o| o.touched.len()));
                    batch.answers.push((answer, done));
                }
            }
            if left > 0 && batch.answers.len() < BATCH {
                order = orders.try_recv().ok();
            }
        }
        batch
    }

    fn apply(&mut self, build: Build, batch: &mut Batch) -> Done {
        let draft = build(&self.next)?;
        let before = batch.applied.len();
        let mut done = None;
        for command in draft.commands {
            match Arc::make_mut(&mut self.next).apply(&command) {
                Ok(outcome) => {
                    let outcome = Arc::new(outcome);
                    batch.applied.push(Applied::Command(command));
                    batch.outcomes.push(Arc::clone(&outcome));
                    done = Some(outcome);
                }
                Err(refused) => {
                    self.take_back(before, batch);
                    return Err(refused.into());
                }
            }
        }
        batch.records.extend(draft.records);
        Ok(done)
    }

    /// Takes back what a batch has applied beyond so many, which were commands.
    fn take_back(&mut self, stay: usize, batch: &mut Batch) {
        let gone = batch.applied.len() - stay;
        if gone == 0 {
            return;
        }
        batch.applied.truncate(stay);
        batch.outcomes.truncate(batch.outcomes.len() - gone);
        self.next = Arc::clone(&self.published);
        redo(Arc::make_mut(&mut self.next), &batch.applied);
    }

    fn count(&mut self, records: Vec<UsageRecord>, batch: &mut Batch) {
        let register = Arc::make_mut(&mut self.next);
        let mut refused = 0;
        for record in records {
            match register.record_usage(record) {
                Ok(_) => {
                    batch.applied.push(Applied::Usage(record));
                    batch.used.push(record.terminal);
                    self.unwritten
                        .insert((record.terminal, record.period_start), record);
                }
                Err(_) => refused += 1,
            }
        }
        let mut health = lock(&self.shared.health);
        health.refused_usage += refused;
        health.unwritten_usage = self.unwritten.len();
    }

    /// Writes a batch, publishes it and answers; or undoes it and answers.
    fn carry_out(&mut self, mut batch: Batch) {
        let answers = core::mem::take(&mut batch.answers);
        let written = self.write(&batch);
        match written {
            Ok(()) => self.publish(batch),
            Err(ref rejected) => {
                self.undo(batch);
                for (answer, _) in answers {
                    // Whoever ordered may have gone.
                    let _ = answer.send(Err(rejected.clone()));
                }
                return;
            }
        }
        for (answer, done) in answers {
            let _ = answer.send(done);
        }
    }

    /// Writes what there is to write. Without a database nothing of a batch but counters can be there.
    fn write(&mut self, batch: &Batch) -> Result<(), Rejected> {
        let nothing =
            batch.outcomes.is_empty() && batch.records.is_empty() && self.unwritten.is_empty();
        if nothing || self.store.is_none() {
            return Ok(());
        }
        let begin = Instant::now();
        let usage: Vec<UsageRecord> = self.unwritten.values().copied().collect();
        let (before, after) = (Arc::clone(&self.published), Arc::clone(&self.next));
        let writes = Writes {
            before: &before,
            after: &after,
            outcomes: &batch.outcomes,
            usage: &usage,
            records: &batch.records,
        };
        let mut in_doubt = false;
        let written = self
            .check_present()
            .and_then(|()| self.write_through(&writes, &mut in_doubt));
        match written {
            Ok(()) => {
                self.unwritten.clear();
                let mut health = lock(&self.shared.health);
                health.transactions += 1;
                health.last_transaction = begin.elapsed();
                health.unwritten_usage = 0;
                Ok(())
            }
            Err(error) => {
                let why = Arc::new(error);
                self.away(Arc::clone(&why));
                Err(if in_doubt {
                    Rejected::InDoubt(why)
                } else {
                    Rejected::Away(why)
                })
            }
        }
    }

    /// Writes; if the connection breaks off, asks on a new one whether the transaction was taken before, and if not writes
    /// it again. While the answer is not known, the write is in doubt.
    fn write_through(
        &mut self,
        writes: &Writes<'_>,
        in_doubt: &mut bool,
    ) -> Result<(), StoreError> {
        match self.connected().write(writes) {
            Err(StoreError::Gone { .. }) => {}
            done => return done,
        }
        *in_doubt = true;
        let head = self.reconnect()?;
        let taken = !writes.outcomes.is_empty() && head == writes.after.audit_head();
        if !taken {
            self.connected().write(writes)?;
        }
        *in_doubt = false;
        Ok(())
    }

    /// Makes sure of the connection before anything depends on it: a server that was started anew is there again.
    fn check_present(&mut self) -> Result<(), StoreError> {
        if self.connected().check_present().is_ok() {
            return Ok(());
        }
        let (ours, head) = (self.published.audit_head(), self.reconnect()?);
        if head == ours {
            return Ok(());
        }
        // What it holds now is looked into when the desk comes back.
        Err(StoreError::Diverged {
            database: self.url.clone(),
            ours: ours.rows,
            theirs: head.rows,
        })
    }

    fn connected(&mut self) -> &mut Store {
        self.store
            .as_mut()
            .expect("without a store nothing is written")
    }

    fn reconnect(&mut self) -> Result<AuditHead, StoreError> {
        // The old connection holds the lock of the one writer.
        self.store = None;
        let mut store = Store::reopen(&self.url)?;
        let head = store.head()?;
        self.store = Some(store);
        Ok(head)
    }

    /// Lets everybody see the next register, and brings the other copy up to date.
    fn publish(&mut self, batch: Batch) {
        if batch.applied.is_empty() {
            return;
        }
        core::mem::swap(&mut self.published, &mut self.next);
        *lock(&self.shared.register) = Arc::clone(&self.published);
        // Nobody may be listening.
        for outcome in &batch.outcomes {
            let _ = self.shared.events.send(Event::Done(Arc::clone(outcome)));
        }
        if !batch.used.is_empty() {
            let _ = self.shared.events.send(Event::Used(batch.used.into()));
        }
        wait_for_readers(&mut self.next);
        let register = Arc::make_mut(&mut self.next);
        redo(register, &batch.applied);
        debug_assert_eq!(register.audit_head(), self.published.audit_head());
    }

    /// Takes a batch back. Counters were measured and stay.
    fn undo(&mut self, mut batch: Batch) {
        self.next = Arc::clone(&self.published);
        batch.applied.retain(|a| matches!(a, Applied::Usage(_)));
        if batch.applied.is_empty() {
            return;
        }
        redo(Arc::make_mut(&mut self.next), &batch.applied);
        batch.outcomes.clear();
        self.publish(batch);
    }

    fn away(&mut self, why: Arc<StoreError>) {
        self.store = None;
        self.retry = RETRY;
        self.retry_at = Instant::now() + self.retry;
        self.set_away(why);
    }

    fn set_away(&self, why: Arc<StoreError>) {
        let mut health = lock(&self.shared.health);
        let since = match health.database {
            Database::Away { since, .. } => since,
            _ => SystemTime::now(),
        };
        health.database = Database::Away { since, why };
    }

    fn why_away(&self) -> Arc<StoreError> {
        match &lock(&self.shared.health).database {
            Database::Away { why, .. } => Arc::clone(why),
            _ => Closed.into(),
        }
    }

    /// Takes over a database that is back.
    fn come_back(&mut self, found: Result<Found, StoreError>) {
        match found.and_then(|found| self.go_on_with(found)) {
            Ok(()) => lock(&self.shared.health).database = Database::Working,
            Err(why) => {
                self.store = None;
                self.retry = (self.retry * 2).min(SLOWEST_RETRY);
                self.retry_at = Instant::now() + self.retry;
                self.set_away(Arc::new(why));
            }
        }
    }

    /// The database must go on from what was published: it may have more, from a write whose end was not seen or from
    /// another process that took over meanwhile, and then it is read anew; if it has less, confirmed writes are lost.
    fn go_on_with(&mut self, found: Found) -> Result<(), StoreError> {
        let (ours, head) = (self.published.audit_head(), found.head);
        let store = self.store.insert(found.store);
        if head == ours {
            return Ok(());
        }
        if !store.begins_with(ours)? {
            return Err(StoreError::Diverged {
                database: self.url.clone(),
                ours: ours.rows,
                theirs: head.rows,
            });
        }
        let mut register = load(store)?;
        for record in self.unwritten.values() {
            drop(register.record_usage(*record));
        }
        self.published = Arc::new(register);
        self.next = Arc::clone(&self.published);
        *lock(&self.shared.register) = Arc::clone(&self.published);
        let _ = self.shared.events.send(Event::Everything);
        Ok(())
    }
}

/// What one copy of the register took the other takes.
fn redo(register: &mut Register, all: &[Applied]) {
    for applied in all {
        match applied {
            Applied::Command(command) => drop(register.apply(command)),
            Applied::Usage(record) => drop(register.record_usage(*record)),
        }
    }
}

/// Whether the database takes writes again.
fn try_again(url: StoreUrl) -> Result<Found, StoreError> {
    let mut store = Store::reopen(&url)?;
    let head = store.head()?;
    store.probe()?;
    Ok(Found { store, head })
}

fn ended(trying: JoinHandle<Result<Found, StoreError>>) -> Result<Found, StoreError> {
    // A panic was told by its own message, and is no answer.
    trying.join().unwrap_or(Err(StoreError::Closed))
}

/// Waits until nobody reads this copy any more, but not for long: then [`Arc::make_mut`] makes a new one.
fn wait_for_readers(register: &mut Arc<Register>) {
    let until = Instant::now() + READERS;
    while Arc::get_mut(register).is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_micros(200));
    }
}
