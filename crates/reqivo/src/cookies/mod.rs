//! Cookies by RFC 6265bis.

mod cookie;
mod date;
mod file;
mod jar;
mod parse;
mod store;
mod suffix;

pub use self::cookie::{Cookie, SameSite};
pub use self::file::CookieFile;
pub use self::jar::CookieJar;
pub use self::suffix::PublicSuffixes;
