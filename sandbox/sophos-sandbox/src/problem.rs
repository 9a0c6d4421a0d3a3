//! Refusals, in the form of the service.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use crate::{clock::format, json::Json, random::Seed, service::App};

/// A refusal. The gateway gives it its ids, so it travels as an extension of an empty response.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    error: &'static str,
    message: Option<String>,
    code: Option<&'static str>,
    retry_after: Option<String>,
}

impl Problem {
    /// 400: something about the request is wrong.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "badRequest", message).code("BAD_PARAM")
    }

    /// 400 for the value of a parameter.
    pub(crate) fn bad_value(parameter: &str) -> Self {
        Self::bad_request(format!("Invalid value for parameter {parameter}"))
    }

    /// 401: no bearer token, or not a valid one.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    /// 403 with a message.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 403 that says as little as the service often does.
    pub(crate) fn forbidden_silently() -> Self {
        let mut problem = Self::forbidden("");
        problem.message = None;
        problem
    }

    /// 404 for a thing.
    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "notFound",
            format!("{what} {id} does not exist"),
        )
    }

    /// 404 for a route.
    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "No such resource")
    }

    /// 409: the thing is busy or taken.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "resourceConflict", message)
    }

    /// 429, with the `Retry-After` as it is to be sent.
    pub(crate) fn too_many_requests(retry_after: Option<String>) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "tooManyRequests",
            "Rate limit exceeded",
        );
        problem.retry_after = retry_after;
        problem
    }

    /// A failure of the service.
    pub(crate) fn server(status: StatusCode) -> Self {
        Self::new(status, "internalServerError", "Something went wrong")
    }

    fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            error,
            message: Some(message.into()),
            code: None,
            retry_after: None,
        }
    }

    fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Renders it for the n-th request.
    pub(crate) fn render(&self, app: &App, number: u64) -> Response {
        let ids = Seed::new(app.seed()).child("problem", number);
        let mut json = Json::new();
        json.object(|json| {
            json.member("error", self.error);
            json.optional("message", self.message.as_ref());
            json.member("correlationId", ids.uuid(0));
            json.optional("code", self.code);
            json.member("createdAt", format(app.clock().now()));
            json.member("requestId", ids.uuid(1));
            json.member("docUrl", "https://developer.sophos.com/");
        });
        let mut response = json_response(self.status, json.finish());
        if let Some(Ok(value)) = self.retry_after.as_deref().map(HeaderValue::try_from) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

/// Returns a response with a JSON body.
pub(crate) fn json_response(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
