//! `skyweave admin`: the operator's everyday work, over the HTTP API.

use clap::{Args, Subcommand, ValueEnum};
use skyweave_base::Utc;
use skyweave_service::{Market, UtId};
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skyweave admin login                                      once; keeps a token in a file of yours (mode 0600)
  skyweave admin area enable UA --from 2026-02-24T16:00:00Z --why 'the government has asked'
  skyweave admin terminal import terminals.csv --why 'shipment 17'
  skyweave admin terminal explain ut01000000-00000000-0012ab34
  skyweave admin fault set --gateway Turku --why 'drill'

Which API: --api, else SKYWEAVE_API, else the one that was logged in to last, else http://127.0.0.1:8080. Who asks: a token in
SKYWEAVE_TOKEN, else the one that `login` has kept (in SKYWEAVE_CREDENTIALS, else ~/.config/skyweave/credentials.json).
Each change needs --why: it stands in the audit log. Exit status: 0 done; 1 refused or failed; 2 the command line is wrong.")]
/// `skyweave admin`.
pub struct Admin {
    /// The API: http://HOST:PORT or https://HOST
    #[arg(long, value_name = "URL", env = "SKYWEAVE_API", global = true)]
    pub api: Option<String>,
    /// The API's own JSON instead of tables and sentences
    #[arg(long, global = true)]
    pub json: bool,
    /// What is asked.
    #[command(subcommand)]
    pub command: AdminCommand,
}

#[derive(Subcommand, Debug)]
/// What is asked of the service.
pub enum AdminCommand {
    /// Sign in with a name and a password, and keep a token for the next commands
    Login(Login),
    /// End the token that `login` has kept, and forget it
    Logout,
    /// Who one is, and what one may do
    Me,
    /// Service areas: where service is open, closed, on request, slower
    #[command(subcommand)]
    Area(AreaCommand),
    /// Terminals: import, life, and why one has or has not service
    #[command(subcommand)]
    Terminal(TerminalCommand),
    /// Allow lists: who may have service where an area demands a list
    #[command(subcommand)]
    Allowlist(AllowlistCommand),
    /// The deny list: terminals and accounts that have service nowhere
    #[command(subcommand)]
    Denylist(DenylistCommand),
    /// Findings of misuse, and what is decided about them
    #[command(subcommand)]
    Incident(IncidentCommand),
    /// Accounts: who holds terminals
    #[command(subcommand)]
    Account(AccountCommand),
    /// Organisations that hold accounts
    #[command(subcommand)]
    Organisation(OrganisationCommand),
    /// Plans that are sold
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Users of the service's interfaces
    #[command(subcommand)]
    User(UserCommand),
    /// Tokens of programs
    #[command(subcommand)]
    Token(TokenCommand),
    /// Epochs: what was planned, and who has which satellite
    #[command(subcommand)]
    Epoch(EpochCommand),
    /// Faults: what is lost or changed in the network, for drills and for what really fails
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Traffic: of all terminals in this period, or of one in all
    Usage {
        /// Of this terminal
        id: Option<UtId>,
        /// How much of it.
        #[command(flatten)]
        limit: Limit,
    },
    /// Who did what, when and why: the last rows of the audit log, positions as cells
    #[command(after_help = "\
Examples:
  skyweave admin audit
  skyweave admin audit --from 1 --limit 1000 --json
  skyweave admin audit --verify --head 4711:9c3a...")]
    Audit {
        /// From this row on (default: the last ones)
        #[arg(long, value_name = "N")]
        from: Option<u64>,
        /// Check the whole log instead
        #[arg(long, conflicts_with = "from")]
        verify: bool,
        /// With --verify: an end that was noted before; the log must still have it
        #[arg(long, value_name = "ROWS:HASH", requires = "verify")]
        head: Option<String>,
        /// At most so many rows
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
    /// What holds where no area says anything, and which findings cut off by themselves
    Settings {
        /// Where no area says anything: `open` or `closed`; needs --why
        #[arg(long, value_name = "WHAT", requires = "why")]
        elsewhere: Option<String>,
        /// Why, for the audit log
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skyweave admin login                     as `owner`; asks for the password, or for the secret that `up` printed once
  skyweave admin login --name anna --lasts-days 1
  skyweave admin --api https://sky.example login --name anna < password.txt

A one-time secret is changed into a password of one's own first. Without a terminal, the password is the first line of
standard input and the new one, if one must be chosen, the second.")]
/// `skyweave admin login`.
pub struct Login {
    /// The user
    #[arg(long, default_value = "owner")]
    pub name: String,
    /// How long the token lasts
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=366))]
    pub lasts_days: u64,
}

