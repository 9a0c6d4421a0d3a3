//! A client for the Sophos Central APIs, for one tenant or a partner's thousands, async and blocking.
//!
//! ```no_run
//! use futures_util::TryStreamExt as _;
//! use sophos_central::endpoint::Health;
//! use sophos_central::{Client, Config};
//!
//! # async fn run() -> Result<(), sophos_central::Error> {
//! let client = Client::new(Config::new("client-id", "client-secret"))?;
//!
//! // one page, all items, one endpoint
//! let page = client.endpoint().list().health(Health::Bad).page_size(100).send().await?;
//! let all: Vec<_> = client.endpoint().list().items().try_collect().await?;
//! let one = client.endpoint().get(&all[0].id).await?;
//!
//! // a change: never sent twice by itself
//! client.endpoint().isolate(&one.id, Some("ticket 4711")).await?;
//!
//! // a partner: every tenant, a few at a time, failures apart
//! let tenants = client.targets().await?;
//! let all = client.endpoint().list().gather(tenants).await?;
//! for failure in &all.failures {
//!     eprintln!("{failure}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What to know
//!
//! * **Two faces.** Everything here is async; [`blocking`] has the same types and methods without
//!   `await`, made from the same source.
//! * **Handles.** [`Client`] and the areas it leads to ([`endpoint`], [`alerts`], [`tenants`]) are
//!   cheap to clone and to share. A list is narrowed down by its methods and fetched by `send` (one
//!   page), `items` or `pages` (all), `across` or `gather` (many tenants).
//! * **Nothing is lost.** A [`Record`] is the decoded value beside the JSON text it came from, with
//!   members and values that this version does not know. `raw` leaves the decoding out.
//! * **Changes are sent once.** What may have been applied is not sent again: the error is then
//!   [unclear](Error::is_unclear_write). Reads are repeated as the settings in [`Config`] say.
//! * **Scope.** A tenant's credential needs no choice. With a partner's or an organization's, choose a
//!   tenant with [`Client::for_tenant`], or go over many.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `blocking` | on | the module [`blocking`] |
//! | `reqivo` | on | the default transport; without it [`Config::transport`] must be set |

pub mod alerts;
#[cfg(feature = "blocking")]
pub mod blocking;
mod builder;
mod client;
mod config;
pub mod endpoint;
mod error;
mod fan_out;
mod id;
mod list;
mod params;
mod progress;
mod raw;
mod route;
pub mod tenants;
mod time;
mod wire;

pub use restkit::pagination::{PageInfo, Position, Stop};
pub use restkit::{DryRun, Record};

pub use crate::builder::{List, ListFilter, PerTenant};
pub use crate::client::Client;
pub use crate::config::{Config, RateLimit};
pub use crate::error::{Error, ErrorKind, UnknownValue};
pub use crate::fan_out::{Across, Gathered, TenantFailure, TenantItem};
pub use crate::id::{AlertId, EndpointId, TenantId};
pub use crate::list::{Items, ListItem, Page, Pages, RawItem};
pub use crate::params::View;
pub use crate::progress::Progress;
pub use crate::raw::RawList;
pub use crate::time::{Time, When};
