//! The command line: what can be asked, and the text that teaches it.

mod admin;
mod storage;

pub use admin::*;
pub use storage::{Audit, AuditCommand, Backup, Database, DatabaseArgs, DatabaseCommand, Restore};

use crate::access::Choice;
use crate::commands;
use clap::{Args, Parser, Subcommand, ValueEnum};
use skyweave_service::UtId;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// An open LEO satellite broadband network in one program: real orbits, a plan every 15 seconds, real packets.
#[derive(Parser, Debug)]
#[command(
    name = "skyweave",
    version,
    max_term_width = 110,
    propagate_version = true
)]
#[command(after_help = "\
Examples:
  skyweave up                                   bring Ukraine online (Ctrl-C ends it)
  skyweave run --at Kyiv -- ping -c 4 100.64.0.1    in a second terminal: a packet through space
  skyweave shell --at Lviv                      a shell whose only way out is a satellite terminal
  skyweave plan ukraine --epochs 4 --json       plan a minute, without packets
  skyweave report UA --terminals 50000 --out ua/    the national plan, as a page with maps
  skyweave check my-scenario.toml               list everything that is wrong with a scenario

Exit status: 0 done; 1 it failed; 2 the command line is wrong; `run` and `shell` pass on the program's own.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the live network: a plan every 15 s, packets of real programs between terminals, satellites and the host
    Up(Up),
    /// Run a program behind an emulated terminal
    Run(Run),
    /// Open a shell behind an emulated terminal
    Shell(Shell),
    /// Plan epochs without packets, print a summary of each and write the plans
    Plan(Plan),
    /// The national plan of a country or area: who can be served, what breaks it, what would help; a report with maps
    Report(Report),
    /// Round-trip times and paths between ground sites over the constellation
    Routes(Routes),
    /// Where satellites are by SGP4, which are visible from a place, and when they pass
    Orbit(Orbit),
    /// The planner's choice of satellites beside what was measured at a real terminal
    Scheduler(Scheduler),
    /// Link budgets line by line: what a beam or a feeder link carries, and why
    Radio(Radio),
    /// Validate a scenario or a plan, and list every problem with file, line and field
    Check(Check),
    /// List what is built in: scenarios, radio profiles
    List(List),
    /// The operator's everyday work, over the HTTP API: areas, terminals, accounts, plans, users
    Admin(Admin),
    /// Check or show the audit log of a service's database
    Audit(Audit),
    /// Save a service's database into one file, while others go on writing
    Backup(Backup),
    /// Restore a backup into a new database, whole or not at all
    Restore(Restore),
    /// What is in a service's database, whether it is whole, and bringing it to this version
    Database(Database),
    /// Print the OpenAPI document of the HTTP API (docs/api.md)
    Openapi,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Options that all commands with a scenario share.
#[derive(Args, Debug, Clone)]
pub struct ScenarioArgs {
    /// A built-in scenario (see `skyweave list`) or a TOML file
    #[arg(value_name = "SCENARIO", default_value = "ukraine")]
    pub scenario: String,
    /// What the planner prefers among satellites that would serve equally well, in place of the scenario's `[planner]`
    #[arg(long, value_enum)]
    pub preference: Option<Preference>,
}

/// See [`ScenarioArgs::preference`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preference {
    /// High and long in view; a terminal stays with its satellite while nothing is lost by it
    Capacity,
    /// As the real scheduler was seen to choose: high and north, anew at most boundaries
    AsObserved,
}