/// The reason of a change.
#[derive(Args, Debug, Clone)]
pub struct Why {
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub why: String,
}

/// How much of a list.
#[derive(Args, Debug, Clone, Copy)]
pub struct Limit {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin area`.
pub enum AreaCommand {
    /// List areas, without their outlines
    List {
        /// Of this country
        #[arg(long)]
        market: Option<Market>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Print an area as GeoJSON: edit it and `put` it back
    Show {
        /// Its number
        id: u32,
    },
    /// Add or change areas from GeoJSON
    #[command(after_help = "\
Example:
  skyweave admin area put ukraine.geojson --why 'outline of 2026, agreed with the ministry'

A Feature or a FeatureCollection of Polygons and MultiPolygons. Properties: id, name, kind (allow, deny, allow_list,
speed_limit, sea), and as the kind needs list, shown, max_speed_km_h, exempt_list, pop; optional precedence, market,
valid_from, valid_until. If all are new, all are added or none; one that is there is changed, each by itself.")]
    Put {
        /// The file, `-` for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        why: Why,
    },
    /// Switch a country's open areas, or some areas, on
    #[command(after_help = "\
Examples:
  skyweave admin area enable UA --why 'the government has asked'
  skyweave admin area enable UA --from 2026-02-24T16:00:00Z --why 'as announced'
  skyweave admin area enable --area 3 --area 4 --why 'the front has moved'

Of a country its `allow` and `allow_list` areas are meant. It takes effect with the first plan that begins then.")]
    Enable {
        /// The country
        #[arg(
            value_name = "COUNTRY",
            required_unless_present = "area",
            conflicts_with = "area"
        )]
        market: Option<Market>,
        /// This area; may be given several times
        #[arg(long, value_name = "ID")]
        area: Vec<u32>,
        /// From when on, the network's time (default: now)
        #[arg(long, value_name = "T")]
        from: Option<Utc>,
        #[command(flatten)]
        why: Why,
    },
    /// Switch a country's open areas, some areas, or whatever lies in a polygon, off
    #[command(after_help = "\
Examples:
  skyweave admin area disable UA --from 2026-03-01T00:00:00Z --why 'the contract ends'
  skyweave admin area disable --polygon south.geojson --from 2026-02-24T20:00:00Z --why 'asked by the general staff'
  skyweave admin area disable --area 7 --why 'opened again: 7 is the closed area that --polygon made'

--polygon adds an area of kind `deny` above all that are there, from then on; its number is printed.")]
    Disable {
        /// The country
        #[arg(
            value_name = "COUNTRY",
            required_unless_present_any = ["area", "polygon"],
            conflicts_with_all = ["area", "polygon"]
        )]
        market: Option<Market>,
        /// This area; may be given several times
        #[arg(long, value_name = "ID", conflicts_with = "polygon")]
        area: Vec<u32>,
        /// What lies in these polygons: GeoJSON, a geometry, Feature or FeatureCollection
        #[arg(long, value_name = "FILE")]
        polygon: Option<PathBuf>,
        /// The name of the closed area
        #[arg(long, default_value = "closed", requires = "polygon")]
        name: String,
        /// From when on, the network's time (default: now)
        #[arg(long, value_name = "T")]
        from: Option<Utc>,
        #[command(flatten)]
        why: Why,
    },
    /// Remove an area
    Remove {
        /// Its number
        id: u32,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin terminal`.
pub enum TerminalCommand {
    /// List terminals
    #[command(
        after_help = "Example:\n  skyweave admin terminal list --account 4 --state activated"
    )]
    List {
        /// Of this account
        #[arg(long)]
        account: Option<u64>,
        /// In this state
        #[arg(long)]
        state: Option<String>,
        /// Sold in this country
        #[arg(long)]
        market: Option<Market>,
        /// Of this batch
        #[arg(long)]
        batch: Option<u32>,
        /// On this plan
        #[arg(long)]
        plan: Option<u32>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a terminal; its place as a cell
    Show {
        /// Which
        id: UtId,
    },
    /// Why a terminal has or has not service now, in one paragraph
    #[command(after_help = "\
Examples:
  skyweave admin terminal explain ut01000000-00000000-0012ab34
  skyweave admin terminal explain ut01000000-00000000-0012ab34 --at 47.1,37.5 --speed-km-h 120
  skyweave admin terminal explain ut01000000-00000000-0012ab34 --time 2026-02-24T16:00:00Z --rules")]
    Explain {
        /// Which
        id: UtId,
        /// As if it were there: LAT,LON in degrees
        #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true, value_parser = position)]
        at: Option<(f64, f64)>,
        /// As if it moved this fast
        #[arg(long, value_name = "KM/H")]
        speed_km_h: Option<f64>,
        /// At this time of the network (default: now)
        #[arg(long, value_name = "T")]
        time: Option<Utc>,
        /// Also every rule in its order
        #[arg(long)]
        rules: bool,
    },
    /// Where a terminal is, precisely; that you asked stands in the audit log
    Location {
        /// Which
        id: UtId,
        #[command(flatten)]
        why: Why,
    },
    /// Add terminals from a CSV file, all or none
    #[command(after_help = "\
Example:
  skyweave admin terminal import terminals.csv --why 'shipment 17'

Columns, in any order: id, key (the public half of its Ed25519 key, 64 hexadecimal digits), model, batch, market (two
letters; empty: made, not yet sold). A bad row in the middle: nothing is imported, and every bad row is listed.")]
    Import {
        /// The file, `-` for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        why: Why,
    },
    /// They were sold in a country
    Sell {
        #[command(flatten)]
        which: Which,
        /// The country
        #[arg(long)]
        market: Market,
    },
    /// An account claims them
    Register {
        #[command(flatten)]
        which: Which,
        /// The account
        #[arg(long)]
        account: u64,
    },
    /// Their account gives them up
    Release(Which),
    /// Service begins, or goes on with another plan or at another place
    #[command(after_help = "\
Examples:
  skyweave admin terminal activate ut01000000-00000000-0012ab34 --plan 1 --at 50.45,30.52 --why 'ordered'
  skyweave admin terminal activate --plan 2 --area 1 --why 'aid convoy' ut01000000-00000000-0012ab34")]
    Activate {
        #[command(flatten)]
        which: Which,
        /// The plan
        #[arg(long)]
        plan: u32,
        /// The service address: LAT,LON in degrees
        #[arg(
            long,
            value_name = "LAT,LON",
            allow_hyphen_values = true,
            value_parser = position,
            required_unless_present = "area",
            conflicts_with = "area"
        )]
        at: Option<(f64, f64)>,
        /// Or anywhere in this area
        #[arg(long)]
        area: Option<u32>,
    },
    /// Service ends; the account keeps them
    Deactivate(Which),
    /// Service is paused
    Suspend(Which),
    /// And goes on
    Resume(Which),
    /// Cut off
    Block(Which),
    /// Back to what was before the block
    Restore(Which),
    /// Out of use for ever
    Retire(Which),
}

