//! Alerts of the common API.

mod record;

use std::collections::BTreeSet;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    account::Account,
    alerts::record::{Alert, FIELDS, SORT_FIELDS, sort_text},
    clock::{format, zoned_or_utc},
    endpoints::Sort,
    gateway::{JsonBody, Params, Regional, Shape, ok_json},
    json::{Json, Null},
    paging::{KeyPage, Listing},
    problem::{Problem, json_response},
    projection::Projection,
    query::{PAGING_BY_KEY, Query},
    service::App,
};

/// The changes of one account's alerts.
#[derive(Debug, Default)]
pub(crate) struct AlertState {
    acknowledged: BTreeSet<u32>,
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/common/v1/alerts", get(list))
        .route("/common/v1/alerts/search", post(search))
        .route("/common/v1/alerts/{id}", get(one))
        .route("/common/v1/alerts/{id}/actions", post(act))
}

/// `GET /common/v1/alerts`
async fn list(
    State(app): State<App>,
    Regional(account): Regional,
    shape: Shape,
    Params(query): Params,
) -> Result<Response, Problem> {
    page(&app, &account, &query, shape)
}

/// `POST /common/v1/alerts/search`: the same names as JSON.
async fn search(
    State(app): State<App>,
    Regional(account): Regional,
    shape: Shape,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Response, Problem> {
    page(&app, &account, &as_query(body)?, shape)
}

/// Turns the body of a search into the query it stands for. Lists must be arrays, and numbers and booleans must not be texts.
fn as_query(body: Map<String, Value>) -> Result<Query, Problem> {
    let mut pairs = Vec::new();
    for (name, value) in body {
        let wants_list = LISTS.contains(&name.as_str());
        match value {
            Value::Array(items) if wants_list => {
                for item in items {
                    match item {
                        Value::String(text) if !text.is_empty() => pairs.push((name.clone(), text)),
                        _ => return Err(Problem::bad_value(&name)),
                    }
                }
            }
            Value::String(text) if TEXTS.contains(&name.as_str()) => pairs.push((name, text)),
            Value::Bool(flag) if name == "pageTotal" => pairs.push((name, flag.to_string())),
            Value::Number(number) if name == "pageSize" => pairs.push((name, number.to_string())),
            _ => return Err(Problem::bad_value(&name)),
        }
    }
    Ok(Query::from_pairs(pairs))
}

#[derive(Debug)]
struct Filter {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    product: Option<Vec<&'static str>>,
    category: Option<Vec<&'static str>>,
    severity: Option<Vec<&'static str>>,
    group_key: Option<String>,
    ids: Option<Vec<String>>,
}

impl Filter {
    fn parse(query: &Query) -> Result<Self, Problem> {
        let time = |name: &str| match query.one(name)? {
            None => Ok(None),
            Some(text) => match zoned_or_utc(text) {
                Some(instant) => Ok(Some(instant)),
                None => Err(Problem::bad_value(name)),
            },
        };
        Ok(Self {
            from: time("from")?,
            to: time("to")?,
            product: query.enums("product", PRODUCTS)?,
            category: query.enums("category", CATEGORIES)?,
            severity: query.enums("severity", &["low", "medium", "high"])?,
            group_key: query.one("groupKey")?.map(str::to_owned),
            ids: query.list("ids")?,
        })
    }

    fn matches(&self, alert: &Alert<'_>) -> bool {
        let one = |wanted: &Option<Vec<&'static str>>, value: Option<&str>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| value.is_some_and(|value| wanted.contains(&value)))
        };
        let raised = alert.raised_at();
        one(&self.product, alert.product())
            && one(&self.category, alert.category())
            && one(&self.severity, alert.severity())
            && self
                .from
                .is_none_or(|from| raised.is_some_and(|at| at >= from))
            && self.to.is_none_or(|to| raised.is_some_and(|at| at < to))
            && (self.group_key.is_none() || self.group_key == alert.group_key())
            && self.ids.as_ref().is_none_or(|ids| {
                let id = alert.id();
                ids.iter().any(|wanted| wanted.eq_ignore_ascii_case(&id))
            })
    }
}