impl From<Preference> for skyweave_plan::Preference {
    fn from(preference: Preference) -> Self {
        match preference {
            Preference::Capacity => Self::Capacity,
            Preference::AsObserved => Self::AsObserved,
        }
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skyweave up                    the default scenario: Ukraine, on the real sky of 2026-05-21
  skyweave up walker-220         a small constellation, ready in a second
  skyweave up my.toml --json     one JSON object per epoch, for scripts

While it runs, in a second terminal:
  skyweave run --at Kyiv -- curl http://HOST/    (HOST is printed at the start: this machine, seen from space)

Packets need a TUN device and either root or unprivileged user namespaces with `pasta`. Where neither is possible the
network is planned without packets, and what is missing is printed.")]
/// `skyweave up`.
pub struct Up {
    /// The scenario.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Stop after this many epochs (default: go on until Ctrl-C)
    #[arg(long, value_name = "N")]
    pub epochs: Option<u64>,
    /// One JSON object per line instead of a table
    #[arg(long)]
    pub json: bool,
    /// Plan only: carry no packets
    #[arg(long)]
    pub no_packets: bool,
    /// Where the service is kept (accounts, terminals, areas): a file (SQLite), postgres://USER@HOST/NAME, or `none`: no
    /// service, every terminal is entitled (default: SCENARIO.db in $XDG_STATE_HOME/skyweave or ~/.local/state/skyweave)
    #[arg(long, value_name = "URL|FILE|none")]
    pub database: Option<Choice>,
    /// Where the HTTP API listens (docs/api.md), or `none`. Beyond loopback only if asked (default: 127.0.0.1:8080, or a free
    /// port if that one is taken)
    #[arg(long, value_name = "ADDRESS:PORT|none")]
    pub listen: Option<ListenAt>,
    /// The API over TLS: its certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// And the private key of its certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Let people sign in at an OpenID Connect provider. The file (TOML, docs/api.md) has its issuer, the client's id, the
    /// redirect, and which claim gives which role; the client's secret is in client_secret_file, or in the environment as
    /// SKYWEAVE_OIDC_SECRET
    #[arg(long, value_name = "FILE")]
    pub oidc: Option<PathBuf>,
    /// How the network carries packets.
    #[command(flatten)]
    pub carry: Carry,
    /// Threads of the planner (default: all cores)
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// See [`Up::listen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenAt {
    /// Nowhere: no API.
    Nowhere,
    /// There.
    Address(SocketAddr),
}

impl std::str::FromStr for ListenAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::Nowhere);
        }
        let address = text.parse().map(Self::Address);
        address.map_err(|_| "expected ADDRESS:PORT, for example 127.0.0.1:8080, or `none`".into())
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skyweave run --at Kyiv -- ping -c 4 100.64.0.1           100.64.0.1 is the point of presence
  skyweave run --at Kyiv --predict -- true                 planned against measured round trip
  skyweave run --at 49.84,24.03 -- curl http://HOST:8000/  any place that the constellation covers
  skyweave run --scenario walker-220 --at Madrid -- iperf3 -c HOST

If `skyweave up` runs the same scenario the program joins it; otherwise a network of its own is started for it, without a
service unless --database names one: every terminal is entitled there.")]
/// `skyweave run`.
pub struct Run {
    /// Where the terminal stands.
    #[command(flatten)]
    pub at: At,
    /// After the program, compare the planned round trip with the measured one
    #[arg(long)]
    pub predict: bool,
    /// With --predict: measure over this many epochs
    #[arg(long, value_name = "N", default_value_t = 1, requires = "predict")]
    pub predict_epochs: u32,
    /// Results of --predict as JSON
    #[arg(long)]
    pub json: bool,
    /// Join as this terminal of the service's register, which proves itself with its key
    #[arg(long, value_name = "ID", requires = "key")]
    pub terminal: Option<UtId>,
    /// With --terminal: the file with its key, a line `ID KEY` (up keeps the keys of its own beside the database)
    #[arg(long, value_name = "FILE", requires = "terminal")]
    pub key: Option<PathBuf>,
    /// For a network of its own: where its service is kept, as of `skyweave up` (default: none)
    #[arg(long, value_name = "URL|FILE|none")]
    pub database: Option<Choice>,
    /// How a network of its own carries packets.
    #[command(flatten)]
    pub carry: Carry,
    /// The program and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<std::ffi::OsString>,
}

#[derive(Args, Debug)]
/// `skyweave shell`.
pub struct Shell {
    /// Where the terminal stands.
    #[command(flatten)]
    pub at: At,
    /// For a network of its own: where its service is kept, as of `skyweave up` (default: none)
    #[arg(long, value_name = "URL|FILE|none")]
    pub database: Option<Choice>,
    /// How a network of its own carries packets.
    #[command(flatten)]
    pub carry: Carry,
}

