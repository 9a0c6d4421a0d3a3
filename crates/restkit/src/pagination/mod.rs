//! Lists that come in pages: by key, by page number, by offset.
//!
//! A [`Paginator`] is a lazy stream of items. It fetches a page when the items of the one before are
//! used up and another is asked for, never earlier; dropping it stops everything. Items are decoded
//! one by one, so a malformed item names its place and does not hide the others.
//!
//! ```
//! use futures_util::StreamExt as _;
//! use restkit::pagination::PageStyle;
//! use restkit::transport::MockTransport;
//! use restkit::{Client, Request};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), restkit::Error> {
//! let mock = MockTransport::new()
//!     .json(200, r#"{"items":[1,2],"pages":{"nextKey":"b"}}"#)
//!     .json(200, r#"{"items":[3],"pages":{}}"#);
//! let client = Client::builder().transport(mock).base_url("https://api.example.com").build()?;
//!
//! let mut numbers = client.paginate::<u32>(Request::get("/numbers"), PageStyle::key());
//! let progress = numbers.progress();
//! let mut sum = 0;
//! while let Some(number) = numbers.next().await {
//!     sum += number?;
//! }
//! assert_eq!((sum, progress.pages(), progress.items()), (6, 2, 3));
//! # Ok(())
//! # }
//! ```

mod engine;
mod page;
mod paginator;
mod progress;
mod style;

pub use self::page::{Page, PageInfo};
pub use self::paginator::{Pages, Paginator};
pub use self::progress::{Position, Progress, Stop};
pub use self::style::PageStyle;
