//! The register: all things of the service as they stand, and the one way to change them.
//!
//! [`Register::apply`] takes a [`Command`], changes the register or refuses and changes nothing, and gives the row of the
//! audit log and the things touched. A store writes exactly these; it decides nothing. [`Things`] is the register as
//! plain lists, for loading and backup.

use crate::access::{
    AccessRefused, Directory, Mandate, Password, SignIn, SignInId, Token, TokenId, User, UserId,
};
use crate::area::{ServiceArea, Validity};
use crate::audit::{AuditEntry, AuditHead, AuditRow};
use crate::ids::{
    AccountId, AreaId, IncidentId, ListId, OrganisationId, PlanId, PublicKey, RequestId, UtId,
};
use crate::life::{Place, Stamp, Step, StepRefused, Terminal, Transition, apply};
use crate::misuse::{Incident, IncidentKind, IncidentState};
use crate::policy::{Defaults, Elsewhere};
use crate::things::{
    Account, AllowList, Holder, ListEntry, ListRequest, Organisation, OwnerLimits, Plan,
    RequestState, Seen, UsageRecord,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use skyweave_base::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something to be done, by whom, when and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Who, when, why.
    pub stamp: Stamp,
    /// What.
    pub action: Action,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Adds an organisation or replaces it.
    PutOrganisation(Organisation),
    /// Adds an account or replaces it.
    PutAccount(Account),
    /// Adds a plan or replaces it.
    PutPlan(Plan),
    /// Adds an area or replaces it.
    PutArea(ServiceArea),
    /// Adds or replaces all of these areas, or none.
    PutAreas(Vec<ServiceArea>),
    /// Removes an area.
    RemoveArea(AreaId),
    /// Switches all these areas on or off from a time on: a whole country in one command.
    SetValidity(Vec<AreaId>, Validity),
    /// Ends all these areas at a time; each began when it began.
    EndValidity(Vec<AreaId>, Time),
    /// Adds an allow list, or replaces the limits of one.
    PutList(ListId, String, OwnerLimits),
    /// Asks for a terminal to be put on a list.
    Request(ListId, RequestId, UtId, Seen),
    /// Puts it there.
    Approve(ListId, RequestId),
    /// Or not.
    Reject(ListId, RequestId),
    /// Takes a terminal off a list.
    Unlist(ListId, UtId),
    /// Puts terminals and accounts on the deny list.
    Deny(Denied),
    /// Takes one off the deny list.
    Undeny(Denied),
    /// Adds manufactured or sold terminals, all or none. The audit log keeps their number and a hash, not each.
    AddTerminals(Vec<Terminal>),
    /// A step in a terminal's life.
    Step(UtId, Step),
    /// Sets what holds for the whole network.
    SetDefaults(Defaults),
    /// Sets which kinds of incident cut off without a person's decision. None do until this is said.
    SetAutomatic(BTreeSet<IncidentKind>),
    /// Takes up a finding of misuse.
    OpenIncident(Incident),
    /// Decides it: the terminals are cut off.
    CutOff(IncidentId),
    /// Decides it: nothing happens.
    Dismiss(IncidentId),
    /// The holder objects.
    Appeal(IncidentId),
    /// The objection was heard and service comes back.
    Restore(IncidentId),
    /// Somebody read the precise position of a terminal.
    NoteLocationRead(UtId),
    /// Somebody set conditions of the network: what they mean is not this crate's matter.
    NoteConditions(Value),
    /// Adds a user or changes one.
    PutUser(User),
    /// Ends a user for ever: its password, tokens and sign-ins go, its name stays.
    RevokeUser(UserId),
    /// Sets a user's password and signs it out everywhere. The audit log does not keep the hash.
    SetPassword(UserId, Password),
    /// Makes a token. The audit log does not keep the hash of its secret.
    AddToken(Token),
    /// Ends a token.
    RevokeToken(TokenId),
    /// Somebody signed in. The audit log does not keep the hash of the session's secret.
    SignIn(SignIn),
    /// And out.
    SignOut(SignInId),
}

/// Who is on the deny list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denied {
    /// A terminal.
    Terminal(UtId),
    /// An account with all its terminals.
    Account(AccountId),
}

/// What a command changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// To be appended to the audit log, in the same transaction.
    pub row: AuditRow,
    /// To be stored as they now stand, and to be asked anew.
    pub touched: Vec<Touched>,
}