/// How a live network carries packets.
#[derive(Args, Debug, Clone, Copy)]
pub struct Carry {
    /// How packets reach this machine's network: the kernel's forwarding and NAT (root), pasta, or not at all
    #[arg(long, value_enum, default_value_t = Way::Auto)]
    pub uplink: Way,
    /// Do not ask for real-time priority for the packet thread (delays get less steady on a busy machine)
    #[arg(long)]
    pub no_realtime: bool,
    /// What the terminals' own interface gives away.
    #[command(flatten)]
    pub dish: DishOptions,
}

/// What the terminals' own interface (192.168.100.1:9200, docs/dish-api.md) lets whoever asks read and change.
#[derive(Args, Debug, Clone, Copy)]
pub struct DishOptions {
    /// Let dishes tell their position on their local network
    #[arg(long)]
    pub dish_location: bool,
    /// Let dishes tell their satellite, cell, gateway and PoP (dish_get_context)
    #[arg(long)]
    pub dish_context: bool,
    /// Let whoever asks change the settings of dishes (dish_set_config)
    #[arg(long)]
    pub dish_config: bool,
    /// Name the files of the dishes' schema as before May 2025, for clients that ask for those
    #[arg(long)]
    pub dish_old_files: bool,
}

/// See [`Carry::uplink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// The kernel's as root, pasta as an ordinary user
    Auto,
    /// Through pasta, also as root: changes nothing on the host and works behind any firewall
    Pasta,
    /// Terminals reach the point of presence and each other only
    None,
}

/// A place and the scenario that it belongs to.
#[derive(Args, Debug, Clone)]
pub struct At {
    /// A terminal of the scenario, a city, or LAT,LON in degrees
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    pub at: String,
    /// A built-in scenario or a TOML file
    #[arg(long, short, value_name = "S", default_value = "ukraine")]
    pub scenario: String,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skyweave plan                                    one epoch of `ukraine`
  skyweave plan walker-220 --epochs 20 --json      one JSON object per epoch
  skyweave plan ukraine --start 2026-05-21T06:00:00Z --epochs 4 --out plans/
  skyweave check plans/118621440.plan              re-check a written plan against every rule

The plans are CBOR files of a documented, versioned format (docs/plan-format.md).")]
/// `skyweave plan`.
pub struct Plan {
    /// The scenario.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// How many epochs of 15 s, one after the other
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub epochs: u64,
    /// Start in the epoch that contains this UTC time (default: the scenario's start)
    #[arg(long, value_name = "T")]
    pub start: Option<String>,
    /// Write each plan into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// One JSON object per epoch and line
    #[arg(long)]
    pub json: bool,
    /// Run the checker on each plan; a broken rule makes the command fail
    #[arg(long)]
    pub check: bool,
    /// Threads of the planner (default: all cores)
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// See [`Report::by_hour`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ByHour {
    /// Households: the busiest hour begins at 20, the quietest at 4 with 30 % of it
    Residential,
    /// The busiest hour's at every hour
    Flat,
}

#[derive(Args, Debug)]
#[command(after_help = "\
AREA is an ISO 3166 code, a .geojson file of polygons, or a .csv file of H3 cells of resolution 5.

Examples:
  skyweave report UA --terminals 50000 --out ua/            a day of Ukraine, a plan each 15 s
  skyweave report MD --terminals 8000 --for 6h --step 60 --out md/
  skyweave report flood.geojson --terminals 500 --rate-mbps 20 --for 2h --out flood/
  skyweave report cells.csv --out area/                     terminals by cell, as the file's column `terminals` has them
  skyweave report --compare ua-today/ ua-more-gateways/ --out both/

DIR holds index.html (opens offline, prints), report.json, *.parquet, and scenario.toml, which `skyweave plan` accepts. A run that was
stopped goes on where it was when the same command is given again.")]
/// `skyweave report`.
pub struct Report {
    /// The country or area
    #[arg(required_unless_present = "compare")]
    pub area: Option<String>,
    /// How many terminals there are (a .csv of cells may have them in its column `terminals` instead)
    #[arg(long, value_name = "N")]
    pub terminals: Option<u64>,
    /// What each terminal asks toward the ground in its busiest hour, Mbit/s
    #[arg(long, value_name = "MBPS", default_value_t = 5.0)]
    pub rate_mbps: f64,
    /// How much of that is asked at each hour of the local day, theirs and the neighbours' (default: as the scenario says; if it does
    /// not, residential)
    #[arg(long, value_enum, value_name = "CURVE")]
    pub by_hour: Option<ByHour>,
    /// Terminals over the rest of the world: the load that the same satellites carry. 0: none
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    pub neighbours: u64,
    /// What each of them asks in its busiest hour, Mbit/s
    #[arg(long, value_name = "MBPS", default_value_t = 1.0)]
    pub neighbours_rate_mbps: f64,
    /// How long, for example 24h, 90m or 1d
    #[arg(long = "for", value_name = "TIME", default_value = "24h")]
    pub duration: String,
    /// Seconds from one plan to the next, a multiple of 15
    #[arg(long, value_name = "S", default_value_t = 15)]
    pub step: u32,
    /// Instants at which losses and remedies are compared
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub samples: u32,
    /// Where sky, gateways, lasers and radio are taken from: a built-in scenario or a TOML file
    #[arg(long, value_name = "SCENARIO", default_value = "ukraine")]
    pub scenario: String,
    /// First instant, UTC (default: the scenario's start)
    #[arg(long, value_name = "T")]
    pub start: Option<String>,
    /// Gateways that might be built: CSV with name, lat_deg, lon_deg and optionally antennas (default: near sites of the built-in
    /// list that are licensed, planned or of unknown state)
    #[arg(long, value_name = "CSV")]
    pub candidates: Option<PathBuf>,
    /// Rain that may come: a field of mm/h, .csv or .geojson, with times if it moves (default: a front that crosses the area)
    #[arg(long, value_name = "FIELD")]
    pub rain: Option<PathBuf>,
    /// Where the report is written
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Put two reports side by side: their folders
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "area")]
    pub compare: Option<Vec<PathBuf>>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
    /// Threads (default: all cores)
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Sites: CSV with id,name,lat_deg,lon_deg[,height_m]; pairs: CSV with src_id,dst_id. Other columns are ignored.
Output columns: t_s,src_id,dst_id,rtt_ms,path; path joins the source, the satellites and the destination by `-`, or is
`unreachable` with an empty rtt_ms. t_s counts from --start.

