//! `skyweave admin`: the operator's everyday work over the HTTP API. It decides nothing and knows no rules: it sends what was
//! asked and prints what comes back. What the API sends and takes is defined there; here are only the names of fields that
//! people want to see.

mod client;
mod print;

use crate::cli::{
    AccountCommand, Admin, AdminCommand, AllowlistCommand, AreaCommand, Decision, DenylistCommand,
    EpochCommand, FaultCommand, IdentityArgs, IncidentCommand, Limit, Login, OrganisationCommand,
    PlanCommand, Requests, StandingArg, TerminalCommand, TokenCommand, UserCommand, Which, Whom,
};
use anyhow::{Context, Result, bail};
use client::{Client, Credentials, Request};
use print::{Column, fields, table, text, visible};
use serde_json::{Value, json};
use skyweave_base::Utc;
use skyweave_service::UtId;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::path::Path;
use std::process::ExitCode;
use ureq::http::{Method, header};

/// The API of a `skyweave up` on this machine.
const HERE: &str = "http://127.0.0.1:8080";

const AREAS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/properties/name"),
    ("KIND", "/properties/kind"),
    ("COUNTRY", "/properties/market"),
    ("PRECEDENCE", "/properties/precedence"),
    ("FROM", "/properties/valid_from"),
    ("UNTIL", "/properties/valid_until"),
    ("LIST", "/properties/list"),
];
const TERMINALS: &[Column] = &[
    ("ID", "/id"),
    ("STATE", "/state"),
    ("COUNTRY", "/market"),
    ("ACCOUNT", "/account"),
    ("PLAN", "/plan"),
    ("CELL", "/place/cell"),
    ("AREA", "/place/area"),
    ("BATCH", "/batch"),
];
const TERMINAL: &[Column] = &[
    ("terminal", "/id"),
    ("state", "/state"),
    ("before the block", "/before"),
    ("sold in", "/market"),
    ("account", "/account"),
    ("plan", "/plan"),
    ("service cell", "/place/cell"),
    ("service area", "/place/area"),
    ("model", "/model"),
    ("batch", "/batch"),
    ("key", "/key"),
];
const ACCOUNTS: &[Column] = &[
    ("ID", "/id"),
    ("STANDING", "/standing"),
    ("COUNTRY", "/market"),
    ("PERSON", "/holder/person"),
    ("ORGANISATION", "/holder/organisation"),
    ("LIMIT", "/terminal_limit"),
];
const ORGANISATIONS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("COUNTRY", "/market"),
    ("CRITICAL", "/critical"),
];
const PLANS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("DOWN BIT/S", "/rates/down_bps"),
    ("UP BIT/S", "/rates/up_bps"),
    ("CAP BYTES", "/cap/bytes"),
    ("CLASS", "/class"),
    ("MOBILITY", "/mobility/class"),
    ("AT MOST M/S", "/mobility/max_speed_m_s"),
    ("AREAS", "/areas"),
];
const USERS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("ROLE", "/role"),
    ("ACTIVE", "/active"),
    ("ACCOUNT", "/account"),
    ("TERMINAL", "/terminal"),
    ("PASSWORD", "/password"),
    ("ISSUER", "/identity/issuer"),
    ("SUBJECT", "/identity/subject"),
];
const TOKENS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("USER", "/user"),
    ("EXPIRES", "/expires"),
    ("EXPIRED", "/expired"),
    ("PERMISSIONS", "/permissions"),
];
const LISTS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("PERSON", "/limits/person"),
    ("SHOWN", "/limits/person_shown"),
    ("COMPANY", "/limits/company"),
    ("CRITICAL", "/limits/critical"),
];
const ENTRIES: &[Column] = &[
    ("TERMINAL", "/terminal"),
    ("ACCOUNT", "/account"),
    ("REQUEST", "/request"),
];
const REQUESTS: &[Column] = &[
    ("REQUEST", "/id"),
    ("STATE", "/state"),
    ("TERMINAL", "/terminal"),
    ("ACCOUNT", "/account"),
    ("SHOWN", "/shown"),
    ("ASKED", "/at"),
];
const DENIED: &[Column] = &[("TERMINAL", "/terminal"), ("ACCOUNT", "/account")];
const INCIDENTS: &[Column] = &[
    ("ID", "/id"),
    ("STATE", "/state"),
    ("KIND", "/kind"),
    ("PROPOSAL", "/proposal"),
    ("AT", "/at"),
    ("TERMINALS", "/terminals"),
];
const EPOCHS: &[Column] = &[
    ("EPOCH", "/epoch"),
    ("START", "/start"),
    ("LATE", "/report/late"),
    ("CELLS SERVED", "/report/cells_served"),
    ("OF", "/report/cells_with_demand"),
    ("GBIT/S", "/report/delivered_gbps"),
    ("OF GBIT/S", "/report/demand_gbps"),
    ("PLANNED IN MS", "/report/planning_ms"),
];
const EPOCH: &[Column] = &[
    ("epoch", "/epoch"),
    ("start", "/start"),
    ("end", "/end"),
    ("plan hash", "/report/plan_hash"),
    ("planned in ms", "/report/planning_ms"),
    ("late", "/report/late"),
    ("satellites", "/report/satellites_in_service"),
    ("of them serving", "/report/satellites_serving"),
    ("gateways used", "/report/gateways_used"),
    ("cells with demand", "/report/cells_with_demand"),
    ("of them served", "/report/cells_served"),
    ("terminals", "/report/terminals"),
    ("of them served", "/report/terminals_served"),
    ("demand Gbit/s", "/report/demand_gbps"),
    ("delivered Gbit/s", "/report/delivered_gbps"),
    ("moved terminals", "/report/moved_terminals"),
];
const LIVE: &[Column] = &[
    ("NAME", "/name"),
    ("TERMINAL", "/terminal"),
    ("SATELLITE", "/satellite"),
    ("GATEWAY", "/gateway"),
    ("POP", "/pop"),
    ("MBIT/S DOWN", "/down_mbps"),
    ("UP", "/up_mbps"),
    ("MAY GO", "/access"),
    ("WHY NOT", "/reason"),
];
const USAGE: &[Column] = &[
    ("TERMINAL", "/terminal"),
    ("PERIOD FROM", "/period_start"),
    ("BYTES DOWN", "/down_bytes"),
    ("BYTES UP", "/up_bytes"),
];
const AUDIT: &[Column] = &[
    ("ROW", "/number"),
    ("AT", "/at"),
    ("BY", "/by"),
    ("WHY", "/why"),
    ("WHAT", "/what"),
];
const ME: &[Column] = &[
    ("user", "/name"),
    ("role", "/role"),
    ("account", "/account"),
    ("terminal", "/terminal"),
    ("permissions", "/permissions"),
];

