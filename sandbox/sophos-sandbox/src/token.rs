//! The token service and whoami.

use axum::{Extension, body::Bytes, extract::State, response::Response};
use http::{HeaderMap, StatusCode, header};

use crate::{
    account::Kind,
    gateway::{Caller, Number, ok_json},
    json::Json,
    problem::json_response,
    random::Seed,
    service::App,
};

/// `POST /api/v2/oauth2/token`
pub(crate) async fn issue(
    State(app): State<App>,
    Extension(number): Extension<Number>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match check(&app, &headers, &body) {
        Ok(kind) => {
            let token = app.issue_token(kind);
            let mut json = Json::new();
            json.object(|json| {
                json.member("access_token", &token);
                json.member("token_type", "bearer");
                json.member("expires_in", app.settings().token_lifetime.as_secs());
                json.member("refresh_token", "not-supported");
                json.member("errorCode", "success");
                json.member("message", "OK");
                json.member("trackingId", tracking_id(&app, number));
            });
            ok_json(json.finish())
        }
        Err((status, code, message)) => {
            let mut json = Json::new();
            json.object(|json| {
                json.member("errorCode", code);
                json.member("message", message);
                json.member("trackingId", tracking_id(&app, number));
            });
            json_response(status, json.finish())
        }
    }
}

type Refusal = (StatusCode, &'static str, &'static str);

fn check(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<Kind, Refusal> {
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return Err((BAD, "oauth.invalid_request", "The body must be a form"));
    }
    if headers.contains_key(header::AUTHORIZATION) {
        return Err((
            BAD,
            "oauth.invalid_request",
            "Authorization is not for this route",
        ));
    }
    let form: Vec<(String, String)> = serde_urlencoded::from_bytes(body)
        .map_err(|_| (BAD, "oauth.invalid_request", "The form cannot be decoded"))?;
    let field = |name: &str| {
        let mut values = form.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.as_str());
        first.filter(|_| values.next().is_none())
    };
    if field("grant_type") != Some("client_credentials") {
        return Err((BAD, "oauth.unsupported_grant_type", "Bad Request"));
    }
    if field("scope") != Some("token") {
        return Err((BAD, "oauth.invalid_scope", "Bad Request"));
    }
    let (Some(id), Some(secret)) = (field("client_id"), field("client_secret")) else {
        return Err((BAD, "oauth.missing_credentials", "Bad Request"));
    };
    let kind = Kind::of_client(id).ok_or((
        StatusCode::UNAUTHORIZED,
        "oauth.client_app_does_not_exist",
        "Unauthorized",
    ))?;
    if secret == app.settings().secret {
        Ok(kind)
    } else {
        Err((
            StatusCode::UNAUTHORIZED,
            "oauth.invalid_client_secret",
            "Unauthorized",
        ))
    }
}

fn tracking_id(app: &App, number: Number) -> String {
    Seed::new(app.seed()).child("tracking", number.0).uuid(0)
}

/// `GET /whoami/v1`
pub(crate) async fn whoami(State(app): State<App>, Caller(kind): Caller) -> Response {
    let hosts = app.hosts();
    let mut json = Json::new();
    json.object(|json| {
        json.member("id", app.directory().identity(kind));
        json.member("idType", kind.name());
        json.member_object("apiHosts", |json| match kind {
            Kind::Tenant => {
                json.member("global", &hosts.global);
                json.optional("dataRegion", hosts.regions.first());
            }
            // Some hosts come with a slash at the end.
            Kind::Partner => json.member("global", format!("{}/", hosts.global)),
            Kind::Organization => json.member("global", &hosts.global),
        });
    });
    ok_json(json.finish())
}
