use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use crate::net::route::{Route, SettingsId, Via};

/// What connections are kept apart by: the owned form of a [`Route`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    https: bool,
    host: Box<str>,
    port: u16,
    via: Option<Via>,
    settings: SettingsId,
}

impl Key {
    pub(super) fn leads_to(&self, https: bool, host: &str, port: u16) -> bool {
        self.https == https && *self.host == *host && self.port == port
    }

    pub(super) fn of(route: &Route<'_>) -> Self {
        Self {
            https: route.https,
            host: route.host.into(),
            port: route.port,
            via: route.via.cloned(),
            settings: route.settings,
        }
    }
}

/// Both forms of a key, so that a lookup needs no allocation.
pub(super) trait AsKey {
    fn as_key(&self) -> Route<'_>;
}

impl AsKey for Key {
    fn as_key(&self) -> Route<'_> {
        Route {
            https: self.https,
            host: &self.host,
            port: self.port,
            via: self.via.as_ref(),
            settings: self.settings,
        }
    }
}

impl AsKey for Route<'_> {
    fn as_key(&self) -> Route<'_> {
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
        // The rest seldom differs where these do not, and comparing is enough for it.
        let key = self.as_key();
        key.host.hash(state);
        state.write_u32(u32::from(key.port) << 1 | u32::from(key.https));
    }
}

impl PartialEq for dyn AsKey + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.as_key() == other.as_key()
    }
}

impl Eq for dyn AsKey + '_ {}
