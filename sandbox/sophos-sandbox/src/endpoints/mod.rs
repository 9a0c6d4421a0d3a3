//! The endpoint API: devices and what can be done to them.

mod changes;
mod device;
mod filter;
mod fleet;
mod record;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};

pub(crate) use device::Device;
pub(crate) use filter::Sort;
pub(crate) use fleet::FleetState;

use crate::{
    account::Account,
    endpoints::{
        filter::{FILTERS, Filter, SORT_FIELDS, sort_text},
        record::FIELDS,
    },
    gateway::{Params, Regional, Shape, ok_json},
    json::Json,
    paging::{KeyPage, Listing},
    problem::Problem,
    projection::Projection,
    query::PAGING_BY_KEY,
    service::App,
};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/endpoint/v1/endpoints", get(list))
        .route("/endpoint/v1/endpoints/delete", post(changes::delete_many))
        .route(
            "/endpoint/v1/endpoints/isolation",
            post(changes::isolate_many),
        )
        .route(
            "/endpoint/v1/endpoints/{id}",
            get(one).delete(changes::delete),
        )
        .route(
            "/endpoint/v1/endpoints/{id}/isolation",
            get(changes::isolation).patch(changes::isolate),
        )
        .route(
            "/endpoint/v1/endpoints/{id}/tamper-protection",
            get(changes::tamper).post(changes::change_tamper),
        )
        .route("/endpoint/v1/endpoints/{id}/scans", post(changes::request))
        .route(
            "/endpoint/v1/endpoints/{id}/update-checks",
            post(changes::request),
        )
        .route(
            "/endpoint/v1/settings/tamper-protection",
            get(changes::global_tamper),
        )
}

/// `GET /endpoint/v1/endpoints`
async fn list(
    State(app): State<App>,
    Regional(account): Regional,
    shape: Shape,
    Params(query): Params,
) -> Result<Response, Problem> {
    query.only(&[PAGING_BY_KEY, &["sort", "fields", "view"], FILTERS])?;
    let clock = app.clock();
    let filter = Filter::parse(&query, clock)?;
    let sort = Sort::parse(&query, SORT_FIELDS)?;
    let projection = Projection::parse(&query, FIELDS, true)?;
    let page = KeyPage::parse(&query, MAX_SIZE, shape)?;
    let filtered = query.has_any(FILTERS);
    app.with_account(&account, |state| {
        let fleet = &mut state.fleet;
        let records;
        let listing = if filtered || sort.is_some() || fleet.has_deleted() {
            records = fleet.listing(&query.fingerprint(), |fleet| {
                let device = |index| Device::new(&account, clock, index);
                let mut records: Vec<u32> = (0..account.endpoints)
                    .filter(|index| !fleet.is_deleted(*index))
                    .filter(|index| !filtered || filter.matches(&device(*index), fleet))
                    .collect();
                if let Some(sort) = &sort {
                    sort.apply(&mut records, |index, field| {
                        sort_text(&device(index), field)
                    });
                }
                records
            });
            if sort.is_some() {
                Listing::Sorted(&records)
            } else {
                Listing::Ascending(&records)
            }
        } else {
            Listing::All(account.endpoints)
        };
        Ok(page.render(&listing, |index, json| {
            let device = Device::new(&account, clock, index);
            let isolation = fleet.read_isolation(&device);
            let tamper = fleet.tamper_enabled(&device);
            projection.write(json, |view, json| {
                record::write(&device, &isolation, tamper, view, json);
            });
        }))
    })
}

/// `GET /endpoint/v1/endpoints/{id}`
async fn one(
    State(app): State<App>,
    Regional(account): Regional,
    Path(id): Path<String>,
    Params(query): Params,
) -> Result<Response, Problem> {
    query.only(&[&["fields", "view"]])?;
    let projection = Projection::parse(&query, FIELDS, true)?;
    let device = find(&app, &account, &id)?;
    let mut json = Json::new();
    app.with_account(&account, |state| {
        let isolation = state.fleet.read_isolation(&device);
        let tamper = state.fleet.tamper_enabled(&device);
        projection.write(&mut json, |view, json| {
            record::write(&device, &isolation, tamper, view, json);
        });
    });
    Ok(ok_json(json.finish()))
}

/// Finds the device of an id in a path.
fn find<'a>(app: &App, account: &'a Account, id: &str) -> Result<Device<'a>, Problem> {
    let well_formed = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !well_formed {
        return Err(Problem::bad_request("The id is malformed"));
    }
    Device::find(account, app.clock(), id)
        .filter(|device| !app.with_account(account, |state| state.fleet.is_deleted(device.index)))
        .ok_or_else(|| Problem::not_found("Endpoint", id))
}

const MAX_SIZE: usize = 500;
