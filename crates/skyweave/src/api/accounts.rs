//! Organisations, accounts and the plans that are sold.

use super::caller::{Caller, Scope};
use super::problem::{Kind, Problem};
use super::wire::{Body, Conditions, Known, Page, PageQuery, Path, Query, Why, changed, created};
use super::{Api, needs};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use skyweave_service::{
    Account, AccountId, Action, AreaId, DataCap, Holder, Market, Mobility, MobilityClass,
    Organisation, OrganisationId, Permission, Plan, PlanId, Rates, Register, ServiceClass,
    Standing,
};
use std::ops::Bound;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    let read = needs(Permission::ReadAccounts);
    let change = needs(Permission::ChangeAccounts);
    let read_plans = needs(Permission::ReadPlans);
    let change_plans = needs(Permission::ChangePlans);
    OpenApiRouter::new()
        .routes(read(routes!(list_accounts)))
        .routes(read(routes!(get_account)))
        .routes(change(routes!(add_account)))
        .routes(change(routes!(put_account)))
        .routes(read(routes!(list_organisations)))
        .routes(read(routes!(get_organisation)))
        .routes(change(routes!(add_organisation)))
        .routes(change(routes!(put_organisation)))
        .routes(read_plans(routes!(list_plans)))
        .routes(read_plans(routes!(get_plan)))
        .routes(change_plans(routes!(add_plan)))
        .routes(change_plans(routes!(put_plan)))
}

/// An account.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountBody {
    /// Its number, as the address names it; may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    holder: HolderBody,
    /// The country of the account.
    #[schema(value_type = String, pattern = "^[A-Z]{2}$")]
    market: Market,
    /// `active`, `disabled` (by the operator) or `closed`.
    #[schema(value_type = String)]
    standing: Standing,
    /// The most terminals that may be registered to it; left out: no limit.
    terminal_limit: Option<u32>,
}

/// Who holds an account: one of the two.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HolderBody {
    /// A person, by a reference to the record of the check of identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    person: Option<String>,
    /// An organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<u64>,
}

/// An organisation.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrganisationBody {
    /// Its number, as the address names it; may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Where it is registered.
    #[schema(value_type = String, pattern = "^[A-Z]{2}$")]
    market: Market,
    /// Power, water, hospitals: lists may give such organisations another limit.
    critical: bool,
}

/// A plan that is sold.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlanBody {
    /// Its number, as the address names it; may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Rates at best.
    rates: RatesBody,
    /// Data of a month, and what follows; left out: no limit.
    cap: Option<CapBody>,
    /// The greater goes first when a beam is full.
    priority: u8,
    /// `consumer`, `business`, `business_plus` or `commercial_aviation`.
    #[schema(value_type = String)]
    class: ServiceClass,
    mobility: MobilityBody,
    /// The areas in which it works; empty: wherever service is open.
    areas: Vec<u32>,
    /// Whether it works at sea.
    at_sea: bool,
}

/// Rates of the user link, bit/s.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RatesBody {
    /// To the terminal.
    down_bps: u64,
    /// From the terminal.
    up_bps: u64,
}

/// A data allowance, both directions together.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CapBody {
    /// Bytes of a period.
    bytes: u64,
    /// Rates when it is used up; left out: only the account page.
    then: Option<RatesBody>,
}

/// How a plan's terminals may move.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MobilityBody {
    /// `stationary`, `nomadic` or `mobile`.
    #[schema(value_type = String)]
    class: MobilityClass,
    /// The greatest speed over ground with service, m/s.
    #[schema(minimum = 0)]
    max_speed_m_s: f64,
    /// How far from its service address a terminal may be, m; left out: anywhere.
    home_radius_m: Option<f64>,
    /// Lowest height above the ellipsoid with service, m: for aircraft.
    min_height_m: Option<f64>,
}

impl AccountBody {
    fn account(self, id: AccountId) -> Result<Account, Problem> {
        same_number(self.id, id.0)?;
        let holder = match (self.holder.person, self.holder.organisation) {
            (Some(person), None) => Holder::Person(name(person)?),
            (None, Some(id)) => Holder::Company(OrganisationId(id)),
            _ => {
                return Err(Problem::invalid(
                    "a holder is either a person or an organisation",
                ));
            }
        };
        Ok(Account {
            id,
            holder,
            market: self.market,
            standing: self.standing,
            terminal_limit: self.terminal_limit,
        })
    }
}

impl From<&Account> for AccountBody {
    fn from(a: &Account) -> Self {
        let (person, organisation) = match &a.holder {
            Holder::Person(reference) => (Some(reference.clone()), None),
            Holder::Company(id) => (None, Some(id.0)),
        };
        Self {
            id: Some(a.id.0),
            holder: HolderBody {
                person,
                organisation,
            },
            market: a.market,
            standing: a.standing,
            terminal_limit: a.terminal_limit,
        }
    }
}

