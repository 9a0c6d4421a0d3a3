//! HTTP client with an async and a blocking face from one source.
//!
//! A [`Session`] holds settings and a pool of connections; it makes [`RequestBuilder`]s; sending one gives a [`Response`].
//!
//! ```no_run
//! # async fn example() -> Result<(), reqivo::Error> {
//! let session = reqivo::Session::new();
//! let mut response = session
//!     .get("https://example.com/devices")
//!     .query([("page", "1")])
//!     .send()
//!     .await?;
//! println!("{} {}", response.status(), response.text().await?);
//! # Ok(())
//! # }
//! ```
//!
#![cfg_attr(
    feature = "blocking",
    doc = "The [`blocking`] module has the same types and methods for code that is not async:"
)]
#![cfg_attr(
    feature = "blocking",
    doc = "
```no_run
let session = reqivo::blocking::Session::new();
let mut response = session.get(\"https://example.com/devices\").send()?;
println!(\"{} {}\", response.status(), response.text()?);
# Ok::<(), reqivo::Error>(())
```"
)]
//!
//! For a single request there are [`get`], [`post`] and the like; for one service the facade [`Reqivo`]; for those who want to
//! hold sockets themselves [`Connection`] and [`ConnectionPool`].
//!
//! # What it does
//!
//! * **HTTP/1.1 by its own protocol core** ([`proto`]), strict where leniency would hide a boundary, with a limit on everything
//!   a server could send too much of ([`Limits`]). The request that uses a connection reads and writes it: no task
//!   per connection, no hand-over, and no difference between a spawned task and the root of a runtime.
//! * **A pool** with a hard limit per origin ([`PoolConfig`]). Requests wait in the order of their arrival, for at most the
//!   pool limit of [`Timeouts`]. A slot is freed exactly once on every path, a cancelled request included. Connections stay with
//!   the runtime they were opened on.
//! * **Repeats only what is safe**: a kept connection that the server closed in between is replaced silently when the
//!   request is idempotent or never left. Otherwise the error says
//!   [whether the server may have acted](Error::may_have_been_processed).
//! * **Time limits per phase** ([`Timeouts`]); the error names the limit and the phase. The default is 5 s in total.
//! * **Truncation is an error**, for every framing and for compressed bodies.
//! * **Content codings** gzip, deflate, br and zstd, in any combination, decoded in bounded steps with caps on what they may
//!   inflate to ([`content`]). Bodies are read whole, in pieces, by lines, as a reader, or [saved](Response::save) in a file.
//! * **TLS** ([`TlsConfig`]) with roots, client certificates, pins and revocation lists of one's own; [`TlsProblem`] tells failures apart.
//! * **Connecting** ([`ConnectConfig`], [`Resolve`]): resolvers of one's own, addresses in turns (RFC 8305), Unix-domain sockets.
//! * **Proxies** ([`Proxy`]): HTTP, HTTPS and SOCKS, by scheme, host or callback, and those of the environment.
//! * **Redirects** by [`RedirectPolicy`], which drops secrets when the origin changes.
//! * **Cookies** by RFC 6265bis, with public suffixes, limits and files ([`CookieJar`]); credentials of a session that stay with their
//!   origins ([`AuthScheme`]); hooks before and after calls ([`SessionBuilder::pre_request_hook`]).
//!
//! * **Tests and metrics**: [mocks](mock) and recorded exchanges instead of a network, [middleware] around every exchange,
//!   [events] and [counters](Session::stats), [`tracing`] spans; none of them shows secrets.
//!
//! # By example
//!
//! A body in pieces, in both directions:
//!
//! ```no_run
//! # async fn example(session: reqivo::Session) -> Result<(), reqivo::Error> {
//! let mut response = session.get("https://example.com/large").send().await?;
//! while let Some(piece) = response.chunk().await? {
//!     println!("{} bytes", piece.len());
//! }
//! let body = reqivo::Body::file("disk.img");
//! session.put("https://example.com/large").body(body).send().await?;
//! # Ok(())
//! # }
//! ```
//!
#![cfg_attr(
    feature = "multipart",
    doc = "A form with a file:

```no_run
# async fn example(session: reqivo::Session) -> Result<(), reqivo::Error> {
use reqivo::multipart::Form;

let form = Form::new().text(\"name\", \"lamp\").file(\"photo\", \"lamp.jpg\");
session.post(\"https://example.com/devices\").multipart(form).send().await?;
# Ok(())
# }
```
"
)]
//!
#![cfg_attr(
    feature = "cookies",
    doc = "Cookies, which a session keeps by itself:

```no_run
# async fn example(session: reqivo::Session) -> Result<(), reqivo::Error> {
session.post(\"https://example.com/login\").basic_auth(\"user\", \"password\").send().await?;
session.get(\"https://example.com/home\").send().await?;
for cookie in session.cookies().into_iter().flat_map(|jar| jar.iter()) {
    println!(\"{} of {}\", cookie.name(), cookie.domain());
}
# Ok(())
# }
```
"
)]
//!
//! A proxy of one's own instead of that of the environment:
//!
//! ```
//! use reqivo::{Proxy, Session};
//!
//! let session = Session::builder()
//!     .proxy(Proxy::all("socks5h://user:password@proxy.example:1080")?)
//!     .build()?;
//! # Ok::<(), reqivo::Error>(())
//! ```
//!
//! A test without a server:
//!
//! ```
//! use reqivo::Session;
//! use reqivo::mock::{MockTransport, Reply};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), reqivo::Error> {
//! let mock = MockTransport::new();
//! mock.get("/devices").reply(Reply::ok("[]"));
//! let session = Session::builder().transport(mock).build()?;
//! let mut response = session.get("https://example.com/devices").send().await?;
//! assert_eq!(response.text().await?, "[]");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | what it adds | default |
//! |---|---|---|
//! | `blocking` | the blocking face | yes |
//! | `tls` | https with rustls and the certificates of the operating system | yes |
//! | `webpki-roots` | the certificates that Mozilla trusts, for [`TlsConfig`] | no |
//! | `cookies` | a jar of cookies in every session, with a list of public suffixes | yes |
//! | `gzip`, `deflate`, `brotli`, `zstd` | content codings of these names ([`content`]) | yes |
//! | `json` | JSON bodies | yes |
//! | `multipart` | bodies of several parts, with the content types of files | yes |
//! | `urlencoded` | queries and forms from values that serde can write | yes |
//! | `charset` | text in encodings other than UTF-8 and ISO-8859-1 | yes |
//!
//! # What it promises
//!
//! The [`rules`] that it keeps, each with an id by which its tests are found.
//!
//! # Not there yet
//!
//! HTTP/2, WebSocket, server-sent events, and Digest credentials (an [`AuthScheme`] of one's own can answer challenges). Nor are there a cache (RFC 9111),
//! HSTS, netrc, HTTP/3, or compression of request bodies.

mod auth;
mod changeable;
mod connection;
mod connection_pool;
pub mod content;
mod cookie_store;
#[cfg(feature = "cookies")]
mod cookies;
mod error;
pub mod events;
mod facade;
mod headers;
mod history;
mod hooks;
mod incoming;
#[cfg(feature = "json")]
mod json;
pub mod middleware;
pub mod mock;
#[cfg(feature = "multipart")]
pub mod multipart;
mod net;
mod one_shot;
mod outgoing;
mod pool;
pub mod proto;
mod proxy;
mod redirect;
mod request;
mod request_body;
mod response;
mod send;
mod session;
mod stats;
mod timeouts;
mod url_text;

#[cfg(feature = "blocking")]
pub mod blocking;

#[cfg(doc)]
#[doc = include_str!("../docs/rules.md")]
pub mod rules {}

pub use net::dial::{ConnectConfig, KeepAlive};
pub use net::resolve::{CachingResolver, Resolve, Resolving, SystemResolver};
#[cfg(feature = "tls")]
pub use net::tls::{Pin, TlsConfig, TlsInfo, TlsVersion};

/// The TLS library, for [`TlsConfig::from_rustls`].
#[cfg(feature = "tls")]
pub use rustls;

pub use auth::{AuthRequest, AuthScheme, basic_auth_header, bearer_auth_header};
pub use connection::Connection;
pub use connection_pool::ConnectionPool;
pub use cookie_store::CookieStore;
#[cfg(feature = "cookies")]
pub use cookies::{Cookie, CookieFile, CookieJar, PublicSuffixes, SameSite};
pub use error::{Error, ErrorKind, Phase, RedirectProblem, TimeLimit, TlsProblem};
pub use facade::{Reqivo, ReqivoBuilder};
pub use headers::Headers;
pub use history::Hop;
pub use hooks::RequestHead;
pub use http::{Method, StatusCode, Version};
pub use one_shot::{delete, get, head, options, patch, post, put, request};
pub use pool::{PoolConfig, PoolStats};
pub use proto::{Limits, Tolerance};
pub use proxy::{NoProxy, Proxy};
pub use redirect::{RedirectAction, RedirectAttempt, RedirectPolicy};
pub use request::RequestBuilder;
pub use request_body::{Body, IntoPiece};
pub use response::{Response, ResponseBody, SaveOptions};
pub use session::{Session, SessionBuilder};
pub use stats::{ErrorCounts, SessionStats};
pub use timeouts::Timeouts;
pub use url::Url;
pub use url_text::IntoUrl;