/// Which terminals, and why.
#[derive(Args, Debug, Clone)]
pub struct Which {
    /// Which terminals, one after the other; the first that is refused ends it
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<UtId>,
    /// Why.
    #[command(flatten)]
    pub why: Why,
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin allowlist`.
pub enum AllowlistCommand {
    /// List the allow lists
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Make a list, or change its name and limits
    #[command(after_help = "\
Example, as in Ukraine since February 2026 (a person 1, or 3 that were shown; a company 10; critical ones any number):
  skyweave admin allowlist put 1 Ukraine --person 1 --person-shown 3 --company 10 --why 'decree of 2 February'")]
    Put {
        /// Its number
        list: u32,
        /// Its name
        name: String,
        /// The most terminals of a person that were not shown (default: no limit, as of the others)
        #[arg(long, value_name = "N")]
        person: Option<u32>,
        /// Of a person who shows the terminals
        #[arg(long, value_name = "N")]
        person_shown: Option<u32>,
        /// Of an organisation
        #[arg(long, value_name = "N")]
        company: Option<u32>,
        /// Of an organisation of critical infrastructure
        #[arg(long, value_name = "N")]
        critical: Option<u32>,
        #[command(flatten)]
        why: Why,
    },
    /// Who is on a list
    Entries {
        /// The list
        list: u32,
        #[command(flatten)]
        limit: Limit,
    },
    /// Ask for places on a list; `approve` decides
    #[command(after_help = "\
Examples:
  skyweave admin allowlist add 1 ut01000000-00000000-0012ab34 --shown --why 'at the service centre in Lviv'
  skyweave admin allowlist add 1 --approve --why 'hospital' ut01000000-00000000-0012ab34")]
    Add {
        /// The list
        list: u32,
        #[command(flatten)]
        which: Which,
        /// The terminals were shown in person
        #[arg(long)]
        shown: bool,
        /// And approve at once
        #[arg(long)]
        approve: bool,
    },
    /// Take terminals off a list
    Remove {
        /// The list
        list: u32,
        #[command(flatten)]
        which: Which,
    },
    /// Requests for places on a list
    Requests {
        /// The list
        list: u32,
        /// Also those that were decided
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        limit: Limit,
    },
    /// Put the terminals of requests on the list
    Approve {
        #[command(flatten)]
        which: Requests,
    },
    /// Or not
    Reject {
        #[command(flatten)]
        which: Requests,
    },
}

/// Which requests of a list, and why.
#[derive(Args, Debug, Clone)]
pub struct Requests {
    /// The list
    pub list: u32,
    /// The requests, one after the other; the first that is refused ends it
    #[arg(required = true, value_name = "REQUEST")]
    pub requests: Vec<u64>,
    /// Why.
    #[command(flatten)]
    pub why: Why,
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin denylist`.
pub enum DenylistCommand {
    /// Who is on it
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Put a terminal or an account on it
    Add {
        #[command(flatten)]
        whom: Whom,
    },
    /// Take one off it
    Remove {
        #[command(flatten)]
        whom: Whom,
    },
}

/// A terminal or an account, and why.
#[derive(Args, Debug, Clone)]
pub struct Whom {
    /// The terminal
    #[arg(
        long,
        value_name = "ID",
        required_unless_present = "account",
        conflicts_with = "account"
    )]
    pub terminal: Option<UtId>,
    /// The account
    #[arg(long, value_name = "ID")]
    pub account: Option<u64>,
    /// Why.
    #[command(flatten)]
    pub why: Why,
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin incident`.
pub enum IncidentCommand {
    /// List incidents; those that nobody has decided, unless told otherwise
    List {
        /// In this state: open, dismissed, cut_off, appealed, restored, or any
        #[arg(long, default_value = "open")]
        state: String,
        /// About this terminal
        #[arg(long)]
        terminal: Option<UtId>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show an incident with its evidence
    Show {
        /// Its number
        id: u64,
    },
    /// Decide an incident
    #[command(after_help = "\
Examples:
  skyweave admin incident resolve 7 dismiss --why 'a declared convoy'
  skyweave admin incident resolve 8 cut-off --why 'one key in two places, the owner agrees'
  skyweave admin incident resolve 8 restore --why 'the owner has a new terminal, the copy is found'")]
    Resolve {
        /// Its number
        id: u64,
        /// What is decided
        #[arg(value_enum)]
        decision: Decision,
        #[command(flatten)]
        why: Why,
    },
}

/// What is decided about an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Decision {
    /// Nothing follows
    Dismiss,
    /// The terminals are cut off
    CutOff,
    /// The holder objects
    Appeal,
    /// The objection was right: service comes back
    Restore,
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin account`.
pub enum AccountCommand {
    /// List accounts
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show an account and how many terminals it holds
    Show {
        /// Its number
        id: u64,
    },
    /// Add an account
    #[command(after_help = "\
Examples:
  skyweave admin account add --person 'identity check 4711' --market UA --why 'signed today'
  skyweave admin account add --organisation 3 --market PL --terminal-limit 50 --why 'contract 12/2026'")]
    Add {
        /// Its holder is a person: a reference to the check of identity
        #[arg(
            long,
            value_name = "REFERENCE",
            required_unless_present = "organisation",
            conflicts_with = "organisation"
        )]
        person: Option<String>,
        /// Its holder is an organisation
        #[arg(long, value_name = "ID")]
        organisation: Option<u64>,
        /// The country of the account
        #[arg(long)]
        market: Market,
        /// The most terminals (default: no limit)
        #[arg(long, value_name = "N")]
        terminal_limit: Option<u32>,
        #[command(flatten)]
        why: Why,
    },
    /// Switch an account on, off, or end it
    Set {
        /// Its number
        id: u64,
        /// What it is to be
        #[arg(value_enum)]
        standing: StandingArg,
        #[command(flatten)]
        why: Why,
    },
}

