//! Changes to devices: isolation, tamper protection, scans, update checks, deletion.

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use serde::Deserialize;

use crate::{
    account::Account,
    clock::format,
    endpoints::{device::Device, find, fleet::FleetState},
    gateway::{JsonBody, Regional, ok_json},
    json::Json,
    problem::{Problem, json_response},
    random::Seed,
    service::App,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Isolate {
    enabled: bool,
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IsolateMany {
    enabled: bool,
    comment: Option<String>,
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ChangeTamper {
    enabled: Option<bool>,
    regenerate_password: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct DeleteMany {
    endpoint_ids: Vec<String>,
}

/// A body that carries nothing but must be there: `{}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// `GET /endpoints/{id}/isolation`
pub(crate) async fn isolation(
    State(app): State<App>,
    Regional(account): Regional,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let device = find(&app, &account, &id)?;
    let mut json = Json::new();
    app.with_account(&account, |state| {
        state.fleet.read_isolation(&device);
        write_isolation(&app, &device, &state.fleet, &mut json);
    });
    Ok(ok_json(json.finish()))
}

/// `PATCH /endpoints/{id}/isolation`
pub(crate) async fn isolate(
    State(app): State<App>,
    Regional(account): Regional,
    Path(id): Path<String>,
    JsonBody(wish): JsonBody<Isolate>,
) -> Result<Response, Problem> {
    check_comment(wish.comment.as_deref())?;
    let device = find(&app, &account, &id)?;
    let at = app.clock().at_change(app.next_change());
    let reads = app.settings().isolation_reads;
    let mut json = Json::new();
    app.with_account(&account, |state| {
        check_settled(&state.fleet, &device)?;
        state
            .fleet
            .isolate(&device, wish.enabled, wish.comment, at, reads);
        write_isolation(&app, &device, &state.fleet, &mut json);
        Ok(())
    })?;
    Ok(ok_json(json.finish()))
}

/// `POST /endpoints/isolation`: all of them, or none.
pub(crate) async fn isolate_many(
    State(app): State<App>,
    Regional(account): Regional,
    JsonBody(wish): JsonBody<IsolateMany>,
) -> Result<Response, Problem> {
    check_comment(wish.comment.as_deref())?;
    if wish.ids.is_empty() || wish.ids.len() > MAX_BULK {
        return Err(Problem::bad_value("ids"));
    }
    let devices = wish
        .ids
        .iter()
        .map(|id| find(&app, &account, id))
        .collect::<Result<Vec<_>, Problem>>()?;
    let at = app.clock().at_change(app.next_change());
    let reads = app.settings().isolation_reads;
    app.with_account(&account, |state| {
        for device in &devices {
            check_settled(&state.fleet, device)?;
        }
        for device in &devices {
            // An id that is given twice is one device.
            if !state.fleet.is_isolation_pending(device) {
                state
                    .fleet
                    .isolate(device, wish.enabled, wish.comment.clone(), at, reads);
            }
        }
        Ok(())
    })?;
    let mut json = Json::new();
    json.object(|json| {
        json.member_array("items", |json| {
            for device in &devices {
                json.object(|json| {
                    json.member("id", device.id());
                    json.member_object("isolation", |json| {
                        json.member("enabled", wish.enabled);
                        json.optional("comment", wish.comment.as_ref());
                    });
                });
            }
        });
    });
    Ok(json_response(StatusCode::ACCEPTED, json.finish()))
}

fn check_comment(comment: Option<&str>) -> Result<(), Problem> {
    match comment {
        Some(comment) if comment.chars().count() > MAX_COMMENT => {
            Err(Problem::bad_value("comment"))
        }
        _ => Ok(()),
    }
}

fn check_settled(fleet: &FleetState, device: &Device<'_>) -> Result<(), Problem> {
    if fleet.is_isolation_pending(device) {
        return Err(Problem::conflict(
            "An isolation change is already in progress",
        ));
    }
    Ok(())
}

fn write_isolation(app: &App, device: &Device<'_>, fleet: &FleetState, json: &mut Json) {
    let change = fleet.change(device);
    let enabled = change.map_or_else(|| device.admin_isolated(), |change| change.enabled);
    json.object(|json| {
        json.member("enabled", enabled);
        match change {
            Some(change) => {
                if let Some(at) = change.enabled_at {
                    json.member("lastEnabledAt", format(at));
                    write_principal(app, device.account, "lastEnabledBy", json);
                }
                if let Some(at) = change.disabled_at {
                    json.member("lastDisabledAt", format(at));
                    write_principal(app, device.account, "lastDisabledBy", json);
                }
                json.optional("comment", change.comment.as_ref());
            }
            // Isolated long ago, when times still looked like this.
            None if enabled => json.member("lastEnabledAt", "2021-08-13 09.07.03 GMT"),
            None => {}
        }
    });
}

fn write_principal(app: &App, account: &Account, name: &str, json: &mut Json) {
    let kind = account.key.kind;
    json.member_object(name, |json| {
        json.member(
            "id",
            Seed::new(app.seed()).child("service-principal", 0).uuid(0),
        );
        json.member("type", "service");
        json.member("name", "sandbox");
        json.member("accountType", kind.name());
        json.member("accountId", app.directory().identity(kind));
    });
}

/// `GET /endpoints/{id}/tamper-protection`
pub(crate) async fn tamper(
    State(app): State<App>,
    Regional(account): Regional,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let device = find(&app, &account, &id)?;
    let body = app.with_account(&account, |state| tamper_body(&device, &state.fleet));
    Ok(ok_json(body))
}

/// `POST /endpoints/{id}/tamper-protection`
pub(crate) async fn change_tamper(
    State(app): State<App>,
    Regional(account): Regional,
    Path(id): Path<String>,
    JsonBody(wish): JsonBody<ChangeTamper>,
) -> Result<Response, Problem> {
    let device = find(&app, &account, &id)?;
    if wish.enabled.is_none() && wish.regenerate_password.is_none() {
        return Err(Problem::bad_request("Nothing is asked for"));
    }
    if device.tamper_supported() != Some(true) {
        return Err(Problem::bad_request(
            "The device does not support tamper protection",
        ));
    }
    if wish.enabled == Some(true) && !app.settings().global_tamper {
        return Err(Problem::forbidden(
            "Tamper protection is off for the account",
        ));
    }
    let at = app.clock().at_change(app.next_change());
    let body = app.with_account(&account, |state| {
        let regenerate = wish.regenerate_password == Some(true);
        state
            .fleet
            .change_tamper(&device, wish.enabled, regenerate, at);
        tamper_body(&device, &state.fleet)
    });
    Ok(json_response(StatusCode::CREATED, body))
}

fn tamper_body(device: &Device<'_>, fleet: &FleetState) -> Vec<u8> {
    let tamper = fleet.tamper(device);
    let mut json = Json::new();
    json.object(|json| {
        json.member("enabled", tamper.enabled);
        if device.tamper_supported() != Some(true) {
            return;
        }
        json.member("password", device.password(tamper.round));
        json.member_array("previousPasswords", |json| {
            // The newest of the old ones first.
            for (round, at) in (0..tamper.round).zip(&tamper.invalidated).rev() {
                json.object(|json| {
                    json.member("password", device.password(round));
                    json.member("invalidatedAt", format(*at));
                });
            }
        });
    });
    json.finish()
}

/// `GET /settings/tamper-protection`
pub(crate) async fn global_tamper(State(app): State<App>, _: Regional) -> Response {
    let mut json = Json::new();
    json.object(|json| json.member("enabled", app.settings().global_tamper));
    ok_json(json.finish())
}

/// `POST /endpoints/{id}/scans` and `…/update-checks`
pub(crate) async fn request(
    State(app): State<App>,
    Regional(account): Regional,
    Path(id): Path<String>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, Problem> {
    find(&app, &account, &id)?;
    let change = app.next_change();
    let mut json = Json::new();
    json.object(|json| {
        json.member("id", app.id_of_change(change));
        json.member("status", "requested");
        json.member("requestedAt", format(app.clock().at_change(change)));
    });
    Ok(json_response(StatusCode::CREATED, json.finish()))
}

/// `POST /endpoints/delete`: those that do not exist are left out of the answer.
pub(crate) async fn delete_many(
    State(app): State<App>,
    Regional(account): Regional,
    JsonBody(wish): JsonBody<DeleteMany>,
) -> Result<Response, Problem> {
    if wish.endpoint_ids.is_empty() {
        return Err(Problem::bad_value("endpointIds"));
    }
    let deleted: Vec<&String> = wish
        .endpoint_ids
        .iter()
        .filter(|id| remove(&app, &account, id))
        .collect();
    let mut json = Json::new();
    json.object(|json| {
        json.member_array("endpointIds", |json| {
            for id in &deleted {
                json.item(*id);
            }
        });
    });
    Ok(ok_json(json.finish()))
}

/// `DELETE /endpoints/{id}`: says that it deleted also what did not exist, as the service does.
pub(crate) async fn delete(
    State(app): State<App>,
    Regional(account): Regional,
    Path(id): Path<String>,
) -> Response {
    remove(&app, &account, &id);
    let mut json = Json::new();
    json.object(|json| json.member("deleted", true));
    ok_json(json.finish())
}

fn remove(app: &App, account: &Account, id: &str) -> bool {
    Device::find(account, app.clock(), id)
        .is_some_and(|device| app.with_account(account, |state| state.fleet.delete(device.index)))
}

const MAX_BULK: usize = 50;
const MAX_COMMENT: usize = 400;