/// The client, and how its answers are told.
struct Session {
    client: Client,
    json: bool,
}

/// Does what is asked.
pub(crate) fn admin(args: &Admin) -> Result<ExitCode> {
    let mut credentials = Credentials::read()?;
    let base = args.api.as_deref().or(credentials.api()).unwrap_or(HERE);
    let client = Client::new(base)?;
    let mut session = Session {
        client,
        json: args.json,
    };
    if let AdminCommand::Login(login) = &args.command {
        session.login(login, &mut credentials)?;
        return Ok(ExitCode::SUCCESS);
    }
    let api = session.client.base().to_owned();
    let given = std::env::var("SKYWEAVE_TOKEN")
        .ok()
        .filter(|t| !t.is_empty());
    let Some(token) = given.as_deref().or(credentials.token(&api)) else {
        bail!("not logged in to {api}: `skyweave admin login`, or a token in SKYWEAVE_TOKEN");
    };
    session.client.set_token(token)?;
    match &args.command {
        AdminCommand::Login(_) => {}
        AdminCommand::Logout => session.logout(&mut credentials)?,
        AdminCommand::Me => {
            let me = session.client.get("/me")?;
            session.tell(&me, |out| fields(out, ME, &me))?;
        }
        AdminCommand::Area(command) => session.area(command)?,
        AdminCommand::Terminal(command) => session.terminal(command)?,
        AdminCommand::Account(command) => session.account(command)?,
        AdminCommand::Organisation(command) => session.organisation(command)?,
        AdminCommand::Plan(command) => session.plan(command)?,
        AdminCommand::User(command) => session.user(command)?,
        AdminCommand::Token(command) => session.token(command)?,
        AdminCommand::Allowlist(command) => session.allow_list(command)?,
        AdminCommand::Denylist(command) => session.deny_list(command)?,
        AdminCommand::Incident(command) => session.incident(command)?,
        AdminCommand::Epoch(command) => session.epoch(command)?,
        AdminCommand::Fault(command) => session.fault(command)?,
        AdminCommand::Usage { id, limit } => session.usage(*id, *limit)?,
        AdminCommand::Audit {
            from,
            verify: false,
            limit,
            ..
        } => session.audit(*from, *limit)?,
        AdminCommand::Audit { head, .. } => return session.verify_audit(head.as_deref()),
        AdminCommand::Settings { elsewhere, why } => {
            session.settings(elsewhere.as_deref(), why.as_deref())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Session {
    /// Prints the API's JSON, or what people want of it.
    fn tell(
        &self,
        answer: &Value,
        people: impl FnOnce(&mut io::StdoutLock<'static>) -> io::Result<()>,
    ) -> Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(answer)?)?;
        } else {
            people(&mut out)?;
        }
        Ok(())
    }

    fn list(&self, request: Request<'_>, limit: Limit, columns: &[Column]) -> Result<()> {
        let (items, more) = self.client.list(request, limit.limit)?;
        if self.json {
            return self.tell(&Value::Array(items), |_| Ok(()));
        }
        table(&mut io::stdout().lock(), columns, &items, more)?;
        Ok(())
    }

    fn show(&self, path: String, columns: &[Column]) -> Result<()> {
        let thing = self.client.get(path)?;
        self.tell(&thing, |out| fields(out, columns, &thing))
    }

    /// Sends a change; prints the answer, or a sentence made of it.
    fn change(&self, request: &Request<'_>, told: impl FnOnce(&Value) -> String) -> Result<()> {
        let answer = self.client.send(request)?.body;
        self.tell(&answer, |out| writeln!(out, "{}", told(&answer)))
    }

    fn login(&mut self, login: &Login, credentials: &mut Credentials) -> Result<()> {
        let password = secret(&format!("password of {}: ", login.name))?;
        let asked = json!({ "name": login.name, "password": password });
        let mut opened = self.client.send(&Request::post("/session").json(&asked))?;
        self.client.set_session(&opened)?;
        if opened.body["must_choose_password"] == true {
            let new = secret(
                "it was for once; a new password (at least 15 characters, a few words are good): ",
            )?;
            if io::stdin().is_terminal() && secret("again: ")? != new {
                bail!("these were two different passwords: nothing was changed");
            }
            let asked = json!({ "old": password, "new": new });
            let chosen = Request::post("/session/password").json(&asked);
            opened = self.client.send(&chosen)?;
            self.client.set_session(&opened)?;
        }
        let asked = json!({ "name": "skyweave admin", "lasts_s": login.lasts_days * 86_400 });
        let made = Request::post("/tokens")
            .why("skyweave admin login")
            .json(&asked);
        let token = self.client.send(&made)?.body;
        let (id, secret) = (token["id"].as_u64(), token["secret"].as_str());
        let (Some(id), Some(secret)) = (id, secret) else {
            bail!("the server made a token and did not tell it");
        };
        let api = self.client.base().to_owned();
        let kept = credentials.keep(&api, id, secret)?.display().to_string();
        // The session has done its work; should this fail, it ends by itself.
        let _ = self.client.send(&Request::new(Method::DELETE, "/session"));
        let me = json!({ "api": api, "user": opened.body["name"], "role": opened.body["role"],
            "token": id, "expires": token["expires"], "kept_in": kept });
        self.tell(&me, |out| {
            writeln!(
                out,
                "signed in to {api} as {} ({}); the token, until {}, is in {kept}",
                text(me.get("user")),
                text(me.get("role")),
                text(me.get("expires")),
            )
        })
    }

    fn logout(&self, credentials: &mut Credentials) -> Result<()> {
        let api = self.client.base();
        let Some(id) = credentials.forget(api)? else {
            bail!("no token for {api} is kept here");
        };
        let path = format!("/tokens/{id}");
        let end = Request::new(Method::DELETE, path).why("skyweave admin logout");
        let ended = self.client.send(&end);
        ended.context("the token is forgotten here, but was not ended there")?;
        let told = json!({ "api": api, "token": id });
        self.tell(&told, |out| writeln!(out, "token {id} of {api} has ended"))
    }

    fn area(&self, command: &AreaCommand) -> Result<()> {
        match command {
            AreaCommand::List { market, limit } => {
                let request = Request::get("/areas")
                    .query("market", market.as_ref())
                    .query("geometry", Some(false));
                self.list(request, *limit, AREAS)
            }
            AreaCommand::Show { id } => {
                let area = self.client.get(format!("/areas/{id}"))?;
                println!("{}", serde_json::to_string_pretty(&area)?);
                Ok(())
            }
            AreaCommand::Put { file, why } => self.put_areas(read_json(file)?, &why.why),
            AreaCommand::Enable {
                market,
                area,
                from,
                why,
            } => {
                let which = chosen(market.map(|m| m.to_string()), area);
                self.switch(which, "on", *from, &why.why)
            }
            AreaCommand::Disable {
                polygon: Some(file),
                name,
                from,
                why,
                ..
            } => self.close(read_json(file)?, name, *from, &why.why),
            AreaCommand::Disable {
                market,
                area,
                from,
                why,
                ..
            } => {
                let which = chosen(market.map(|m| m.to_string()), area);
                self.switch(which, "off", *from, &why.why)
            }
            AreaCommand::Remove { id, why } => {
                let path = format!("/areas/{id}");
                let tag = self.client.tag(&path)?;
                let remove = Request::new(Method::DELETE, path)
                    .why(&why.why)
                    .if_match(tag);
                self.change(&remove, |_| format!("area {id} is removed"))
            }
        }
    }

    /// Adds areas if all of them are new; else adds or changes each by itself.
    fn put_areas(&self, geojson: Value, why: &str) -> Result<()> {
        let features = match geojson["type"].as_str() {
            Some("FeatureCollection") => geojson["features"].as_array().cloned(),
            Some("Feature") => Some(vec![geojson]),
            _ => None,
        };
        let features = features.context("expected a GeoJSON Feature or FeatureCollection")?;
        let id = |f: &Value| f["properties"]["id"].as_u64().or_else(|| f["id"].as_u64());
        let mut tags = Vec::new();
        for feature in &features {
            tags.push(match id(feature) {
                Some(id) => self.client.tag(&format!("/areas/{id}"))?,
                // What is missing is said by the server, of all features at once.
                None => None,
            });
        }
        let taken = if tags.iter().all(Option::is_none) {
            let all = json!({ "type": "FeatureCollection", "features": features });
            vec![
                self.client
                    .send(&Request::post("/areas").why(why).json(&all))?
                    .body,
            ]
        } else {
            let mut taken = Vec::new();
            for (feature, tag) in features.iter().zip(tags) {
                let id = id(feature).context("a feature has no id in its properties")?;
                let put = Request::new(Method::PUT, format!("/areas/{id}")).why(why);
                taken.push(self.client.send(&put.json(feature).if_match(tag))?.body);
            }
            taken
        };
        let every = |name: &str| -> Vec<Value> {
            let of = |t: &Value| t[name].as_array().cloned().unwrap_or_default();
            taken.iter().flat_map(of).collect()
        };
        let told = json!({ "areas": every("areas"), "fixed": every("fixed") });
        self.tell(&told, |out| {
            for fix in every("fixed") {
                writeln!(out, "put right: {}", text(Some(&fix)))?;
            }
            table(out, AREAS, &every("areas"), false)
        })
    }

    fn switch(&self, mut which: Value, to: &str, from: Option<Utc>, why: &str) -> Result<()> {
        which["switch"] = to.into();
        if let Some(from) = from {
            which["at"] = from.to_string().into();
        }
        let switch = Request::post("/areas/switch").why(why).json(&which);
        self.change(&switch, |done| {
            let areas = done["areas"].as_array().map_or(0, Vec::len);
            format!(
                "{to} from {}: {} ({}); audit row {}",
                text(done.get("at")),
                many(areas, "area"),
                text(done.get("areas")),
                text(done.get("audit_row"))
            )
        })
    }

    /// Adds a closed area above all others.
    fn close(&self, geojson: Value, name: &str, from: Option<Utc>, why: &str) -> Result<()> {
        let request = Request::get("/areas").query("geometry", Some(false));
        let (areas, _) = self.client.list(request, usize::MAX)?;
        let most = |at: &str| areas.iter().filter_map(|a| a.pointer(at)?.as_i64()).max();
        let id = most("/id").unwrap_or(0) + 1;
        // Room between, for what is to be decided in between later.
        let precedence = most("/properties/precedence").unwrap_or(0) + 10;
        let from = match from {
            Some(from) => from.to_string(),
            None => text(self.client.get("/health")?.get("network_now")),
        };
        let feature = json!({ "type": "Feature", "geometry": polygons(&geojson)?, "properties": {
            "id": id, "name": name, "kind": "deny", "shown": "area", "precedence": precedence, "valid_from": from,
        } });
        let collection = json!({ "type": "FeatureCollection", "features": [feature] });
        let add = Request::post("/areas").why(why).json(&collection);
        self.change(&add, |done| {
            let fixed = done["fixed"].as_array().into_iter().flatten();
            let fixed: String = fixed.map(|f| format!("put right: {}\n", text(Some(f)))).collect();
            format!("{fixed}area {id} ({}) is closed from {from} on; `area disable --area {id}` opens it again", visible(name))
        })
    }

    fn terminal(&self, command: &TerminalCommand) -> Result<()> {
        use TerminalCommand as T;
        match command {
            T::List {
                account,
                state,
                market,
                batch,
                plan,
                limit,
            } => {
                let request = Request::get("/terminals")
                    .query("account", *account)
                    .query("state", state.as_ref())
                    .query("market", market.as_ref())
                    .query("batch", *batch)
                    .query("plan", *plan);
                self.list(request, *limit, TERMINALS)
            }
            T::Show { id } => self.show(format!("/terminals/{id}"), TERMINAL),
            T::Explain {
                id,
                at,
                speed_km_h,
                time,
                rules,
            } => {
                let request = Request::get(format!("/terminals/{id}/explain"))
                    .query("lat_deg", at.map(|at| at.0))
                    .query("lon_deg", at.map(|at| at.1))
                    .query("speed_m_s", speed_km_h.map(|s| s / 3.6))
                    .query("at", *time);
                let why = self.client.send(&request)?.body;
                self.tell(&why, |out| explained(out, &why, *rules))
            }
            T::Location { id, why } => {
                let request = Request::get(format!("/terminals/{id}/location")).why(&why.why);
                let place = self.client.send(&request)?.body;
                let columns = [
                    ("service address", "/service_address"),
                    ("says it is at", "/claimed"),
                    ("says it moves m/s", "/claimed_speed_m_s"),
                    ("audit row", "/audit_row"),
                ];
                self.tell(&place, |out| fields(out, &columns, &place))
            }
            T::Import { file, why } => {
                let mut import = Request::post("/terminals/import").why(&why.why);
                (import.body, import.content_type) = (Some(read(file)?), "text/csv");
                self.change(&import, |done| {
                    let row = text(done.get("audit_row"));
                    let added = done["added"].as_u64().unwrap_or(0) as usize;
                    format!("{} added; audit row {row}", many(added, "terminal"))
                })
            }
            T::Sell { which, market } => self.step(which, "sell", &json!({ "market": market })),
            T::Register { which, account } => {
                self.step(which, "register", &json!({ "account": account }))
            }
            T::Activate {
                which,
                plan,
                at,
                area,
            } => {
                let address = at.map(|(lat, lon)| json!({ "lat_deg": lat, "lon_deg": lon }));
                let body = json!({ "plan": plan, "address": address, "area": area });
                self.step(which, "activate", &body)
            }
            T::Release(which) => self.step(which, "release", &Value::Null),
            T::Deactivate(which) => self.step(which, "deactivate", &Value::Null),
            T::Suspend(which) => self.step(which, "suspend", &Value::Null),
            T::Resume(which) => self.step(which, "resume", &Value::Null),
            T::Block(which) => self.step(which, "block", &Value::Null),
            T::Restore(which) => self.step(which, "restore", &Value::Null),
            T::Retire(which) => self.step(which, "retire", &Value::Null),
        }
    }

    fn step(&self, which: &Which, step: &str, body: &Value) -> Result<()> {
        for id in &which.ids {
            let mut request = Request::post(format!("/terminals/{id}/{step}")).why(&which.why.why);
            if !body.is_null() {
                request = request.json(body);
            }
            self.change(&request, |now| {
                format!("{id} is {} now", text(now.get("state")))
            })?;
        }
        Ok(())
    }

    fn account(&self, command: &AccountCommand) -> Result<()> {
        match command {
            AccountCommand::List { limit } => {
                self.list(Request::get("/accounts"), *limit, ACCOUNTS)
            }
            AccountCommand::Show { id } => {
                let account = self.client.get(format!("/accounts/{id}"))?;
                let held = Request::get("/terminals").query("account", Some(id));
                let (terminals, _) = self.client.list(held, usize::MAX)?;
                self.tell(&account, |out| {
                    fields(out, ACCOUNTS, &account)?;
                    writeln!(out, "{:<18} {}", "terminals", terminals.len())
                })
            }
            AccountCommand::Add {
                person,
                organisation,
                market,
                terminal_limit,
                why,
            } => {
                let holder = match organisation {
                    Some(id) => json!({ "organisation": id }),
                    None => json!({ "person": person }),
                };
                let body = json!({ "holder": holder, "market": market, "standing": "active",
                    "terminal_limit": terminal_limit });
                let add = Request::post("/accounts").why(&why.why).json(&body);
                self.change(&add, |a| format!("account {} added", text(a.get("id"))))
            }
            AccountCommand::Set { id, standing, why } => {
                let standing = match standing {
                    StandingArg::Active => "active",
                    StandingArg::Disabled => "disabled",
                    StandingArg::Closed => "closed",
                };
                let path = format!("/accounts/{id}");
                let read = self.client.send(&Request::get(path.clone()))?;
                let (mut body, tag) = (read.body, read.headers.get(header::ETAG).cloned());
                body["standing"] = standing.into();
                without_id(&mut body);
                let put = Request::new(Method::PUT, path).why(&why.why);
                self.change(&put.json(&body).if_match(tag), |_| {
                    format!("account {id} is {standing} now")
                })
            }
        }
    }

    fn organisation(&self, command: &OrganisationCommand) -> Result<()> {
        match command {
            OrganisationCommand::List { limit } => {
                self.list(Request::get("/organisations"), *limit, ORGANISATIONS)
            }
            OrganisationCommand::Add {
                name,
                market,
                critical,
                why,
            } => {
                let body = json!({ "name": name, "market": market, "critical": critical });
                let add = Request::post("/organisations").why(&why.why).json(&body);
                self.change(&add, |o| {
                    format!("organisation {} added", text(o.get("id")))
                })
            }
        }
    }

    fn plan(&self, command: &PlanCommand) -> Result<()> {
        match command {
            PlanCommand::List { limit } => self.list(Request::get("/plans"), *limit, PLANS),
            PlanCommand::Show { id } => {
                let mut plan = self.client.get(format!("/plans/{id}"))?;
                without_id(&mut plan);
                println!("{}", serde_json::to_string_pretty(&plan)?);
                Ok(())
            }
            PlanCommand::Put { id, file, why } => {
                let (path, mut body) = (format!("/plans/{id}"), read_json(file)?);
                without_id(&mut body);
                let tag = self.client.tag(&path)?;
                let put = Request::new(Method::PUT, path).why(&why.why);
                self.change(&put.json(&body).if_match(tag), |plan| {
                    format!("plan {id} is {} now", text(plan.get("name")))
                })
            }
        }
    }

    fn user(&self, command: &UserCommand) -> Result<()> {
        let with_secret = |answer: &Value| {
            let how = match answer["one_time_secret"].as_str() {
                Some(secret) => {
                    format!("the secret for signing in once, shown here only: {secret}")
                }
                None => "signs in at the identity provider".to_owned(),
            };
            format!(
                "user {} ({}); {how}",
                text(answer.pointer("/user/id")),
                text(answer.pointer("/user/name")),
            )
        };
        match command {
            UserCommand::List { limit } => self.list(Request::get("/users"), *limit, USERS),
            UserCommand::Add {
                name,
                role,
                account,
                terminal,
                identity,
                why,
            } => {
                let body = json!({ "name": name, "role": role, "account": account,
                    "terminal": terminal, "identity": identified(identity) });
                let add = Request::post("/users").why(&why.why).json(&body);
                self.change(&add, with_secret)
            }
            UserCommand::Identify {
                id, identity, why, ..
            } => {
                let path = format!("/users/{id}");
                let read = self.client.send(&Request::get(path.clone()))?;
                let (user, tag) = (read.body, read.headers.get(header::ETAG).cloned());
                let body = json!({ "name": user["name"], "role": user["role"],
                    "account": user["account"], "terminal": user["terminal"],
                    "identity": identified(identity) });
                let put = Request::new(Method::PUT, path).why(&why.why);
                self.change(
                    &put.json(&body).if_match(tag),
                    |now| match now["identity"]["subject"].as_str() {
                        Some(subject) => format!(
                            "user {id} is {} at {}",
                            visible(subject),
                            text(now.pointer("/identity/issuer"))
                        ),
                        None => format!("user {id} is nobody at an identity provider"),
                    },
                )
            }
            UserCommand::Reset { id, why } => {
                let reset = Request::post(format!("/users/{id}/secret")).why(&why.why);
                self.change(&reset, with_secret)
            }
            UserCommand::Revoke { id, why } => {
                let revoke = Request::new(Method::DELETE, format!("/users/{id}")).why(&why.why);
                self.change(&revoke, |_| format!("user {id} is revoked"))
            }
        }
    }

    fn token(&self, command: &TokenCommand) -> Result<()> {
        match command {
            TokenCommand::List { user, limit } => {
                self.list(Request::get("/tokens").query("user", *user), *limit, TOKENS)
            }
            TokenCommand::Add {
                name,
                permission,
                lasts_days,
                user,
                why,
            } => {
                let permissions = (!permission.is_empty()).then_some(permission);
                let body = json!({ "name": name, "permissions": permissions,
                    "lasts_s": lasts_days * 86_400, "user": user });
                let add = Request::post("/tokens").why(&why.why).json(&body);
                self.change(&add, |made| {
                    format!(
                        "token {} until {}, shown here only: {}",
                        text(made.get("id")),
                        text(made.get("expires")),
                        text(made.get("secret"))
                    )
                })
            }
            TokenCommand::Revoke { id, why } => {
                let revoke = Request::new(Method::DELETE, format!("/tokens/{id}")).why(&why.why);
                self.change(&revoke, |_| format!("token {id} has ended"))
            }
        }
    }
}

impl Session {
    fn allow_list(&self, command: &AllowlistCommand) -> Result<()> {
        use AllowlistCommand as L;
        match command {
            L::List { limit } => self.list(Request::get("/lists"), *limit, LISTS),
            L::Put {
                list,
                name,
                person,
                person_shown,
                company,
                critical,
                why,
            } => {
                let path = format!("/lists/{list}");
                let body = json!({ "name": name, "limits": { "person": person,
                    "person_shown": person_shown, "company": company, "critical": critical } });
                let tag = self.client.tag(&path)?;
                let put = Request::new(Method::PUT, path).why(&why.why);
                self.change(&put.json(&body).if_match(tag), |l| {
                    format!("list {list} is {} now", text(l.get("name")))
                })
            }
            L::Entries { list, limit } => self.list(
                Request::get(format!("/lists/{list}/entries")),
                *limit,
                ENTRIES,
            ),
            L::Add {
                list,
                which,
                shown,
                approve,
            } => {
                for id in &which.ids {
                    let body = json!({ "terminal": id, "shown": shown });
                    let ask = Request::post(format!("/lists/{list}/requests")).why(&which.why.why);
                    let asked = self.client.send(&ask.json(&body))?.body;
                    let request = asked["id"].as_u64().context("a request without a number")?;
                    if *approve {
                        self.decide(*list, request, "approve", &which.why.why)?;
                    } else {
                        self.tell(&asked, |out| {
                            writeln!(out, "request {request}: {id}, not decided yet")
                        })?;
                    }
                }
                Ok(())
            }
            L::Remove { list, which } => {
                for id in &which.ids {
                    let path = format!("/lists/{list}/entries/{id}");
                    let remove = Request::new(Method::DELETE, path).why(&which.why.why);
                    self.change(&remove, |_| format!("{id} is off list {list}"))?;
                }
                Ok(())
            }
            L::Requests { list, all, limit } => {
                let state = (!all).then_some("pending");
                let requests = Request::get(format!("/lists/{list}/requests"));
                self.list(requests.query("state", state), *limit, REQUESTS)
            }
            L::Approve { which } => self.decide_all(which, "approve"),
            L::Reject { which } => self.decide_all(which, "reject"),
        }
    }

    fn decide_all(&self, which: &Requests, decision: &str) -> Result<()> {
        let why = &which.why.why;
        let mut requests = which.requests.iter();
        requests.try_for_each(|request| self.decide(which.list, *request, decision, why))
    }

    fn decide(&self, list: u32, request: u64, decision: &str, why: &str) -> Result<()> {
        let path = format!("/lists/{list}/requests/{request}/{decision}");
        self.change(&Request::post(path).why(why), |decided| {
            let (terminal, state) = (text(decided.get("terminal")), text(decided.get("state")));
            format!("request {request}: {terminal}, {state}")
        })
    }

    fn deny_list(&self, command: &DenylistCommand) -> Result<()> {
        let name = |whom: &Whom| match (whom.terminal, whom.account) {
            (Some(id), _) => (format!("terminals/{id}"), format!("terminal {id}")),
            (None, id) => {
                let id = id.unwrap_or_default();
                (format!("accounts/{id}"), format!("account {id}"))
            }
        };
        match command {
            DenylistCommand::List { limit } => self.list(Request::get("/denied"), *limit, DENIED),
            DenylistCommand::Add { whom } => {
                let body = match whom.terminal {
                    Some(id) => json!({ "terminal": id }),
                    None => json!({ "account": whom.account }),
                };
                let add = Request::post("/denied").why(&whom.why.why).json(&body);
                self.change(&add, |_| format!("{} is on the deny list", name(whom).1))
            }
            DenylistCommand::Remove { whom } => {
                let path = format!("/denied/{}", name(whom).0);
                let remove = Request::new(Method::DELETE, path).why(&whom.why.why);
                self.change(&remove, |_| {
                    format!("{} is off the deny list", name(whom).1)
                })
            }
        }
    }

    fn incident(&self, command: &IncidentCommand) -> Result<()> {
        match command {
            IncidentCommand::List {
                state,
                terminal,
                limit,
            } => {
                let state = (state != "any").then_some(state);
                let request = Request::get("/incidents")
                    .query("state", state)
                    .query("terminal", *terminal);
                self.list(request, *limit, INCIDENTS)
            }
            IncidentCommand::Show { id } => {
                let incident = self.client.get(format!("/incidents/{id}"))?;
                self.tell(&incident, |out| {
                    fields(out, INCIDENTS, &incident)?;
                    let mut evidence = incident["evidence"].as_array().into_iter().flatten();
                    evidence.try_for_each(|e| writeln!(out, "  {}", text(Some(e))))
                })
            }
            IncidentCommand::Resolve { id, decision, why } => {
                let decision = match decision {
                    Decision::Dismiss => "dismiss",
                    Decision::CutOff => "cut-off",
                    Decision::Appeal => "appeal",
                    Decision::Restore => "restore",
                };
                let path = format!("/incidents/{id}/{decision}");
                self.change(&Request::post(path).why(&why.why), |now| {
                    format!("incident {id} is {} now", text(now.get("state")))
                })
            }
        }
    }

    fn epoch(&self, command: &EpochCommand) -> Result<()> {
        match command {
            EpochCommand::List { limit } => self.list(Request::get("/epochs"), *limit, EPOCHS),
            EpochCommand::Show { epoch } => {
                let number = self.epoch_or_current(*epoch)?;
                let epoch = self.client.get(format!("/epochs/{number}"))?;
                self.tell(&epoch, |out| {
                    fields(out, EPOCH, &epoch)?;
                    let unserved = epoch["report"]["unserved"]
                        .as_object()
                        .into_iter()
                        .flatten();
                    for (reason, cells) in unserved {
                        writeln!(out, "{:<18} {}: {cells} cells", "unserved", visible(reason))?;
                    }
                    let live = epoch["report"]["live"].as_array();
                    table(out, LIVE, live.map_or(&[][..], Vec::as_slice), false)
                })
            }
            EpochCommand::Plan { epoch } => {
                let number = self.epoch_or_current(*epoch)?;
                let plan = self.client.get(format!("/epochs/{number}/plan"))?;
                serde_json::to_writer(io::stdout().lock(), &plan)?;
                println!();
                Ok(())
            }
        }
    }

    fn epoch_or_current(&self, epoch: Option<i64>) -> Result<i64> {
        if let Some(epoch) = epoch {
            return Ok(epoch);
        }
        let current = self.client.get("/live-terminals")?["epoch"].as_i64();
        current.context("no epoch is on yet: `skyweave admin epoch list`")
    }

    fn fault(&self, command: &FaultCommand) -> Result<()> {
        let read = self.client.send(&Request::get("/faults"))?;
        let (mut set, tag) = (read.body, read.headers.get(header::ETAG).cloned());
        let put = |why: &str, conditions: &Value| {
            let put = Request::new(Method::PUT, "/faults").why(why);
            self.change(&put.json(conditions).if_match(tag), |now| match lost(now) {
                lost if lost.is_empty() => "nothing is lost from the next plan on".to_owned(),
                lost => format!("lost from the next plan on: {}", lost.join(", ")),
            })
        };
        match command {
            FaultCommand::Show => {
                println!("{}", serde_json::to_string_pretty(&set)?);
                Ok(())
            }
            FaultCommand::Set {
                file: Some(file),
                why,
                ..
            } => put(&why.why, &read_json(file)?),
            FaultCommand::Set {
                satellite,
                satellites_percent,
                gateway,
                pop,
                why,
                ..
            } => {
                set["faults"] = json!({ "satellites": satellite, "gateways": gateway, "pops": pop,
                    "satellites_percent": satellites_percent.unwrap_or(0.0) });
                put(&why.why, &set)
            }
            FaultCommand::Clear { why } => put(&why.why, &json!({})),
        }
    }

    fn usage(&self, id: Option<UtId>, limit: Limit) -> Result<()> {
        let Some(id) = id else {
            return self.list(Request::get("/usage"), limit, USAGE);
        };
        let usage = self.client.get(format!("/terminals/{id}/usage"))?;
        let periods = usage["periods"].as_array().map_or(&[][..], Vec::as_slice);
        self.tell(&usage, |out| table(out, USAGE, periods, false))
    }

    fn audit(&self, from: Option<u64>, limit: usize) -> Result<()> {
        let from = match from {
            Some(from) => from,
            None => (self.audit_rows()? + 1).saturating_sub(limit as u64),
        };
        let after = from.saturating_sub(1);
        let rows = Request::get("/audit").query("after", Some(after));
        self.list(rows, Limit { limit }, AUDIT)
    }

    /// How many rows the audit log has: a list says only whether there are more.
    fn audit_rows(&self) -> Result<u64> {
        let has_more_than = |rows: u64| -> Result<bool> {
            let page = Request::get("/audit").query("after", Some(rows));
            Ok(!self.client.list(page, 1)?.0.is_empty())
        };
        let (mut least, mut most) = (0, 64);
        while has_more_than(most)? {
            (least, most) = (most, most * 2);
        }
        // More than `least - 1`, not more than `most`.
        while least < most {
            let middle = least.midpoint(most);
            if has_more_than(middle)? {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        Ok(least)
    }

    fn verify_audit(&self, head: Option<&str>) -> Result<ExitCode> {
        let verify = Request::get("/audit/verify").query("end", head);
        let found = self.client.send(&verify)?.body;
        let end = text(found.get("end"));
        self.tell(&found, |out| match found["whole"] == true {
            true => writeln!(
                out,
                "each row follows the one before; the end is {end}: note it elsewhere"
            ),
            false => Ok(()),
        })?;
        if found["whole"] != true {
            bail!("the audit log is broken: {}", text(found.get("broken")));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn settings(&self, elsewhere: Option<&str>, why: Option<&str>) -> Result<()> {
        let columns = [
            ("elsewhere", "/defaults/elsewhere"),
            ("oldest software", "/defaults/oldest_software"),
            ("cut off by rule", "/automatic"),
        ];
        let mut read = self.client.send(&Request::get("/settings"))?;
        if let Some((elsewhere, why)) = elsewhere.zip(why) {
            let mut body = read.body["defaults"].take();
            body["elsewhere"] = elsewhere.into();
            let tag = read.headers.get(header::ETAG).cloned();
            let put = Request::new(Method::PUT, "/settings/defaults").why(why);
            read = self.client.send(&put.json(&body).if_match(tag))?;
        }
        self.tell(&read.body, |out| fields(out, &columns, &read.body))
    }
}

/// So many of a thing.
fn many(n: usize, thing: &str) -> String {
    match n {
        1 => format!("1 {thing}"),
        _ => format!("{n} {thing}s"),
    }
}

/// Areas by country or by number, as the API takes them.
fn chosen(market: Option<String>, areas: &[u32]) -> Value {
    match market {
        Some(market) => json!({ "market": market }),
        None => json!({ "areas": areas }),
    }
}

/// An identity as the API takes it; null if there is none.
fn identified(identity: &IdentityArgs) -> Value {
    match &identity.issuer {
        Some(issuer) => json!({ "issuer": issuer, "subject": identity.subject }),
        None => Value::Null,
    }
}

/// What conditions say is lost, in words.
fn lost(conditions: &Value) -> Vec<String> {
    let faults = &conditions["faults"];
    let named = |kind: &str, name: &str| -> Vec<String> {
        let all = faults[name].as_array().into_iter().flatten();
        all.map(|one| format!("{kind} {}", text(Some(one))))
            .collect()
    };
    let share = faults["satellites_percent"].as_f64().filter(|s| *s > 0.0);
    let share = share.map(|percent| format!("{percent} % of the satellites"));
    share
        .into_iter()
        .chain(named("satellite", "satellites"))
        .chain(named("gateway", "gateways"))
        .chain(named("point of presence", "pops"))
        .collect()
}

/// All polygons of a GeoJSON text as one geometry.
fn polygons(geojson: &Value) -> Result<Value> {
    fn collect(value: &Value, polygons: &mut Vec<Value>) -> Result<()> {
        let items = |name: &str| value[name].as_array().cloned().unwrap_or_default();
        match value["type"].as_str() {
            Some("FeatureCollection") => items("features")
                .iter()
                .try_for_each(|f| collect(f, polygons)),
            Some("Feature") => collect(&value["geometry"], polygons),
            Some("Polygon") => {
                polygons.push(value["coordinates"].clone());
                Ok(())
            }
            Some("MultiPolygon") => {
                polygons.extend(items("coordinates"));
                Ok(())
            }
            Some(other) => bail!("expected polygons, found a {}", visible(other)),
            None => bail!("this is not GeoJSON: it has no `type`"),
        }
    }
    let mut all = Vec::new();
    collect(geojson, &mut all)?;
    Ok(json!({ "type": "MultiPolygon", "coordinates": all }))
}

fn explained(out: &mut impl Write, why: &Value, rules: bool) -> io::Result<()> {
    let paragraph = why["paragraph"].as_str().unwrap_or_default();
    writeln!(out, "{}", visible(paragraph))?;
    let position = why["position"].as_str().unwrap_or_default();
    if position != "claimed" {
        let from = match position {
            "asked" => "the place that was asked about",
            "service_address" => "its service address: it is not on the air",
            _ => "no place: it is not on the air and has no service address",
        };
        writeln!(out, "(for {}, and {from})", text(why.get("at")))?;
    }
    if rules {
        let columns = [
            ("RULE", "/rule"),
            ("REFUSES", "/refuses"),
            ("CODE", "/code"),
            ("AREA", "/area"),
        ];
        let items = why["rules"].as_array().map_or(&[][..], Vec::as_slice);
        table(out, &columns, items, false)?;
    }
    Ok(())
}

fn without_id(thing: &mut Value) {
    if let Some(fields) = thing.as_object_mut() {
        fields.remove("id");
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(bytes)
}

fn read_json(file: &Path) -> Result<Value> {
    serde_json::from_slice(&read(file)?).with_context(|| format!("{} is not JSON", file.display()))
}

/// A secret: typed unseen, or a line of standard input.
fn secret(prompt: &str) -> Result<String> {
    if io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password(prompt)?);
    }
    let mut line = String::new();
    if io::stdin().read_line(&mut line)? == 0 {
        bail!("standard input ended where a password was expected");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