/// Whether an account may use the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum StandingArg {
    /// It may
    Active,
    /// The operator has switched it off
    Disabled,
    /// It has ended
    Closed,
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin organisation`.
pub enum OrganisationCommand {
    /// List organisations
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Add an organisation
    Add {
        /// Its name
        name: String,
        /// Where it is registered
        #[arg(long)]
        market: Market,
        /// Power, water, hospitals: allow lists may give it another limit
        #[arg(long)]
        critical: bool,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin plan`.
pub enum PlanCommand {
    /// List plans
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Print a plan as JSON: edit it and `put` it back
    Show {
        /// Its number
        id: u32,
    },
    /// Add a plan, or change one, from JSON
    #[command(after_help = "\
Example, a household's plan (no cap, at most 5 m/s, 30 km round its address):
  skyweave admin plan put 1 - --why 'new price list' <<'END'
  {\"name\": \"home\", \"rates\": {\"down_bps\": 200000000, \"up_bps\": 20000000}, \"priority\": 1, \"class\": \"consumer\",
   \"mobility\": {\"class\": \"stationary\", \"max_speed_m_s\": 5, \"home_radius_m\": 30000}, \"areas\": [], \"at_sea\": false}
  END")]
    Put {
        /// Its number
        id: u32,
        /// The file, `-` for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin user`.
pub enum UserCommand {
    /// List users
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Add a user; prints the secret for signing in once
    #[command(after_help = "\
Examples:
  skyweave admin user add anna --role operator --why 'joined the shift'
  skyweave admin user add shop-kyiv --role customer --account 4 --why 'asked for a login'
  skyweave admin user add shop-lviv --role customer --account 5 --issuer https://id.example --subject 7f3a --why 'asked for it'

Roles: owner, operator, planner, support, auditor, customer, terminal. With an identity there is no secret: the user signs in at
the identity provider (`up --oidc`).")]
    Add {
        /// The name to sign in with
        name: String,
        /// What the user is to the service
        #[arg(long)]
        role: String,
        /// Of a customer: its account
        #[arg(long)]
        account: Option<u64>,
        /// Of a terminal: which
        #[arg(long)]
        terminal: Option<UtId>,
        #[command(flatten)]
        identity: IdentityArgs,
        #[command(flatten)]
        why: Why,
    },
    /// Say who a user is at the identity provider, or that it is nobody there
    #[command(after_help = "\
Examples:
  skyweave admin user identify 3 --issuer https://id.example --subject 7f3a9c --why 'anna has a new login there'
  skyweave admin user identify 3 --none --why 'signs in with a password again'

The issuer is the address in the provider's tokens, to the letter; the subject its own name of the person (the claim `sub`).")]
    Identify {
        /// The user's number
        id: u64,
        #[command(flatten)]
        identity: IdentityArgs,
        /// Nobody there
        #[arg(long, conflicts_with = "issuer", required_unless_present = "issuer")]
        none: bool,
        #[command(flatten)]
        why: Why,
    },
    /// Give a user a new secret for signing in once; password and sessions end
    Reset {
        /// The user's number
        id: u64,
        #[command(flatten)]
        why: Why,
    },
    /// Revoke a user for ever, with password, sessions and tokens
    Revoke {
        /// The user's number
        id: u64,
        #[command(flatten)]
        why: Why,
    },
}

/// Who somebody is at an identity provider.
#[derive(Args, Debug, Clone)]
pub struct IdentityArgs {
    /// The identity provider's address
    #[arg(long, value_name = "URL", requires = "subject")]
    pub issuer: Option<String>,
    /// Its name of the person
    #[arg(long, value_name = "SUB", requires = "issuer")]
    pub subject: Option<String>,
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin epoch`.
pub enum EpochCommand {
    /// List the last epochs, those planned already included
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show an epoch: its plan in figures, and the terminals on the air
    #[command(after_help = "\
Examples:
  skyweave admin epoch show                 the one that is on
  skyweave admin epoch show 118944001")]
    Show {
        /// Its number (default: the one that is on)
        epoch: Option<i64>,
    },
    /// Print an epoch's whole plan as JSON (docs/plan-format.md); the last few are kept
    #[command(after_help = "\
Example:
  skyweave admin epoch plan 118944001 > plan.json

The plan is the one that packets follow: decisions that were made after it was planned are in it.")]
    Plan {
        /// Its number (default: the one that is on)
        epoch: Option<i64>,
    },
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin fault`.
pub enum FaultCommand {
    /// Print what is different from the scenario, as JSON: edit it and `set` it again
    Show,
    /// Set what is lost, or all that is different from a file; the next plan takes it
    #[command(after_help = "\
Examples:
  skyweave admin fault set --gateway Turku --why 'power cut'
  skyweave admin fault set --satellites-percent 5 --gateway Turku --gateway Gravelines --why 'drill'
  skyweave admin fault set faults.json --why 'as rehearsed'

What is named is lost, and nothing else: what was lost before and is not named again is back. Changed demand and additions
(docs/scenario.md) come with a file, which says all of it: `fault show` prints one. It holds until it is set anew or the
run ends.")]
    Set {
        /// The file, `-` for standard input
        #[arg(
            value_name = "FILE",
            conflicts_with_all = ["satellite", "satellites_percent", "gateway", "pop"],
            required_unless_present_any = ["satellite", "satellites_percent", "gateway", "pop"]
        )]
        file: Option<PathBuf>,
        /// This satellite, by name or catalogue number; may be given several times
        #[arg(long, value_name = "NAME")]
        satellite: Vec<String>,
        /// This share of all satellites, chosen by the scenario's seed
        #[arg(long, value_name = "PERCENT")]
        satellites_percent: Option<f64>,
        /// This gateway, by name; may be given several times
        #[arg(long, value_name = "NAME")]
        gateway: Vec<String>,
        /// This point of presence, by code; may be given several times
        #[arg(long, value_name = "CODE")]
        pop: Vec<String>,
        #[command(flatten)]
        why: Why,
    },
    /// The scenario as it is: nothing is lost, changed or added
    Clear {
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
#[expect(missing_docs, reason = "the fields' own texts say it")]
/// `skyweave admin token`.
pub enum TokenCommand {
    /// List one's own tokens, or a user's
    List {
        /// Of this user
        #[arg(long)]
        user: Option<u64>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Make a token; prints its secret, once
    #[command(after_help = "\
Example, for Prometheus:
  skyweave admin token add prometheus --permission read_network --lasts-days 366 --why 'monitoring'")]
    Add {
        /// What it is for
        name: String,
        /// What it allows; may be given several times (default: all that you may)
        #[arg(long, value_name = "PERMISSION")]
        permission: Vec<String>,
        /// How long it lasts
        #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=366))]
        lasts_days: u64,
        /// For this user (default: oneself)
        #[arg(long)]
        user: Option<u64>,
        #[command(flatten)]
        why: Why,
    },
    /// End a token
    Revoke {
        /// Its number
        id: u64,
        #[command(flatten)]
        why: Why,
    },
}

fn position(text: &str) -> Result<(f64, f64), String> {
    let parse = || {
        let (lat, lon) = text.split_once(',')?;
        let (lat, lon) = (lat.trim().parse().ok()?, lon.trim().parse().ok()?);
        skyweave_base::Geodetic::from_degrees(lat, lon).ok()?;
        Some((lat, lon))
    };
    parse().ok_or_else(|| "expected LAT,LON in degrees, for example 50.45,30.52".to_owned())
}