Example, 200 s of the Hypatia paper's Kuiper shell:
  skyweave routes hypatia-kuiper-630 --sites cities.csv --pairs pairs.csv \\
      --start 2000-01-01T00:00:00Z --step 10 --count 20 --out routes.csv")]
/// `skyweave routes`.
pub struct Routes {
    /// A built-in scenario or a TOML file
    pub scenario: String,
    /// Ground sites
    #[arg(long, value_name = "CSV")]
    pub sites: PathBuf,
    /// Pairs of sites to connect
    #[arg(long, value_name = "CSV")]
    pub pairs: PathBuf,
    /// First instant, UTC (default: the scenario's start)
    #[arg(long, value_name = "T")]
    pub start: Option<String>,
    /// Seconds between instants
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub step: f64,
    /// How many instants
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub count: u32,
    /// Output file, `-` for standard output
    #[arg(long, value_name = "CSV", default_value = "-")]
    pub out: PathBuf,
    /// JSON lines instead of CSV
    #[arg(long)]
    pub json: bool,
    /// Threads (default: all cores)
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

#[derive(Args, Debug)]
/// `skyweave orbit`.
pub struct Orbit {
    #[command(subcommand)]
    pub(crate) command: OrbitCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum OrbitCommand {
    /// Positions of satellites as CSV: TEME, Earth-fixed and geodetic
    #[command(after_help = "\
Example:
  skyweave orbit positions --time 2026-05-21T00:00:00Z --satellite STARLINK-1008 --step 60 --count 10")]
    Positions(Positions),
    /// Satellites visible from a place, with azimuth, elevation, range and range rate
    #[command(after_help = "Example:\n  skyweave orbit visible --at Kyiv --min-elevation 40")]
    Visible(View),
    /// The next passes of satellites over a place
    #[command(
        after_help = "Example:\n  skyweave orbit passes --at 50.45,30.52 --satellite STARLINK-1008 --hours 24"
    )]
    Passes(Passes),
}