impl OrganisationBody {
    fn organisation(self, id: OrganisationId) -> Result<Organisation, Problem> {
        same_number(self.id, id.0)?;
        Ok(Organisation {
            id,
            name: name(self.name)?,
            market: self.market,
            critical: self.critical,
        })
    }
}

impl From<&Organisation> for OrganisationBody {
    fn from(o: &Organisation) -> Self {
        Self {
            id: Some(o.id.0),
            name: o.name.clone(),
            market: o.market,
            critical: o.critical,
        }
    }
}

impl From<RatesBody> for Rates {
    fn from(r: RatesBody) -> Self {
        Self {
            down_bps: r.down_bps,
            up_bps: r.up_bps,
        }
    }
}

impl From<Rates> for RatesBody {
    fn from(r: Rates) -> Self {
        Self {
            down_bps: r.down_bps,
            up_bps: r.up_bps,
        }
    }
}

impl PlanBody {
    fn plan(self, id: PlanId) -> Result<Plan, Problem> {
        same_number(self.id, id.0.into())?;
        Ok(Plan {
            id,
            name: name(self.name)?,
            rates: self.rates.into(),
            cap: self.cap.map(|c| DataCap {
                bytes: c.bytes,
                then: c.then.map(Rates::from),
            }),
            priority: self.priority,
            class: self.class,
            mobility: Mobility {
                class: self.mobility.class,
                max_speed_m_s: self.mobility.max_speed_m_s,
                home_radius_m: self.mobility.home_radius_m,
                min_height_m: self.mobility.min_height_m,
            },
            areas: self.areas.into_iter().map(AreaId).collect(),
            at_sea: self.at_sea,
        })
    }
}

impl From<&Plan> for PlanBody {
    fn from(p: &Plan) -> Self {
        Self {
            id: Some(p.id.0.into()),
            name: p.name.clone(),
            rates: p.rates.into(),
            cap: p.cap.map(|c| CapBody {
                bytes: c.bytes,
                then: c.then.map(RatesBody::from),
            }),
            priority: p.priority,
            class: p.class,
            mobility: MobilityBody {
                class: p.mobility.class,
                max_speed_m_s: p.mobility.max_speed_m_s,
                home_radius_m: p.mobility.home_radius_m,
                min_height_m: p.mobility.min_height_m,
            },
            areas: p.areas.iter().map(|a| a.0).collect(),
            at_sea: p.at_sea,
        }
    }
}

/// What is read can be sent back: a number in the content is that of the address. A new thing gets its number here, and is
/// asked for with 0.
pub(super) fn same_number(given: Option<u64>, asked: u64) -> Result<(), Problem> {
    match given {
        Some(given) if given != asked && asked == 0 => Err(Problem::invalid(
            "the number is given by the server: leave out `id`, or choose it with PUT",
        )),
        Some(given) if given != asked => Err(Problem::invalid(format!(
            "`id` is {given} and the address names {asked}"
        ))),
        _ => Ok(()),
    }
}

/// A name for people.
pub(super) fn name(name: String) -> Result<String, Problem> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > 200 || name.chars().any(char::is_control) {
        return Err(Problem::invalid(
            "a name has 1 to 200 characters, none of them a control character",
        ));
    }
    Ok(name)
}

/// Accounts by id; a customer's own.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "accounts", params(PageQuery),
    responses((status = 200, description = "A page of accounts", body = Page<AccountBody>)))]
async fn list_accounts(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AccountBody>>, Problem> {
    let register = api.register();
    let begin = page.begin::<u64>()?.map(AccountId);
    let all = register.accounts().range((begin, Bound::Unbounded));
    let seen = all.filter(|(id, _)| caller.sees_account(**id));
    page.page(seen.map(|(id, a)| (id, a.into()))).map(Json)
}

/// An account.
#[utoipa::path(get, path = "/api/v1/accounts/{id}", tag = "accounts", params(("id" = u64, Path), Known),
    responses((status = 200, description = "The account", body = AccountBody)))]
async fn get_account(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let register = api.register();
    let account = register.accounts().get(&AccountId(id));
    let account = account.filter(|a| caller.sees_account(a.id));
    let account = account.ok_or_else(|| Problem::not_found("account", id))?;
    let view = AccountBody::from(account);
    Ok(conditions.answer(&api.tagger.tag(account), Json(view)))
}

/// Add an account.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "accounts", params(Why), request_body = AccountBody,
    responses((status = 201, description = "Added", body = AccountBody)))]
