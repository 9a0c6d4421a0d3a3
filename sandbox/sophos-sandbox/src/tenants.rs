//! The tenants of a partner or an organization.

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use http::HeaderMap;

use crate::{
    account::{Access, Account, Kind},
    gateway::{Caller, Params, Shape, check_scope, ok_json},
    json::{Json, Null},
    paging::OffsetPage,
    problem::Problem,
    projection::Projection,
    query::Query,
    service::App,
};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/partner/v1/tenants", get(partner_list))
        .route("/partner/v1/tenants/{id}", get(partner_get))
        .route("/organization/v1/tenants", get(organization_list))
        .route("/organization/v1/tenants/{id}", get(organization_get))
}

async fn partner_list(
    State(app): State<App>,
    Caller(caller): Caller,
    headers: HeaderMap,
    shape: Shape,
    Params(query): Params,
) -> Result<Response, Problem> {
    check_scope(&app, caller, Kind::Partner, &headers)?;
    list(&app, Kind::Partner, &query, shape)
}

async fn organization_list(
    State(app): State<App>,
    Caller(caller): Caller,
    headers: HeaderMap,
    shape: Shape,
    Params(query): Params,
) -> Result<Response, Problem> {
    check_scope(&app, caller, Kind::Organization, &headers)?;
    list(&app, Kind::Organization, &query, shape)
}

async fn partner_get(
    State(app): State<App>,
    Caller(caller): Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
    Params(query): Params,
) -> Result<Response, Problem> {
    check_scope(&app, caller, Kind::Partner, &headers)?;
    one(&app, Kind::Partner, &id, &query)
}

async fn organization_get(
    State(app): State<App>,
    Caller(caller): Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
    Params(query): Params,
) -> Result<Response, Problem> {
    check_scope(&app, caller, Kind::Organization, &headers)?;
    one(&app, Kind::Organization, &id, &query)
}

fn list(app: &App, kind: Kind, query: &Query, shape: Shape) -> Result<Response, Problem> {
    query.only(&[&["fields", "page", "pageSize", "pageTotal"]])?;
    let projection = Projection::parse(query, FIELDS, false)?;
    let page = OffsetPage::parse(query, MAX_SIZE, shape)?;
    let directory = app.directory();
    Ok(page.render(directory.tenants as usize, |place, json| {
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        let tenant = directory.tenant(kind, number);
        projection.write(json, |_, json| write(app, kind, &tenant, json));
    }))
}

fn one(app: &App, kind: Kind, id: &str, query: &Query) -> Result<Response, Problem> {
    query.only(&[&["fields"]])?;
    let projection = Projection::parse(query, FIELDS, false)?;
    let tenant = app
        .directory()
        .find_tenant(kind, id)
        .ok_or_else(|| Problem::not_found("Tenant", id))?;
    let mut json = Json::new();
    projection.write(&mut json, |_, json| write(app, kind, &tenant, json));
    Ok(ok_json(json.finish()))
}

fn write(app: &App, kind: Kind, tenant: &Account, json: &mut Json) {
    let number = tenant.key.number;
    let (geography, region) = REGIONS[tenant.region % REGIONS.len()];
    json.object(|json| {
        json.member("id", &tenant.id);
        // The display name may say more than the name, in any script.
        let shown = tenant.name.replacen("Mueller", "Müller", 1);
        json.member("showAs", shown);
        json.member("name", &tenant.name);
        json.member("dataGeography", geography);
        json.member("dataRegion", region);
        json.member(
            "billingType",
            ["usage", "term", "trial"][number as usize % 3],
        );
        json.member_object(kind.name(), |json| {
            json.member("id", app.directory().identity(kind));
        });
        match tenant.access {
            Access::Homeless if kind == Kind::Partner => json.member("apiHost", Null),
            Access::Homeless => {}
            _ => {
                let host = &app.hosts().regions[tenant.region % app.hosts().regions.len()];
                let slash = if number % 7 == 2 { "/" } else { "" };
                json.member("apiHost", format!("{host}{slash}"));
            }
        }
        if tenant.access != Access::Homeless {
            json.member("status", "active");
        }
        if tenant.odd_records && number % 11 == 4 {
            json.member("externalIds", Null);
            json.member_object("futureMember", |json| json.member("level", 3_u32));
        }
        if number.is_multiple_of(2) {
            json.member_array("products", |json| {
                json.object(|json| json.member("code", "interceptX"));
                json.object(|json| json.member("code", "xdr"));
            });
        }
    });
}

/// Geography and region of the regional hosts, by their number.
pub(crate) const REGIONS: &[(&str, &str)] = &[("DE", "eu02"), ("US", "us03")];

const FIELDS: &[&str] = &[
    "id",
    "showAs",
    "name",
    "dataGeography",
    "dataRegion",
    "billingType",
    "partner",
    "organization",
    "apiHost",
    "status",
    "contact",
    "externalIds",
    "products",
];
const MAX_SIZE: usize = 100;