/// Which satellites, and when.
#[derive(Args, Debug, Clone)]
pub(crate) struct SkyArgs {
    /// Element sets: a TLE, 3LE or OMM (JSON, CSV, XML, KVN) file (default: the built-in Starlink snapshot)
    #[arg(long, value_name = "FILE")]
    pub(crate) elements: Option<PathBuf>,
    /// Only satellites whose name contains this text, or with this catalogue number
    #[arg(long, value_name = "NAME")]
    pub(crate) satellite: Option<String>,
    /// UTC time (default: the newest epoch of the element sets)
    #[arg(long, value_name = "T")]
    pub(crate) time: Option<String>,
    /// How the Earth stands (UT1, polar motion): a table of the IERS, finals2000A or EOP C04 (default: the built-in one,
    /// from 2020-01-01 on). For times that it does not cover UT1 = UTC and no polar motion: at most 460 m off at 550 km
    #[arg(long, value_name = "FILE")]
    pub(crate) earth_orientation: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Positions {
    #[command(flatten)]
    pub(crate) sky: SkyArgs,
    /// Seconds between instants
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    pub(crate) step: f64,
    /// How many instants
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) count: u32,
    /// Which frames to print
    #[arg(long, value_enum, default_value_t = Frame::All)]
    pub(crate) frame: Frame,
    /// JSON lines instead of CSV
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Frame {
    /// True equator, mean equinox: SGP4's own frame
    Teme,
    /// Earth-fixed
    Ecef,
    /// Latitude, longitude and height on WGS84
    Geodetic,
    /// All three
    All,
}

/// The sky as a place sees it.
#[derive(Args, Debug)]
pub(crate) struct View {
    #[command(flatten)]
    pub(crate) sky: SkyArgs,
    /// A city, or LAT,LON in degrees
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    pub(crate) at: String,
    /// Least elevation, degrees
    #[arg(long, value_name = "DEG", default_value_t = 25.0)]
    pub(crate) min_elevation: f64,
    /// JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Passes {
    #[command(flatten)]
    pub(crate) view: View,
    /// How far to look ahead
    #[arg(long, value_name = "H", default_value_t = 1.0)]
    pub(crate) hours: f64,
}

#[derive(Args, Debug)]
/// `skyweave scheduler`.
pub struct Scheduler {
    #[command(subcommand)]
    pub(crate) command: SchedulerCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum SchedulerCommand {
    /// Elevations, azimuths and stays of the satellites that the planner chooses, and their distance from measured ones
    #[command(after_help = "\
The tables of a measurement, with a header line:
  choice: elevation_bin_deg (lower edge of 5 degrees), azimuth_octant (N NE E SE S SW W NW), candidates, selected
  dwell:  consecutive_15s_slots_on_same_satellite, occurrences

Example:
  skyweave scheduler compare --at Kanazawa --choice choice_kanazawa.csv --dwell dwell_kanazawa.csv")]
    Compare(SchedulerCompare),
}

#[derive(Args, Debug)]
pub(crate) struct SchedulerCompare {
    /// A scenario whose sky is like that of the measurement: a built-in name or a TOML file
    #[arg(value_name = "SCENARIO", default_value = "starlink-2024")]
    pub(crate) scenario: String,
    /// Where the terminal was: a city, or LAT,LON in degrees
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    pub(crate) at: String,
    /// Candidates and chosen satellites by elevation and azimuth
    #[arg(long, value_name = "CSV")]
    pub(crate) choice: PathBuf,
    /// How long satellites stayed
    #[arg(long, value_name = "CSV")]
    pub(crate) dwell: PathBuf,
    /// The preference to compare
    #[arg(long, value_enum, default_value_t = Preference::AsObserved)]
    pub(crate) preference: Preference,
    /// Epochs of 15 s to plan
    #[arg(long, value_name = "N", default_value_t = 1_920, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) epochs: u32,
    /// JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads (default: all cores)
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skyweave check ukraine                  what the scenario loads, which satellites are left out and why
  skyweave check my-scenario.toml
  skyweave check plans/118621440.plan     re-check a written plan against every rule")]
/// `skyweave check`.
pub struct Check {
    /// A built-in scenario, a scenario file (TOML) or a plan file
    #[arg(value_name = "SCENARIO|PLAN")]
    pub target: String,
    /// For a plan: the scenario it was made from, if the plan does not name one that can be found
    #[arg(long, value_name = "S")]
    pub scenario: Option<String>,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skyweave radio --at Kyiv --elevation 40               every line of the four links under a clear sky
  skyweave radio --at Lviv --exceedance 0.01            what is exceeded there for 53 minutes a year
  skyweave radio --rain 20 --sweep                      a row for each elevation in 20 mm/h
  skyweave radio --profile starlink-v1.5 --json         for scripts; with --sweep one object per line

Attenuation is that of ITU-R P.676, P.618, P.838 and P.840 for the climate of the place (docs/radio.md). One terminal has at most
one polarisation of one channel; toward the satellite, for the part of the time in which it may send. Plans fit attenuation by a
law over elevation and round it up, so that a rate there may be a step of modulation lower.")]
/// `skyweave radio`.
pub struct Radio {
    /// Where: LAT,LON in degrees, or a city
    #[arg(long, value_name = "PLACE", default_value = "Kyiv")]
    pub at: String,
    /// A built-in radio profile (see `skyweave list`) or a TOML file
    #[arg(long, value_name = "PROFILE", default_value = "starlink-mixed")]
    pub profile: String,
    /// Elevation of the satellite, degrees
    #[arg(long, value_name = "DEG", default_value_t = 40.0, value_parser = between(5.0, 90.0))]
    pub elevation: f64,
    /// A table over elevation instead, from the least that the profile allows to the zenith, in steps of so many degrees
    #[arg(long, value_name = "DEG", num_args = 0..=1, default_missing_value = "5", conflicts_with = "elevation", value_parser = between(0.5, 90.0))]
    pub sweep: Option<f64>,
    /// Height of the satellite, km
    #[arg(long, value_name = "KM", default_value_t = 550.0, value_parser = between(100.0, 40_000.0))]
    pub altitude: f64,
    /// Weather: what is exceeded for this percentage of an average year
    #[arg(long, value_name = "PERCENT", conflicts_with = "rain", value_parser = between(0.001, 5.0))]
    pub exceedance: Option<f64>,
    /// Weather: rain of so many mm/h over the path
    #[arg(long, value_name = "MM_H", value_parser = between(0.0, 500.0))]
    pub rain: Option<f64>,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

/// A number in a range, or words that say which.
fn between(least: f64, most: f64) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("expected a number from {least} to {most}")),
    }
}

#[derive(Args, Debug)]
/// `skyweave list`.
pub struct List {
    /// JSON
    #[arg(long)]
    pub json: bool,
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Up(args) => commands::up::up(&args),
        Command::Run(args) => commands::run::run(&args),
        Command::Shell(args) => commands::run::shell(&args),
        Command::Plan(args) => commands::plan::plan(&args),
        Command::Report(args) => commands::report::report(&args),
        Command::Routes(args) => commands::routes::routes(&args),
        Command::Orbit(args) => commands::orbit::orbit(&args.command),
        Command::Scheduler(args) => commands::scheduler::scheduler(&args.command),
        Command::Check(args) => commands::check::check(&args),
        Command::Radio(args) => commands::radio::radio(&args),
        Command::List(args) => commands::list::list(&args),
        Command::Admin(args) => commands::admin::admin(&args),
        Command::Audit(args) => commands::storage::audit(&args.command),
        Command::Backup(args) => commands::storage::backup(&args),
        Command::Restore(args) => commands::storage::restore(&args),
        Command::Database(args) => commands::storage::database(&args.command),
        Command::Openapi => commands::openapi(),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut <Cli as clap::CommandFactory>::command(),
                "skyweave",
                &mut std::io::stdout(),
            );
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        if !commands::is_broken_pipe(&error) {
            eprintln!("skyweave: {error:#}");
        }
        ExitCode::FAILURE
    })
}