async fn add_account(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Body(body): Body<AccountBody>,
) -> Result<Response, Problem> {
    let account = body.account(AccountId(0))?;
    let added = add(&api, &caller, why, move |register| {
        let id = AccountId(next(register.accounts().keys().next_back().map(|id| id.0))?);
        let account = Account { id, ..account };
        Ok((Action::PutAccount(account.clone()), account))
    })
    .await?;
    let view = AccountBody::from(&added);
    let location = format!("/api/v1/accounts/{}", added.id);
    Ok(created(&location, &api.tagger.tag(&added), view))
}

/// Add an account under a number, or change it.
#[utoipa::path(put, path = "/api/v1/accounts/{id}", tag = "accounts", request_body = AccountBody,
    params(("id" = u64, Path), Why, ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, description = "As it now stands", body = AccountBody)))]
async fn put_account(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    why: Why,
    conditions: Conditions,
    Body(body): Body<AccountBody>,
) -> Result<Response, Problem> {
    let account = body.account(AccountId(id))?;
    let find: Find<Account> = |register, account| register.accounts().get(&account.id);
    let how = (why, conditions);
    put::<_, AccountBody>(&api, &caller, how, account, find, Action::PutAccount).await
}

/// Organisations by id; a customer's own.
#[utoipa::path(get, path = "/api/v1/organisations", tag = "accounts", params(PageQuery),
    responses((status = 200, description = "A page of organisations", body = Page<OrganisationBody>)))]
async fn list_organisations(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<OrganisationBody>>, Problem> {
    let register = api.register();
    let begin = page.begin::<u64>()?.map(OrganisationId);
    let all = register.organisations().range((begin, Bound::Unbounded));
    let seen = all.filter(|(id, _)| sees_organisation(&caller, &register, **id));
    page.page(seen.map(|(id, o)| (id, o.into()))).map(Json)
}

/// Whether the caller may know of an organisation: a customer of its own account's.
fn sees_organisation(caller: &Caller, register: &Register, id: OrganisationId) -> bool {
    match caller.scope() {
        Scope::All => true,
        Scope::Account(own) => {
            let account = register.accounts().get(&own);
            account.is_some_and(|a| a.holder == Holder::Company(id))
        }
        Scope::Terminal(_) => false,
    }
}

/// An organisation.
#[utoipa::path(get, path = "/api/v1/organisations/{id}", tag = "accounts", params(("id" = u64, Path), Known),
    responses((status = 200, description = "The organisation", body = OrganisationBody)))]
async fn get_organisation(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let register = api.register();
    let organisation = register.organisations().get(&OrganisationId(id));
    let organisation = organisation.filter(|o| sees_organisation(&caller, &register, o.id));
    let organisation = organisation.ok_or_else(|| Problem::not_found("organisation", id))?;
    let view = OrganisationBody::from(organisation);
    Ok(conditions.answer(&api.tagger.tag(organisation), Json(view)))
}

/// Add an organisation.
#[utoipa::path(post, path = "/api/v1/organisations", tag = "accounts", params(Why), request_body = OrganisationBody,
    responses((status = 201, description = "Added", body = OrganisationBody)))]
async fn add_organisation(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Body(body): Body<OrganisationBody>,
) -> Result<Response, Problem> {
    let organisation = body.organisation(OrganisationId(0))?;
    let added = add(&api, &caller, why, move |register| {
        let last = register.organisations().keys().next_back();
        let id = OrganisationId(next(last.map(|id| id.0))?);
        let organisation = Organisation { id, ..organisation };
        Ok((Action::PutOrganisation(organisation.clone()), organisation))
    })
    .await?;
    let view = OrganisationBody::from(&added);
    let location = format!("/api/v1/organisations/{}", added.id);
    Ok(created(&location, &api.tagger.tag(&added), view))
}

/// Add an organisation under a number, or change it.
#[utoipa::path(put, path = "/api/v1/organisations/{id}", tag = "accounts", request_body = OrganisationBody,
    params(("id" = u64, Path), Why, ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, description = "As it now stands", body = OrganisationBody)))]
async fn put_organisation(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u64>,
    why: Why,
    conditions: Conditions,
    Body(body): Body<OrganisationBody>,
) -> Result<Response, Problem> {
    let organisation = body.organisation(OrganisationId(id))?;
    let find: Find<Organisation> =
        |register, organisation| register.organisations().get(&organisation.id);
    let how = (why, conditions);
    put::<_, OrganisationBody>(
        &api,
        &caller,
        how,
        organisation,
        find,
        Action::PutOrganisation,
    )
    .await
}

