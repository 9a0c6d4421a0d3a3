use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use url::Url;

use crate::error::Error;

/// What connections are kept apart by. The TLS settings belong to the session, and so does the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) https: bool,
    pub(super) host: Box<str>,
    pub(super) port: u16,
}

#[derive(Clone, Copy)]
pub(super) struct KeyRef<'a> {
    pub(super) https: bool,
    pub(super) host: &'a str,
    pub(super) port: u16,
}

impl<'a> KeyRef<'a> {
    pub(super) fn of(url: &'a Url) -> Result<Self, Error> {
        let host = url
            .host_str()
            .ok_or_else(|| Error::builder("url without a host"))?;
        let https = url.scheme() == "https";
        let port = url.port_or_known_default().unwrap_or(80);
        Ok(Self { https, host, port })
    }
}

/// Both forms of a key, so that a lookup needs no allocation.
pub(super) trait AsKey {
    fn as_key(&self) -> KeyRef<'_>;
}

impl AsKey for Key {
    fn as_key(&self) -> KeyRef<'_> {
        KeyRef {
            https: self.https,
            host: &self.host,
            port: self.port,
        }
    }
}

impl AsKey for KeyRef<'_> {
    fn as_key(&self) -> KeyRef<'_> {
        *self
    }
}

impl<'a> Borrow<dyn AsKey + 'a> for Key {
    fn borrow(&self) -> &(dyn AsKey + 'a) {
        self
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self as &dyn AsKey).hash(state);
    }
}

impl Hash for dyn AsKey + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let key = self.as_key();
        key.host.hash(state);
        state.write_u32(u32::from(key.port) << 1 | u32::from(key.https));
    }
}

impl PartialEq for dyn AsKey + '_ {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.as_key(), other.as_key());
        a.port == b.port && a.https == b.https && a.host == b.host
    }
}

impl Eq for dyn AsKey + '_ {}
