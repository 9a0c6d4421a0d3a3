use std::collections::HashMap;

use super::Cookie;
use super::jar::{is_path_within, is_within};

/// The cookies by their domains, with their limits.
#[derive(Default)]
pub(super) struct Store {
    domains: HashMap<Box<str>, Vec<Entry>>,
    count: usize,
    /// Secure cookies; without any there is nothing to protect.
    secure: usize,
    /// Counts what happens, so that "before" has a meaning whatever the clock does.
    tick: u64,
}

struct Entry {
    cookie: Cookie,
    /// When it came, for cookies of the same moment.
    order: u64,
    /// When it was sent or set the last time.
    used: u64,
}

impl Store {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// All cookies, oldest first.
    pub(super) fn all(&self) -> Vec<Cookie> {
        let mut entries: Vec<&Entry> = self.domains.values().flatten().collect();
        entries.sort_by_key(|entry| (entry.cookie.created, entry.order));
        entries
            .into_iter()
            .map(|entry| entry.cookie.clone())
            .collect()
    }

    /// Adds a cookie, in the place of the one that it replaces, and makes room if need be.
    pub(super) fn insert(&mut self, cookie: Cookie, now: i64) {
        self.tick += 1;
        let mut entry = Entry {
            order: self.tick,
            used: self.tick,
            cookie,
        };
        let domain = entry.cookie.domain.clone();
        let (secure, bucket) = (entry.cookie.secure, self.domains.entry(domain).or_default());
        match bucket
            .iter_mut()
            .find(|other| entry.cookie.replaces(&other.cookie))
        {
            Some(old) => {
                self.secure -= usize::from(old.cookie.secure);
                entry.cookie.created = old.cookie.created;
                entry.order = old.order;
                *old = entry;
            }
            None => {
                bucket.push(entry);
                self.count += 1;
            }
        }
        self.secure += usize::from(secure);
        if bucket.len() > MAX_PER_DOMAIN || self.count > MAX_COOKIES {
            self.make_room(now);
        }
    }

    /// Removes the cookie that this one would replace.
    pub(super) fn remove(&mut self, cookie: &Cookie) {
        let Some(bucket) = self.domains.get_mut(&cookie.domain) else {
            return;
        };
        if let Some(at) = bucket.iter().position(|it| cookie.replaces(&it.cookie)) {
            let old = bucket.remove(at);
            self.count -= 1;
            self.secure -= usize::from(old.cookie.secure);
        }
        if bucket.is_empty() {
            self.domains.remove(&cookie.domain);
        }
    }

    /// Removes the cookies for which `keep` is false and returns how many there were.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Cookie) -> bool) -> usize {
        let before = self.count;
        self.domains.retain(|_, bucket| {
            bucket.retain(|entry| keep(&entry.cookie));
            !bucket.is_empty()
        });
        self.recount();
        before - self.count
    }

    /// Calls a function for each cookie that goes to a host, in the order of sending: longer paths first, then
    /// older ones.
    pub(super) fn visit(
        &mut self,
        host: &str,
        is_address: bool,
        now: i64,
        fits: impl Fn(&Cookie) -> bool,
        visit: &mut impl FnMut(&Cookie),
    ) {
        self.tick += 1;
        let tick = self.tick;
        let (mut found, mut expired) = (0, false);
        for domain in domains_of(host, is_address) {
            let Some(bucket) = self.domains.get_mut(domain) else {
                continue;
            };
            for entry in bucket {
                let cookie = &entry.cookie;
                if cookie.is_expired(now) {
                    expired = true;
                } else if (!cookie.host_only || domain == host) && fits(cookie) {
                    entry.used = tick;
                    found += 1;
                }
            }
        }
        let mut entries: Vec<&Entry> = Vec::with_capacity(found);
        if found > 0 {
            let buckets = domains_of(host, is_address).filter_map(|it| self.domains.get(it));
            entries.extend(buckets.flatten().filter(|entry| entry.used == tick));
        }
        entries.sort_by(|a, b| {
            let longer = b.cookie.path.len().cmp(&a.cookie.path.len());
            longer.then_with(|| (a.cookie.created, a.order).cmp(&(b.cookie.created, b.order)))
        });
        for entry in entries {
            visit(&entry.cookie);
        }
        if expired {
            self.retain(|cookie| !cookie.is_expired(now));
        }
    }

    /// Whether a cookie from an insecure connection would take the place of a secure one, or hide it.
    pub(super) fn is_shadowing_secure(&self, new: &Cookie) -> bool {
        if self.secure == 0 {
            return false;
        }
        self.domains
            .iter()
            .filter(|(domain, _)| is_within(domain, &new.domain) || is_within(&new.domain, domain))
            .flat_map(|(_, bucket)| bucket)
            .any(|entry| {
                let cookie = &entry.cookie;
                cookie.secure && cookie.name == new.name && is_path_within(&new.path, &cookie.path)
            })
    }

    /// Keeps the limits: what has expired goes first; of a domain with too many the insecure ones go before the
    /// secure ones; else what was not used for longest.
    fn make_room(&mut self, now: i64) {
        self.retain(|cookie| !cookie.is_expired(now));
        for bucket in self.domains.values_mut() {
            while bucket.len() > MAX_PER_DOMAIN {
                let oldest = bucket
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, entry)| (entry.cookie.secure, entry.used));
                let Some((at, _)) = oldest else { break };
                bucket.remove(at);
            }
        }
        self.recount();
        while self.count > MAX_COOKIES {
            let Some(used) = self.domains.values().flatten().map(|it| it.used).min() else {
                break;
            };
            // Cookies that were sent together were used at the same moment: one of them goes.
            let bucket = self
                .domains
                .values_mut()
                .find_map(|bucket| Some((bucket.iter().position(|it| it.used == used)?, bucket)));
            if let Some((at, bucket)) = bucket {
                bucket.remove(at);
            }
            self.domains.retain(|_, bucket| !bucket.is_empty());
            self.recount();
        }
    }

    fn recount(&mut self) {
        self.count = self.domains.values().map(Vec::len).sum();
        let secure = |entry: &&Entry| entry.cookie.secure;
        self.secure = self.domains.values().flatten().filter(secure).count();
    }
}

/// The domains whose cookies may go to a host: its own, and those above it unless it is an IP address.
fn domains_of(host: &str, is_address: bool) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), move |domain| match is_address {
        true => None,
        false => domain.split_once('.').map(|(_, above)| above),
    })
}

/// RFC 6265bis 6.1 asks for at least 50 and 3000.
const MAX_PER_DOMAIN: usize = 180;
const MAX_COOKIES: usize = 3000;