/// A thing that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Touched {
    Organisation(OrganisationId),
    Account(AccountId),
    Plan(PlanId),
    Area(AreaId),
    List(ListId),
    DenyList,
    Terminal(UtId),
    Defaults,
    Incident(IncidentId),
    User(UserId),
    Token(TokenId),
    SignIn(SignInId),
}

/// Why a command was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refused {
    #[error("there is no {kind} {id}")]
    Unknown { kind: &'static str, id: String },
    #[error("there is already a {kind} {id}")]
    Exists { kind: &'static str, id: String },
    #[error("terminals {first} and {second} have the same key")]
    SameKey { first: UtId, second: UtId },
    #[error(transparent)]
    Step(#[from] StepRefused),
    #[error("terminal {terminal} is {state}: only manufactured and sold ones can be added")]
    NotNew { terminal: UtId, state: &'static str },
    #[error("account {account} may hold {limit} terminals and holds as many")]
    AccountFull { account: AccountId, limit: u32 },
    #[error("account {0} may not use the service: its standing is not active")]
    AccountNotActive(AccountId),
    #[error("plan {plan}: {what} is not a number that makes sense")]
    BadPlan { plan: PlanId, what: &'static str },
    #[error("terminal {0} is registered to no account")]
    NoHolder(UtId),
    #[error("terminal {terminal} has a request on list {list} or is on it")]
    AlreadyAsked { list: ListId, terminal: UtId },
    #[error("request {0} was decided before")]
    Decided(RequestId),
    #[error("account {account} may have {limit} terminals on list {list} and has as many")]
    ListFull {
        list: ListId,
        account: AccountId,
        limit: u32,
    },
    #[error("terminal {terminal} is no longer account {account}'s")]
    HolderChanged { terminal: UtId, account: AccountId },
    #[error("incident {incident} is {state:?}: that is not possible now")]
    IncidentState {
        incident: IncidentId,
        state: IncidentState,
    },
    #[error(transparent)]
    Access(#[from] AccessRefused),
}

/// The register as plain lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Things {
    pub defaults: Defaults,
    pub automatic: BTreeSet<IncidentKind>,
    pub organisations: Vec<Organisation>,
    pub accounts: Vec<Account>,
    pub plans: Vec<Plan>,
    pub areas: Vec<ServiceArea>,
    pub lists: Vec<AllowList>,
    pub denied: BTreeSet<Denied>,
    pub terminals: Vec<Terminal>,
    pub usage: Vec<UsageRecord>,
    pub incidents: Vec<Incident>,
    pub users: Vec<User>,
    pub passwords: Vec<(UserId, Password)>,
    pub tokens: Vec<Token>,
    pub sign_ins: Vec<SignIn>,
    pub head: AuditHead,
}

/// All things of the service as they stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    defaults: Defaults,
    automatic: BTreeSet<IncidentKind>,
    organisations: BTreeMap<OrganisationId, Organisation>,
    accounts: BTreeMap<AccountId, Account>,
    plans: BTreeMap<PlanId, Plan>,
    areas: BTreeMap<AreaId, Arc<ServiceArea>>,
    lists: BTreeMap<ListId, AllowList>,
    denied: BTreeSet<Denied>,
    terminals: BTreeMap<UtId, Terminal>,
    usage: BTreeMap<UtId, UsageRecord>,
    incidents: BTreeMap<IncidentId, Incident>,
    directory: Directory,
    head: AuditHead,
    /// Terminals of each account and whose each key is: follow from the terminals.
    held: BTreeMap<AccountId, BTreeSet<UtId>>,
    keys: BTreeMap<PublicKey, UtId>,
}

impl Default for Register {
    /// Empty; closed wherever no area says otherwise.
    fn default() -> Self {
        let defaults = Defaults {
            elsewhere: Elsewhere::Closed,
            oldest_software: 0,
        };
        Self {
            defaults,
            automatic: BTreeSet::new(),
            organisations: BTreeMap::new(),
            accounts: BTreeMap::new(),
            plans: BTreeMap::new(),
            areas: BTreeMap::new(),
            lists: BTreeMap::new(),
            denied: BTreeSet::new(),
            terminals: BTreeMap::new(),
            usage: BTreeMap::new(),
            incidents: BTreeMap::new(),
            directory: Directory::default(),
            head: AuditHead::default(),
            held: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }
}

impl Register {
    /// From plain lists, as a store keeps them.
    ///
    /// # Errors
    /// [`Refused`] if two terminals have one id or one key.
    pub fn load(things: Things) -> Result<Self, Refused> {
        let mut register = Self {
            defaults: things.defaults,
            automatic: things.automatic,
            organisations: things
                .organisations
                .into_iter()
                .map(|o| (o.id, o))
                .collect(),
            accounts: things.accounts.into_iter().map(|a| (a.id, a)).collect(),
            plans: things.plans.into_iter().map(|p| (p.id, p)).collect(),
            areas: things
                .areas
                .into_iter()
                .map(|a| (a.id, Arc::new(a)))
                .collect(),
            lists: things.lists.into_iter().map(|l| (l.id, l)).collect(),
            denied: things.denied,
            usage: things.usage.into_iter().map(|u| (u.terminal, u)).collect(),
            incidents: things.incidents.into_iter().map(|i| (i.id, i)).collect(),
            directory: Directory::load(
                things.users,
                things.passwords,
                things.tokens,
                things.sign_ins,
            ),
            head: things.head,
            ..Self::default()
        };
        register.check_new(&things.terminals)?;
        things
            .terminals
            .into_iter()
            .for_each(|t| register.put_terminal(t));
        Ok(register)
    }

    /// As plain lists, by id.
    pub fn to_things(&self) -> Things {
        Things {
            defaults: self.defaults,
            automatic: self.automatic.clone(),
            organisations: self.organisations.values().cloned().collect(),
            accounts: self.accounts.values().cloned().collect(),
            plans: self.plans.values().cloned().collect(),
            areas: self.areas.values().map(|a| (**a).clone()).collect(),
            lists: self.lists.values().cloned().collect(),
            denied: self.denied.clone(),
            terminals: self.terminals.values().cloned().collect(),
            usage: self.usage.values().copied().collect(),
            incidents: self.incidents.values().cloned().collect(),
            users: self.directory.users().values().cloned().collect(),
            passwords: self
                .directory
                .passwords()
                .iter()
                .map(|(id, password)| (*id, password.clone()))
                .collect(),
            tokens: self.directory.tokens().values().cloned().collect(),
            sign_ins: self.directory.sign_ins().values().copied().collect(),
            head: self.head,
        }
    }

    /// Does what the command says and gives the audit row, or refuses and changes nothing.
    ///
    /// # Errors
    /// [`Refused`], with the facts.
    pub fn apply(&mut self, command: &Command) -> Result<Outcome, Refused> {
        let stamp = &command.stamp;
        if stamp.why.trim().is_empty() || stamp.by.trim().is_empty() {
            return Err(StepRefused::NoReason.into());
        }
        let (touched, transitions) = self.act(&command.action, stamp)?;
        let mut what = audited(&command.action);
        if !transitions.is_empty() {
            what = json!({ "action": what, "transitions": transitions });
        }
        let (row, head) = self.head.append(&AuditEntry {
            stamp: stamp.clone(),
            what,
        });
        self.head = head;
        Ok(Outcome { row, touched })
    }

    /// Takes over a terminal's usage of the current period. Not a command: counters are measurements, not decisions.
    ///
    /// # Errors
    /// [`Refused::Unknown`] if there is no such terminal.
    pub fn record_usage(&mut self, record: UsageRecord) -> Result<Touched, Refused> {
        self.terminal(record.terminal)?;
        self.usage.insert(record.terminal, record);
        Ok(Touched::Terminal(record.terminal))
    }

    /// What holds for the whole network.
    pub fn defaults(&self) -> Defaults {
        self.defaults
    }

    /// Which kinds of incident cut off without a person's decision.
    pub fn automatic(&self) -> &BTreeSet<IncidentKind> {
        &self.automatic
    }

    /// Organisations by id.
    pub fn organisations(&self) -> &BTreeMap<OrganisationId, Organisation> {
        &self.organisations
    }

    /// Accounts by id.
    pub fn accounts(&self) -> &BTreeMap<AccountId, Account> {
        &self.accounts
    }

    /// Plans by id.
    pub fn plans(&self) -> &BTreeMap<PlanId, Plan> {
        &self.plans
    }

    /// Areas by id.
    pub fn areas(&self) -> &BTreeMap<AreaId, Arc<ServiceArea>> {
        &self.areas
    }

    /// Allow lists by id.
    pub fn lists(&self) -> &BTreeMap<ListId, AllowList> {
        &self.lists
    }

    /// Who is on the deny list.
    pub fn denied(&self) -> &BTreeSet<Denied> {
        &self.denied
    }

    /// Traffic of the current period by terminal.
    pub fn usage(&self) -> &BTreeMap<UtId, UsageRecord> {
        &self.usage
    }

    /// Terminals by id.
    pub fn terminals(&self) -> &BTreeMap<UtId, Terminal> {
        &self.terminals
    }

    /// Incidents by id.
    pub fn incidents(&self) -> &BTreeMap<IncidentId, Incident> {
        &self.incidents
    }

    /// Users, their tokens and sign-ins.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Terminals of an account.
    pub fn held_by(&self, account: AccountId) -> impl Iterator<Item = UtId> + '_ {
        self.held.get(&account).into_iter().flatten().copied()
    }

    /// The end of the audit log: keep a copy elsewhere.
    pub fn audit_head(&self) -> AuditHead {
        self.head
    }

    /// The terminal with a key.
    pub fn terminal_of_key(&self, key: &PublicKey) -> Option<UtId> {
        self.keys.get(key).copied()
    }

    pub(crate) fn used_bytes(&self, terminal: UtId) -> u64 {
        self.usage
            .get(&terminal)
            .map_or(0, |u| u.down_bytes.saturating_add(u.up_bytes))
    }

    pub(crate) fn is_denied(&self, terminal: UtId, account: Option<AccountId>) -> bool {
        self.denied.contains(&Denied::Terminal(terminal))
            || account.is_some_and(|a| self.denied.contains(&Denied::Account(a)))
    }

    pub(crate) fn lists_with(&self, terminal: UtId, account: AccountId) -> Box<[ListId]> {
        let on = |list: &&AllowList| {
            list.entries
                .get(&terminal)
                .is_some_and(|e| e.account == account)
        };
        self.lists.values().filter(on).map(|list| list.id).collect()
    }

    /// Checks first, then changes: a refusal leaves everything as it was.
    fn act(
        &mut self,
        action: &Action,
        stamp: &Stamp,
    ) -> Result<(Vec<Touched>, Vec<Transition>), Refused> {
        let touched = match action {
            Action::PutOrganisation(o) => {
                self.organisations.insert(o.id, o.clone());
                vec![Touched::Organisation(o.id)]
            }
            Action::PutAccount(a) => {
                if let Holder::Company(id) = a.holder {
                    known(&self.organisations, &id, "organisation")?;
                }
                self.accounts.insert(a.id, a.clone());
                vec![Touched::Account(a.id)]
            }
            Action::PutPlan(p) => {
                check_plan(p)?;
                p.areas
                    .iter()
                    .try_for_each(|id| known(&self.areas, id, "area").map(drop))?;
                self.plans.insert(p.id, p.clone());
                vec![Touched::Plan(p.id)]
            }
            Action::PutArea(area) => self.put_areas(core::slice::from_ref(area))?,
            Action::PutAreas(areas) => self.put_areas(areas)?,
            Action::RemoveArea(id) => {
                known(&self.areas, id, "area")?;
                self.areas.remove(id);
                vec![Touched::Area(*id)]
            }
            Action::SetValidity(ids, validity) => {
                ids.iter()
                    .try_for_each(|id| known(&self.areas, id, "area").map(drop))?;
                for id in ids {
                    self.areas
                        .entry(*id)
                        .and_modify(|area| Arc::make_mut(area).validity = *validity);
                }
                ids.iter().map(|id| Touched::Area(*id)).collect()
            }
            Action::EndValidity(ids, until) => {
                ids.iter()
                    .try_for_each(|id| known(&self.areas, id, "area").map(drop))?;
                for id in ids {
                    self.areas
                        .entry(*id)
                        .and_modify(|area| Arc::make_mut(area).validity.until = Some(*until));
                }
                ids.iter().map(|id| Touched::Area(*id)).collect()
            }
            Action::SetDefaults(defaults) => {
                self.defaults = *defaults;
                vec![Touched::Defaults]
            }
            Action::SetAutomatic(kinds) => {
                self.automatic.clone_from(kinds);
                vec![Touched::Defaults]
            }
            Action::PutList(..)
            | Action::Request(..)
            | Action::Approve(..)
            | Action::Reject(..)
            | Action::Unlist(..) => self.act_on_list(action, stamp)?,
            Action::Deny(whom) => {
                self.denied.insert(*whom);
                vec![Touched::DenyList, touched_by(*whom)]
            }
            Action::Undeny(whom) => {
                if !self.denied.remove(whom) {
                    return Err(Refused::Unknown {
                        kind: "deny list entry",
                        id: format!("{whom:?}"),
                    });
                }
                vec![Touched::DenyList, touched_by(*whom)]
            }
            Action::AddTerminals(terminals) => {
                self.check_new(terminals)?;
                if let Some(t) = terminals.iter().find(|t| !t.state.is_new()) {
                    return Err(Refused::NotNew {
                        terminal: t.id,
                        state: t.state.name(),
                    });
                }
                terminals.iter().for_each(|t| self.put_terminal(t.clone()));
                terminals.iter().map(|t| Touched::Terminal(t.id)).collect()
            }
            Action::Step(id, step) => {
                let transition = self.step(*id, *step, stamp)?;
                let mut touched = vec![Touched::Terminal(*id)];
                touched.extend(self.drop_entries_of_others(*id));
                return Ok((touched, vec![transition]));
            }
            Action::NoteConditions(_) => Vec::new(),
            Action::NoteLocationRead(id) => {
                self.terminal(*id)?;
                Vec::new()
            }
            Action::OpenIncident(_)
            | Action::CutOff(_)
            | Action::Dismiss(_)
            | Action::Appeal(_)
            | Action::Restore(_) => return self.act_on_incident(action, stamp),
            Action::PutUser(_)
            | Action::RevokeUser(_)
            | Action::SetPassword(..)
            | Action::AddToken(_)
            | Action::RevokeToken(_)
            | Action::SignIn(_)
            | Action::SignOut(_) => self.act_on_directory(action)?,
        };
        Ok((touched, Vec::new()))
    }

    fn put_areas(&mut self, areas: &[ServiceArea]) -> Result<Vec<Touched>, Refused> {
        for list in areas.iter().flat_map(ServiceArea::lists) {
            known(&self.lists, &list, "list")?;
        }
        for area in areas {
            self.areas.insert(area.id, Arc::new(area.clone()));
        }
        Ok(areas.iter().map(|a| Touched::Area(a.id)).collect())
    }

    fn act_on_directory(&mut self, action: &Action) -> Result<Vec<Touched>, Refused> {
        let sign_ins = |ids: Vec<SignInId>| ids.into_iter().map(Touched::SignIn);
        let exists = |kind, id: &dyn ToString| Refused::Exists {
            kind,
            id: id.to_string(),
        };
        let mut touched = Vec::new();
        match action {
            Action::PutUser(user) => {
                match user.mandate {
                    Mandate::Customer(id) => drop(known(&self.accounts, &id, "account")?),
                    Mandate::Terminal(id) => drop(self.terminal(id)?),
                    _ => {}
                }
                self.directory.put_user(user)?;
                touched.push(Touched::User(user.id));
            }
            Action::RevokeUser(id) => {
                known(self.directory.users(), id, "user")?;
                let (tokens, ended) = self.directory.revoke_user(*id)?;
                touched.push(Touched::User(*id));
                touched.extend(tokens.into_iter().map(Touched::Token));
                touched.extend(sign_ins(ended));
            }
            Action::SetPassword(id, password) => {
                known(self.directory.users(), id, "user")?;
                let ended = self.directory.set_password(*id, password)?;
                touched.push(Touched::User(*id));
                touched.extend(sign_ins(ended));
            }
            Action::AddToken(token) => {
                known(self.directory.users(), &token.user, "user")?;
                if self.directory.tokens().contains_key(&token.id) {
                    return Err(exists("token", &token.id));
                }
                self.directory.add_token(token)?;
                touched.push(Touched::Token(token.id));
            }
            Action::RevokeToken(id) => {
                known(self.directory.tokens(), id, "token")?;
                self.directory.remove_token(*id);
                touched.push(Touched::Token(*id));
            }
            Action::SignIn(sign_in) => {
                known(self.directory.users(), &sign_in.user, "user")?;
                if self.directory.sign_ins().contains_key(&sign_in.id) {
                    return Err(exists("sign-in", &sign_in.id));
                }
                touched.extend(sign_ins(self.directory.sign_in(sign_in)?));
                touched.push(Touched::SignIn(sign_in.id));
            }
            Action::SignOut(id) => {
                known(self.directory.sign_ins(), id, "sign-in")?;
                self.directory.sign_out(*id);
                touched.push(Touched::SignIn(*id));
            }
            _ => {}
        }
        Ok(touched)
    }

    fn act_on_list(&mut self, action: &Action, stamp: &Stamp) -> Result<Vec<Touched>, Refused> {
        let touched =
            |list: &ListId, terminal: UtId| vec![Touched::List(*list), Touched::Terminal(terminal)];
        match action {
            Action::PutList(id, name, limits) => {
                let empty = || AllowList {
                    id: *id,
                    name: String::new(),
                    limits: *limits,
                    entries: BTreeMap::new(),
                    requests: BTreeMap::new(),
                };
                let list = self.lists.entry(*id).or_insert_with(empty);
                (list.name, list.limits) = (name.clone(), *limits);
                Ok(vec![Touched::List(*id)])
            }
            &Action::Request(id, request, terminal, seen) => {
                let account = self.holder(terminal)?;
                let list = known_mut(&mut self.lists, &id, "list")?;
                if list.requests.contains_key(&request) {
                    return Err(Refused::Exists {
                        kind: "request",
                        id: request.to_string(),
                    });
                }
                let pending = |r: &ListRequest| {
                    r.terminal == terminal
                        && r.account == account
                        && r.state == RequestState::Pending
                };
                let listed = list
                    .entries
                    .get(&terminal)
                    .is_some_and(|e| e.account == account);
                if listed || list.requests.values().any(pending) {
                    return Err(Refused::AlreadyAsked { list: id, terminal });
                }
                let asked = ListRequest {
                    terminal,
                    account,
                    seen,
                    at: stamp.at,
                    state: RequestState::Pending,
                };
                list.requests.insert(request, asked);
                Ok(vec![Touched::List(id)])
            }
            Action::Approve(id, request) => {
                let (terminal, entry) = self.approval(*id, *request)?;
                let list = known_mut(&mut self.lists, id, "list")?;
                list.entries.insert(terminal, entry);
                list.requests
                    .entry(*request)
                    .and_modify(|r| r.state = RequestState::Approved);
                Ok(touched(id, terminal))
            }
            Action::Reject(id, request) => {
                let list = known_mut(&mut self.lists, id, "list")?;
                let asked = known_mut(&mut list.requests, request, "request")?;
                if asked.state != RequestState::Pending {
                    return Err(Refused::Decided(*request));
                }
                asked.state = RequestState::Rejected;
                Ok(vec![Touched::List(*id)])
            }
            Action::Unlist(id, terminal) => {
                let list = known_mut(&mut self.lists, id, "list")?;
                known(&list.entries, terminal, "list entry")?;
                list.entries.remove(terminal);
                Ok(touched(id, *terminal))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The entry that a request would become, if its holder still holds the terminal and has room on the list.
    fn approval(&self, id: ListId, request: RequestId) -> Result<(UtId, ListEntry), Refused> {
        let list = known(&self.lists, &id, "list")?;
        let asked = known(&list.requests, &request, "request")?;
        if asked.state != RequestState::Pending {
            return Err(Refused::Decided(request));
        }
        let account = asked.account;
        if self.holder(asked.terminal)? != account {
            return Err(Refused::HolderChanged {
                terminal: asked.terminal,
                account,
            });
        }
        let limit = match &known(&self.accounts, &account, "account")?.holder {
            Holder::Person(_) if asked.seen == Seen::Shown => list.limits.person_shown,
            Holder::Person(_) => list.limits.person,
            Holder::Company(o) if self.organisations.get(o).is_some_and(|o| o.critical) => {
                list.limits.critical
            }
            Holder::Company(_) => list.limits.company,
        };
        let held = list
            .entries
            .values()
            .filter(|e| e.account == account)
            .count();
        match limit.filter(|&most| held >= most as usize) {
            Some(limit) => Err(Refused::ListFull {
                list: id,
                account,
                limit,
            }),
            None => Ok((asked.terminal, ListEntry { account, request })),
        }
    }

    fn act_on_incident(
        &mut self,
        action: &Action,
        stamp: &Stamp,
    ) -> Result<(Vec<Touched>, Vec<Transition>), Refused> {
        use IncidentState::{Appealed, CutOff, Dismissed, Open, Restored};
        let (id, becomes) = match action {
            Action::OpenIncident(incident) => {
                if self.incidents.contains_key(&incident.id) {
                    return Err(Refused::Exists {
                        kind: "incident",
                        id: incident.id.to_string(),
                    });
                }
                incident
                    .terminals
                    .iter()
                    .try_for_each(|t| self.terminal(*t).map(drop))?;
                let automatic = self.automatic.contains(&incident.kind);
                self.incidents.insert(
                    incident.id,
                    Incident {
                        state: Open,
                        ..incident.clone()
                    },
                );
                if !automatic {
                    return Ok((vec![Touched::Incident(incident.id)], Vec::new()));
                }
                (incident.id, CutOff)
            }
            Action::CutOff(id) => (*id, CutOff),
            Action::Dismiss(id) => (*id, Dismissed),
            Action::Appeal(id) => (*id, Appealed),
            Action::Restore(id) => (*id, Restored),
            _ => return Ok((Vec::new(), Vec::new())),
        };
        let incident = known(&self.incidents, &id, "incident")?;
        let state = incident.state;
        if !matches!(
            (state, becomes),
            (Open | Dismissed, CutOff)
                | (Open, Dismissed)
                | (CutOff, Appealed | Restored)
                | (Appealed, Restored | CutOff)
        ) {
            return Err(Refused::IncidentState {
                incident: id,
                state,
            });
        }
        let terminals = incident.terminals.clone();
        self.incidents.entry(id).and_modify(|i| i.state = becomes);
        let (mut touched, mut transitions) = (vec![Touched::Incident(id)], Vec::new());
        for terminal in terminals {
            let step = match becomes {
                CutOff => Step::Block,
                Restored if !self.is_cut_off(terminal) => Step::Restore,
                _ => continue,
            };
            // A terminal that is blocked or retired already stays as it is.
            if let Ok(transition) = self.step(terminal, step, stamp) {
                touched.push(Touched::Terminal(terminal));
                transitions.push(transition);
            }
        }
        Ok((touched, transitions))
    }

    /// True if an incident still stands for which the terminal was cut off.
    fn is_cut_off(&self, terminal: UtId) -> bool {
        let stands =
            |i: &Incident| matches!(i.state, IncidentState::CutOff | IncidentState::Appealed);
        self.incidents
            .values()
            .any(|i| stands(i) && i.terminals.contains(&terminal))
    }

    fn step(&mut self, id: UtId, step: Step, stamp: &Stamp) -> Result<Transition, Refused> {
        let terminal = self.terminal(id)?;
        match step {
            Step::Register { account } => {
                let to = known(&self.accounts, &account, "account")?;
                if to.standing != crate::things::Standing::Active {
                    return Err(Refused::AccountNotActive(account));
                }
                let held = self.held.get(&account).map_or(0, BTreeSet::len);
                if let Some(limit) = to.terminal_limit.filter(|&most| held >= most as usize) {
                    return Err(Refused::AccountFull { account, limit });
                }
            }
            Step::Activate(service) => {
                known(&self.plans, &service.plan, "plan")?;
                if let Place::Area(area) = service.place {
                    known(&self.areas, &area, "area")?;
                }
            }
            _ => {}
        }
        let (after, transition) = apply(terminal, step, stamp)?;
        self.put_terminal(after);
        Ok(transition)
    }

    /// Takes a terminal off the lists where it stands for somebody who no longer holds it: the place is free again, and
    /// would not come back with the terminal.
    fn drop_entries_of_others(&mut self, id: UtId) -> Vec<Touched> {
        let holder = self.holder(id).ok();
        let gone = |list: &AllowList| {
            list.entries
                .get(&id)
                .is_some_and(|e| Some(e.account) != holder)
        };
        let mut touched = Vec::new();
        for list in self.lists.values_mut() {
            if gone(list) {
                list.entries.remove(&id);
                touched.push(Touched::List(list.id));
            }
        }
        touched
    }

    fn check_new(&self, terminals: &[Terminal]) -> Result<(), Refused> {
        let (mut ids, mut keys) = (BTreeSet::new(), BTreeMap::new());
        for t in terminals {
            if self.terminals.contains_key(&t.id) || !ids.insert(t.id) {
                return Err(Refused::Exists {
                    kind: "terminal",
                    id: t.id.to_string(),
                });
            }
            if let Some(first) = self
                .terminal_of_key(&t.key)
                .or_else(|| keys.insert(t.key, t.id))
            {
                return Err(Refused::SameKey {
                    first,
                    second: t.id,
                });
            }
        }
        Ok(())
    }

    /// Stores a terminal and keeps what follows from it.
    fn put_terminal(&mut self, terminal: Terminal) {
        let account = |t: &Terminal| t.state.registration().map(|r| r.account);
        let id = terminal.id;
        self.keys.insert(terminal.key, id);
        let new = account(&terminal);
        let old = self
            .terminals
            .insert(id, terminal)
            .as_ref()
            .and_then(account);
        if old != new {
            if let Some(held) = old.and_then(|a| self.held.get_mut(&a)) {
                held.remove(&id);
            }
            if let Some(account) = new {
                self.held.entry(account).or_default().insert(id);
            }
        }
    }

    fn terminal(&self, id: UtId) -> Result<&Terminal, Refused> {
        known(&self.terminals, &id, "terminal")
    }

    fn holder(&self, terminal: UtId) -> Result<AccountId, Refused> {
        let registration = self.terminal(terminal)?.state.registration();
        registration
            .map(|r| r.account)
            .ok_or(Refused::NoHolder(terminal))
    }
}

fn touched_by(whom: Denied) -> Touched {
    match whom {
        Denied::Terminal(id) => Touched::Terminal(id),
        Denied::Account(id) => Touched::Account(id),
    }
}

fn known<'a, K: Ord + ToString, V>(
    map: &'a BTreeMap<K, V>,
    id: &K,
    kind: &'static str,
) -> Result<&'a V, Refused> {
    map.get(id).ok_or_else(|| Refused::Unknown {
        kind,
        id: id.to_string(),
    })
}

fn known_mut<'a, K: Ord + ToString, V>(
    map: &'a mut BTreeMap<K, V>,
    id: &K,
    kind: &'static str,
) -> Result<&'a mut V, Refused> {
    map.get_mut(id).ok_or_else(|| Refused::Unknown {
        kind,
        id: id.to_string(),
    })
}

fn check_plan(plan: &Plan) -> Result<(), Refused> {
    let bad = |what| {
        Err(Refused::BadPlan {
            plan: plan.id,
            what,
        })
    };
    let m = &plan.mobility;
    let negative = |x: f64| x.is_nan() || x < 0.0;
    if negative(m.max_speed_m_s) {
        return bad("the greatest speed");
    }
    if m.home_radius_m.is_some_and(negative) {
        return bad("the distance from the service address");
    }
    if m.min_height_m.is_some_and(f64::is_nan) {
        return bad("the lowest height");
    }
    Ok(())
}

/// An action as the audit log keeps it: an import by its size and a hash of what was imported, and no secrets, not even
/// their hashes.
fn audited(action: &Action) -> Value {
    let json = |value: serde_json::Result<Value>| {
        value.expect("an action's maps have texts as keys: it is JSON")
    };
    let without_hash = |name: &str, thing: serde_json::Result<Value>| {
        let mut thing = json(thing);
        if let Some(fields) = thing.as_object_mut() {
            fields.remove("hash");
        }
        json!({ name: thing })
    };
    match action {
        Action::AddTerminals(terminals) => {
            let mut hasher = blake3::Hasher::new();
            for t in terminals {
                hasher.update(&serde_json::to_vec(t).expect("a terminal is JSON"));
            }
            json!({ "add_terminals": { "count": terminals.len(), "blake3": hasher.finalize().to_hex().as_str() } })
        }
        Action::SetPassword(user, password) => {
            json!({ "set_password": { "user": user, "kind": password.kind } })
        }
        Action::AddToken(token) => without_hash("add_token", serde_json::to_value(token)),
        Action::SignIn(sign_in) => without_hash("sign_in", serde_json::to_value(sign_in)),
        other => json(serde_json::to_value(other)),
    }
}
