//! What every request passes: the log, the faults, the bearer token, the scope headers.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body::{Frame, SizeHint};
use serde::de::DeserializeOwned;

use crate::{
    account::{Access, Account, Kind},
    clock::http_date_from_now,
    fault,
    problem::{Problem, json_response},
    query::Query,
    service::{App, Part},
};

/// The number of the request, for handlers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) u64);

/// Faults that change the form of a list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) short: bool,
    pub(crate) empty: bool,
    pub(crate) repeat_key: bool,
    pub(crate) bare: bool,
    pub(crate) without_pages: bool,
    pub(crate) wrong_type: bool,
    pub(crate) max: Option<usize>,
    pub(crate) reject_above: Option<usize>,
}

/// The outermost layer.
pub(crate) async fn pass(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let number = app
        .log()
        .add(request.method(), request.uri(), request.headers());
    let mut plan = Plan::default();
    {
        let path = request.uri().path();
        for fault in app.faults().iter_mut() {
            if plan.wants(&fault.kind) && fault.strikes(request.method(), path) {
                plan.add(&fault.kind);
            }
        }
    }
    if plan.expire_tokens {
        app.expire_tokens();
    }
    if !plan.latency.is_zero() {
        tokio::time::sleep(plan.latency).await;
    }
    let response = match plan.instead {
        Some(Instead::Stall) => std::future::pending().await,
        Some(Instead::Answer(answer)) => render(answer, &app, number),
        None => {
            request.extensions_mut().insert(Number(number));
            request.extensions_mut().insert(plan.shape);
            render(next.run(request).await, &app, number)
        }
    };
    let response = match plan.afterwards {
        None => response,
        Some(Afterwards::DropRequest) => return Response::new(Body::new(Cut::before(1))),
        Some(afterwards) => afterwards.apply(response, &app, number).await,
    };
    app.log().set_status(number, response.status().as_u16());
    response
}

/// Gives a refusal its body.
fn render(response: Response, app: &App, number: u64) -> Response {
    match response.extensions().get::<Problem>() {
        Some(problem) => problem.render(app, number),
        None => response,
    }
}

/// What the faults make of one request.
#[derive(Default)]
struct Plan {
    latency: Duration,
    expire_tokens: bool,
    instead: Option<Instead>,
    afterwards: Option<Afterwards>,
    shape: Shape,
}

enum Instead {
    Stall,
    Answer(Response),
}

#[derive(Clone, Copy)]
enum Afterwards {
    ServerError,
    DropBody,
    DropRequest,
    Malformed,
}

impl Plan {
    /// Returns whether there is room for the fault: of those that decide the answer only the first strikes, the others keep their turn.
    fn wants(&self, kind: &fault::Kind) -> bool {
        let decided = self.instead.is_some() || self.afterwards.is_some();
        !decided
            || matches!(
                kind,
                fault::Kind::Latency(_)
                    | fault::Kind::ExpireTokens
                    | fault::Kind::MaxPageSize(_)
                    | fault::Kind::RejectPageSize(_)
            )
    }

    fn add(&mut self, kind: &fault::Kind) {
        use fault::Kind as K;
        match kind {
            K::Latency(time) => self.latency += *time,
            K::ExpireTokens => self.expire_tokens = true,
            K::Stall => self.instead = Some(Instead::Stall),
            K::RateLimit(retry_after) => self.answer(rate_limited(retry_after.as_deref())),
            K::Status(status) => self.answer(Problem::server(*status).into_response()),
            K::Unauthorized => {
                self.answer(Problem::unauthorized("The token has expired").into_response());
            }
            K::Html503 => self.answer(html_503()),
            K::AppliedThen500 => self.afterwards = Some(Afterwards::ServerError),
            K::DropBody => self.afterwards = Some(Afterwards::DropBody),
            K::DropRequest => self.afterwards = Some(Afterwards::DropRequest),
            K::Malformed => self.afterwards = Some(Afterwards::Malformed),
            K::WrongType => self.shape.wrong_type = true,
            K::ShortPage => self.shape.short = true,
            K::EmptyPage => self.shape.empty = true,
            K::RepeatKey => self.shape.repeat_key = true,
            K::BareArray => self.shape.bare = true,
            K::MissingPages => self.shape.without_pages = true,
            K::MaxPageSize(items) => self.shape.max = Some(*items),
            K::RejectPageSize(items) => self.shape.reject_above = Some(*items),
        }
    }

    fn answer(&mut self, response: Response) {
        self.instead = Some(Instead::Answer(response));
    }
}

fn rate_limited(retry_after: Option<&str>) -> Response {
    let retry_after = retry_after.map(|text| match text.strip_prefix("date:") {
        Some(seconds) => http_date_from_now(seconds.parse().unwrap_or(1)),
        None => text.to_owned(),
    });
    Problem::too_many_requests(retry_after).into_response()
}

