//! The control routes of the sandbox, for tests that drive it from another process. The service has nothing like them.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use serde::Deserialize;

use crate::{fault::Fault, gateway::ok_json, json::Json, problem::json_response, service::App};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(
            "/_sandbox/faults",
            get(faults).post(set_faults).delete(clear_faults),
        )
        .route("/_sandbox/requests", get(requests).delete(clear_requests))
}

/// `GET /_sandbox/faults`: the faults, with what is left of them.
async fn faults(State(app): State<App>) -> Response {
    let mut json = Json::new();
    json.object(|json| {
        json.member_array("faults", |json| {
            for fault in app.faults().iter() {
                json.item(fault.to_string());
            }
        });
    });
    ok_json(json.finish())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFaults {
    faults: Vec<String>,
}

/// `POST /_sandbox/faults` with `{"faults": ["rate-limit*2", …]}`: replaces all faults.
async fn set_faults(State(app): State<App>, body: Bytes) -> Response {
    let parsed = serde_json::from_slice::<SetFaults>(&body)
        .map_err(|error| error.to_string())
        .and_then(|wish| {
            wish.faults
                .iter()
                .map(|text| text.parse::<Fault>().map_err(|error| error.to_string()))
                .collect::<Result<Vec<_>, _>>()
        });
    match parsed {
        Ok(list) => {
            *app.faults() = list;
            faults(State(app)).await
        }
        Err(message) => {
            let mut json = Json::new();
            json.object(|json| json.member("message", message));
            json_response(StatusCode::BAD_REQUEST, json.finish())
        }
    }
}

/// `DELETE /_sandbox/faults`: no more faults.
async fn clear_faults(State(app): State<App>) -> Response {
    app.faults().clear();
    StatusCode::NO_CONTENT.into_response()
}

/// `GET /_sandbox/requests`: the log, oldest first.
async fn requests(State(app): State<App>) -> Response {
    let items = serde_json::to_vec(&app.log().entries()).unwrap_or_default();
    let mut json = Json::with_capacity(items.len() + 16);
    json.object(|json| json.member_raw("requests", &items));
    ok_json(json.finish())
}

/// `DELETE /_sandbox/requests`: forgets the log. Numbers go on.
async fn clear_requests(State(app): State<App>) -> Response {
    app.log().clear();
    StatusCode::NO_CONTENT.into_response()
}