fn page(app: &App, account: &Account, query: &Query, shape: Shape) -> Result<Response, Problem> {
    query.only(&[PAGING_BY_KEY, LISTS, TEXTS])?;
    let filter = Filter::parse(query)?;
    let sort = Sort::parse(query, SORT_FIELDS)?;
    let projection = Projection::parse(query, FIELDS, false)?;
    let page = KeyPage::parse(query, MAX_SIZE, shape)?;
    let alert = |index| Alert::new(account, app.clock(), index);
    let mut records: Vec<u32> = app.with_account(account, |state| {
        (0..account.alerts)
            .filter(|index| !state.alerts.acknowledged.contains(index))
            .collect()
    });
    records.retain(|index| filter.matches(&alert(*index)));
    if let Some(sort) = &sort {
        sort.apply(&mut records, |index, field| sort_text(&alert(index), field));
    }
    let listing = if sort.is_some() {
        Listing::Sorted(&records)
    } else {
        Listing::Ascending(&records)
    };
    Ok(page.render(&listing, |index, json| {
        projection.write(json, |_, json| alert(index).write(json));
    }))
}

/// `GET /common/v1/alerts/{id}`
async fn one(
    State(app): State<App>,
    Regional(account): Regional,
    Path(id): Path<String>,
    Params(query): Params,
) -> Result<Response, Problem> {
    query.only(&[])?;
    let alert = find(&app, &account, &id)?;
    let mut json = Json::new();
    alert.write(&mut json);
    Ok(ok_json(json.finish()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    action: String,
    /// Meant for the person of the device; the sandbox has nobody to show it to.
    #[serde(rename = "message")]
    _message: Option<String>,
}

/// `POST /common/v1/alerts/{id}/actions`
async fn act(
    State(app): State<App>,
    Regional(account): Regional,
    Path(id): Path<String>,
    JsonBody(wish): JsonBody<Act>,
) -> Result<Response, Problem> {
    let alert = find(&app, &account, &id)?;
    let action = ACTIONS
        .iter()
        .find(|known| **known == wish.action)
        .ok_or_else(|| Problem::bad_value("action"))?;
    if !alert.actions().contains(action) {
        return Err(Problem::bad_request(format!(
            "The alert does not allow {action}"
        )));
    }
    if *action == "acknowledge" {
        app.with_account(&account, |state| {
            state.alerts.acknowledged.insert(alert.index)
        });
    }
    let change = app.next_change();
    let mut json = Json::new();
    json.object(|json| {
        json.member("id", app.id_of_change(change));
        json.member("alertId", alert.id());
        json.member("action", *action);
        json.member("status", "requested");
        json.member("requestedAt", format(app.clock().at_change(change)));
        json.member("completedAt", Null);
        json.member("result", "");
    });
    Ok(json_response(StatusCode::CREATED, json.finish()))
}

fn find<'a>(app: &App, account: &'a Account, id: &str) -> Result<Alert<'a>, Problem> {
    Alert::find(account, app.clock(), id)
        .filter(|alert| {
            !app.with_account(account, |state| {
                state.alerts.acknowledged.contains(&alert.index)
            })
        })
        .ok_or_else(|| Problem::not_found("Alert", id))
}

const LISTS: &[&str] = &["product", "category", "severity", "ids", "fields", "sort"];
const TEXTS: &[&str] = &["from", "to", "groupKey", "pageFromKey"];

const PRODUCTS: &[&str] = &[
    "other",
    "endpoint",
    "server",
    "mobile",
    "encryption",
    "emailGateway",
    "webGateway",
    "phishThreat",
    "wireless",
    "iaas",
    "firewall",
];

const CATEGORIES: &[&str] = &[
    "azure",
    "adSync",
    "applicationControl",
    "appReputation",
    "blockListed",
    "connectivity",
    "cwg",
    "denc",
    "downloadReputation",
    "endpointFirewall",
    "fenc",
    "forensicSnapshot",
    "general",
    "iaas",
    "iaasAzure",
    "isolation",
    "malware",
    "mtr",
    "mobiles",
    "policy",
    "protection",
    "pua",
    "runtimeDetections",
    "security",
    "smc",
    "systemHealth",
    "uav",
    "uncategorized",
    "updating",
    "utm",
    "virt",
    "wireless",
    "xgEmail",
];

const ACTIONS: &[&str] = &[
    "acknowledge",
    "cleanPua",
    "cleanVirus",
    "authPua",
    "clearThreat",
    "clearHmpa",
    "sendMsgPua",
    "sendMsgThreat",
];

const MAX_SIZE: usize = 1000;