fn html_503() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [
            (header::CONTENT_TYPE, "text/html"),
            (header::HeaderName::from_static("x-correlation-id"), "gateway-503"),
        ],
        "<html><head><title>503 Service Temporarily Unavailable</title></head>\n<body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>\n",
    )
        .into_response()
}

impl Afterwards {
    async fn apply(self, response: Response, app: &App, number: u64) -> Response {
        if let Self::ServerError = self {
            return Problem::server(StatusCode::INTERNAL_SERVER_ERROR).render(app, number);
        }
        let (mut parts, body) = response.into_parts();
        // The body is in memory already, so reading it cannot fail.
        let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let half = bytes.slice(..bytes.len() / 2);
        parts.headers.remove(header::CONTENT_LENGTH);
        let body = match self {
            Self::Malformed => Body::from(half),
            _ => Body::new(Cut {
                half: Some(half),
                yielded: false,
                promised: bytes.len() as u64,
            }),
        };
        Response::from_parts(parts, body)
    }
}

/// A body that promises more than it gives, and then fails, which makes the server cut the connection.
struct Cut {
    half: Option<Bytes>,
    yielded: bool,
    promised: u64,
}

impl Cut {
    /// Fails before anything has been written, the head included.
    fn before(promised: u64) -> Self {
        Self {
            half: None,
            yielded: true,
            promised,
        }
    }
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.yielded {
            // The server writes out what it has while the body is not ready.
            self.yielded = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("cut by a fault"))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}

/// Whose token the request carries.
pub(crate) struct Caller(pub(crate) Kind);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let value = parts
            .headers
            .get(header::AUTHORIZATION)
            .ok_or_else(|| Problem::unauthorized("No bearer token"))?;
        value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(|token| app.token_kind(token))
            .map(Self)
            .ok_or_else(|| Problem::unauthorized("The token is not valid or has expired"))
    }
}

/// The tenant that a regional request is about.
pub(crate) struct Regional(pub(crate) Account);

impl FromRequestParts<App> for Regional {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Caller(kind) = Caller::from_request_parts(parts, app).await?;
        for name in [PARTNER_HEADER, ORGANIZATION_HEADER] {
            if parts.headers.contains_key(name) {
                return Err(Problem::bad_request(format!("{name} is not for this host")));
            }
        }
        let id = scope_header(&parts.headers, TENANT_HEADER)?;
        let account = app
            .directory()
            .find(kind, id)
            .ok_or_else(|| Problem::forbidden("The tenant is not one of yours"))?;
        match account.access {
            Access::Full => {}
            Access::Denied => return Err(Problem::forbidden_silently()),
            Access::Homeless => return Err(Problem::forbidden("The tenant is not activated")),
        }
        if matches!(app.part, Part::Region(region) if region != account.region) {
            return Err(Problem::forbidden("The tenant lives in another region"));
        }
        Ok(Self(account))
    }
}

/// Checks token and header of a call to the partner or the organization API.
pub(crate) fn check_scope(
    app: &App,
    caller: Kind,
    wanted: Kind,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    if caller != wanted {
        return Err(Problem::forbidden(format!(
            "Not for {} credentials",
            caller.name()
        )));
    }
    let name = if wanted == Kind::Partner {
        PARTNER_HEADER
    } else {
        ORGANIZATION_HEADER
    };
    if scope_header(headers, name)? == app.directory().identity(wanted) {
        Ok(())
    } else {
        Err(Problem::forbidden(format!("{name} is not yours")))
    }
}

fn scope_header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Problem> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| Problem::bad_request(format!("Header {name} is required")))
}

/// The query of the request.
pub(crate) struct Params(pub(crate) Query);

impl FromRequestParts<App> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        Query::parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// The faults that change lists.
impl FromRequestParts<App> for Shape {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_default())
    }
}

/// A JSON body. Members that are not known are refused by the types themselves.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let is_json = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value
                    .split(';')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .eq_ignore_ascii_case(JSON)
            });
        if !is_json {
            return Err(Problem::bad_request(
                "Content-Type must be application/json",
            ));
        }
        let bytes = to_bytes(body, MAX_BODY)
            .await
            .map_err(|_| Problem::bad_request("The body cannot be read"))?;
        if let Some(Number(number)) = parts.extensions.get() {
            app.log()
                .set_body(*number, String::from_utf8_lossy(&bytes).into_owned());
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::bad_request(format!("The body is not valid: {error}")))
    }
}

/// Answers what no route answers.
pub(crate) async fn no_route() -> Problem {
    Problem::no_route()
}

/// Returns a list in the form of the service.
pub(crate) fn ok_json(body: Vec<u8>) -> Response {
    json_response(StatusCode::OK, body)
}

const TENANT_HEADER: &str = "X-Tenant-ID";
const PARTNER_HEADER: &str = "X-Partner-ID";
const ORGANIZATION_HEADER: &str = "X-Organization-ID";
const JSON: &str = "application/json";
const MAX_BODY: usize = 1 << 20;