/// Plans by id.
#[utoipa::path(get, path = "/api/v1/plans", tag = "plans", params(PageQuery),
    responses((status = 200, description = "A page of plans", body = Page<PlanBody>)))]
async fn list_plans(
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<PlanBody>>, Problem> {
    let register = api.register();
    let begin = page.begin::<u32>()?.map(PlanId);
    let all = register.plans().range((begin, Bound::Unbounded));
    page.page(all.map(|(id, p)| (id, p.into()))).map(Json)
}

/// A plan.
#[utoipa::path(get, path = "/api/v1/plans/{id}", tag = "plans", params(("id" = u32, Path), Known),
    responses((status = 200, description = "The plan", body = PlanBody)))]
async fn get_plan(
    State(api): State<Arc<Api>>,
    Path(id): Path<u32>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let register = api.register();
    let plan = register.plans().get(&PlanId(id));
    let plan = plan.ok_or_else(|| Problem::not_found("plan", id))?;
    let view = PlanBody::from(plan);
    Ok(conditions.answer(&api.tagger.tag(plan), Json(view)))
}

/// Add a plan.
#[utoipa::path(post, path = "/api/v1/plans", tag = "plans", params(Why), request_body = PlanBody,
    responses((status = 201, description = "Added", body = PlanBody)))]
async fn add_plan(
    State(api): State<Arc<Api>>,
    caller: Caller,
    why: Why,
    Body(body): Body<PlanBody>,
) -> Result<Response, Problem> {
    let plan = body.plan(PlanId(0))?;
    let added = add(&api, &caller, why, move |register| {
        let last = register.plans().keys().next_back().map(|id| id.0.into());
        let id = u32::try_from(next(last)?).map_err(|_| no_number_left())?;
        let plan = Plan {
            id: PlanId(id),
            ..plan
        };
        Ok((Action::PutPlan(plan.clone()), plan))
    })
    .await?;
    let view = PlanBody::from(&added);
    let location = format!("/api/v1/plans/{}", added.id);
    Ok(created(&location, &api.tagger.tag(&added), view))
}

/// Add a plan under a number, or change it. All terminals on it follow with the next epoch.
#[utoipa::path(put, path = "/api/v1/plans/{id}", tag = "plans", request_body = PlanBody,
    params(("id" = u32, Path), Why, ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, description = "As it now stands", body = PlanBody)))]
async fn put_plan(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<u32>,
    why: Why,
    conditions: Conditions,
    Body(body): Body<PlanBody>,
) -> Result<Response, Problem> {
    let plan = body.plan(PlanId(id))?;
    let find: Find<Plan> = |register, plan| register.plans().get(&plan.id);
    let how = (why, conditions);
    put::<_, PlanBody>(&api, &caller, how, plan, find, Action::PutPlan).await
}

/// What stands under a thing's number.
type Find<T> = for<'r> fn(&'r Register, &T) -> Option<&'r T>;

/// Puts a thing under its number if the request's conditions hold of what stands there.
async fn put<T, B>(
    api: &Api,
    caller: &Caller,
    (why, conditions): (Why, Conditions),
    thing: T,
    find: Find<T>,
    action: fn(T) -> Action,
) -> Result<Response, Problem>
where
    T: Clone + Serialize + Send + 'static,
    B: for<'t> From<&'t T> + Serialize,
{
    let tagger = api.tagger;
    let put = add(api, caller, why, move |register| {
        match find(register, &thing) {
            Some(before) => conditions.require(&tagger.tag(before))?,
            None => conditions.absent()?,
        }
        Ok((action(thing.clone()), thing))
    })
    .await?;
    Ok(changed(&tagger.tag(&put), B::from(&put)))
}

/// Does what `build` makes, and gives the thing that it has put.
async fn add<T: Send + 'static>(
    api: &Api,
    caller: &Caller,
    why: Why,
    build: impl FnOnce(&Register) -> Result<(Action, T), Problem> + Send + 'static,
) -> Result<T, Problem> {
    let put = Arc::new(std::sync::Mutex::new(None));
    let out = Arc::clone(&put);
    api.write(caller, why, move |register| {
        let (action, thing) = build(register)?;
        *super::lock(&out) = Some(thing);
        Ok(action)
    })
    .await?;
    let thing = super::lock(&put).take();
    thing.ok_or_else(|| Problem::new(Kind::Broken, "nothing was put"))
}

/// The number after the greatest.
pub(super) fn next(last: Option<u64>) -> Result<u64, Problem> {
    last.unwrap_or(0).checked_add(1).ok_or_else(no_number_left)
}

fn no_number_left() -> Problem {
    Problem::new(
        Kind::Conflict,
        "no number is left after the greatest: choose one yourself with PUT",
    )
}
