//! A local server that behaves like Sophos Central, for tests, demonstrations and trying things out.
//!
//! It is written from the published behaviour of the service alone and shares no code with the client crates of this workspace: a mistake made once does
//! not confirm itself. It listens on the loopback address only, keeps everything in memory, and talks to nobody.
//!
//! ```
//! let sandbox = sophos_sandbox::Sandbox::builder().endpoints(1000).start()?;
//! println!("token service: {}", sandbox.token_url());
//! println!("global host:   {}", sandbox.url());
//! // … point a client at it, with client id `tenant` and secret `sandbox` …
//! assert!(sandbox.requests().is_empty());
//! # Ok::<(), sophos_sandbox::Error>(())
//! ```
//!
//! # Credentials
//!
//! | client id | secret | what it is |
//! |---|---|---|
//! | `tenant` | `sandbox` | one tenant with a fleet of 300 devices and 140 alerts |
//! | `partner` | `sandbox` | a partner with 120 tenants, 8 devices each |
//! | `organization` | `sandbox` | an organization with 120 tenants, 8 devices each |
//!
//! # What it knows
//!
//! * the token service, `/whoami/v1`, `/partner/v1/tenants`, `/organization/v1/tenants`
//! * `/endpoint/v1/endpoints`: list with every filter, get, delete, isolation, tamper protection, scans, update checks; `/endpoint/v1/settings/tamper-protection`
//! * `/common/v1/alerts`: list, search, get, actions
//!
//! Every other route is a 404 in JSON. It is strict where the service is: an unknown parameter, field, enum value or body member is a 400, as is a timestamp without a zone; a missing scope header is a 400, someone
//! else's a 403. Listings by key give out keys that must be percent-encoded and that belong to their listing.
//!
//! # What is odd on purpose
//!
//! About one record in twenty is sparse or odd, as real ones are: only an `id`, unknown members and enum values, booleans and numbers as text, times without zone or in no known form, `null` in place of objects and inside arrays, upper-case and 64-digit ids. Among the
//! tenants of a partner or an organization the fourth has no `apiHost` and the sixth answers everything with 403. [`SandboxBuilder::odd_records`] turns all of that off.
//!
//! # Determinism
//!
//! Records are not stored. Each member of each record is computed from seed and index when it is asked for, so a fleet of any size starts at once, and two sandboxes with the same settings give the same bytes.
//! The clock stands still at `2025-02-03T07:00:00Z`: relative filters count from there, and each change is one millisecond later than the one before. An isolation change is complete after two reads of the device, not after a time. Only the life of tokens and the HTTP date in a
//! `Retry-After` go by the real clock.
//!
//! # Faults
//!
//! See [`Fault`] for the list. They are set with [`SandboxBuilder::faults`], [`Sandbox::set_faults`], the option `--fault` of the program, or over HTTP:
//!
//! | request | effect |
//! |---|---|
//! | `POST /_sandbox/faults` with `{"faults":["rate-limit=2*3@/endpoint"]}` | replaces all faults |
//! | `GET /_sandbox/faults`, `DELETE /_sandbox/faults` | shows what is left of them; removes them |
//! | `GET /_sandbox/requests`, `DELETE /_sandbox/requests` | shows the log of requests, secrets masked; forgets it |
//!
//! Control requests are neither logged nor harmed by faults.
//!
//! # What it does not do
//!
//! No TLS, no HTTP/2, no rate limits of its own, no persistence, and none of the routes that are not listed above.

mod account;
mod alerts;
mod clock;
mod control;
mod endpoints;
mod error;
mod fault;
mod gateway;
mod json;
mod log;
mod paging;
mod problem;
mod projection;
mod query;
mod random;
mod sandbox;
mod service;
mod tenants;
mod token;

pub use error::Error;
pub use fault::Fault;
pub use log::RequestLog;
pub use sandbox::{Sandbox, SandboxBuilder};
