//! What has been changed about a fleet: isolation, tamper protection, deletions, and the listings made from them.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;

use crate::endpoints::device::Device;

/// The changes of one account's fleet.
#[derive(Debug, Default)]
pub(crate) struct FleetState {
    devices: HashMap<u32, Changes>,
    deleted: BTreeSet<u32>,
    /// Counts changes that can alter a listing.
    version: u64,
    listings: VecDeque<(String, u64, Arc<Vec<u32>>)>,
}

/// The changes of one device.
#[derive(Clone, Debug, Default)]
struct Changes {
    isolation: Option<IsolationChange>,
    tamper: Option<TamperChange>,
}

/// The last isolation change of a device.
#[derive(Clone, Debug)]
pub(crate) struct IsolationChange {
    pub(crate) enabled: bool,
    /// Reads that still see the old state; 0 when the change is complete.
    pending_reads: u32,
    pub(crate) before: bool,
    pub(crate) enabled_at: Option<Timestamp>,
    pub(crate) disabled_at: Option<Timestamp>,
    pub(crate) comment: Option<String>,
}

/// What a device shows about its isolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isolation {
    pub(crate) admin: bool,
    pub(crate) by_itself: bool,
}

impl Isolation {
    pub(crate) fn status(&self) -> &'static str {
        if self.admin || self.by_itself {
            "isolated"
        } else {
            "notIsolated"
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct TamperChange {
    pub(crate) enabled: bool,
    pub(crate) round: u32,
    /// When each password before the present one became invalid, oldest first.
    pub(crate) invalidated: Vec<Timestamp>,
}

impl FleetState {
    pub(crate) fn is_deleted(&self, index: u32) -> bool {
        self.deleted.contains(&index)
    }

    pub(crate) fn has_deleted(&self) -> bool {
        !self.deleted.is_empty()
    }

    /// Deletes a device; false when it was gone already.
    pub(crate) fn delete(&mut self, index: u32) -> bool {
        self.version += 1;
        self.deleted.insert(index)
    }

    /// Returns what a device shows, without counting it as a read.
    pub(crate) fn isolation(&self, device: &Device<'_>) -> Isolation {
        let admin = match self.change(device) {
            None => device.admin_isolated(),
            Some(change) if change.pending_reads > 0 => change.before,
            Some(change) => change.enabled,
        };
        Isolation {
            admin,
            by_itself: device.self_isolated(),
        }
    }

    /// Returns what a device shows to a read. The read brings a pending change nearer to its end.
    pub(crate) fn read_isolation(&mut self, device: &Device<'_>) -> Isolation {
        let pending = self
            .devices
            .get_mut(&device.index)
            .and_then(|changes| changes.isolation.as_mut())
            .filter(|change| change.pending_reads > 0);
        if let Some(change) = pending {
            change.pending_reads -= 1;
            if change.pending_reads == 0 {
                self.version += 1;
            }
        }
        self.isolation(device)
    }

    pub(crate) fn change(&self, device: &Device<'_>) -> Option<&IsolationChange> {
        self.devices.get(&device.index)?.isolation.as_ref()
    }

    /// Returns whether a change has been accepted and is not complete.
    pub(crate) fn is_isolation_pending(&self, device: &Device<'_>) -> bool {
        self.change(device)
            .is_some_and(|change| change.pending_reads > 0)
    }

    /// Accepts a change. It is complete after so many reads.
    pub(crate) fn isolate(
        &mut self,
        device: &Device<'_>,
        enabled: bool,
        comment: Option<String>,
        at: Timestamp,
        reads: u32,
    ) {
        let before = self.isolation(device).admin;
        let previous = self.change(device).cloned();
        let unchanged = before == enabled;
        let (mut enabled_at, mut disabled_at) = previous.map_or((None, None), |previous| {
            (previous.enabled_at, previous.disabled_at)
        });
        if enabled {
            enabled_at = Some(at);
        } else {
            disabled_at = Some(at);
        }
        self.version += 1;
        self.devices.entry(device.index).or_default().isolation = Some(IsolationChange {
            enabled,
            pending_reads: if unchanged { 0 } else { reads },
            before,
            enabled_at,
            disabled_at,
            comment,
        });
    }

    pub(crate) fn tamper(&self, device: &Device<'_>) -> TamperChange {
        self.devices
            .get(&device.index)
            .and_then(|changes| changes.tamper.clone())
            .unwrap_or_else(|| TamperChange {
                enabled: device.tamper_enabled().unwrap_or(false),
                round: 0,
                invalidated: Vec::new(),
            })
    }

    pub(crate) fn tamper_enabled(&self, device: &Device<'_>) -> Option<bool> {
        device.tamper_enabled()?;
        Some(self.tamper(device).enabled)
    }

    pub(crate) fn change_tamper(
        &mut self,
        device: &Device<'_>,
        enabled: Option<bool>,
        regenerate: bool,
        at: Timestamp,
    ) {
        let mut tamper = self.tamper(device);
        if let Some(enabled) = enabled {
            tamper.enabled = enabled;
        }
        if regenerate {
            tamper.round += 1;
            tamper.invalidated.push(at);
        }
        self.version += 1;
        self.devices.entry(device.index).or_default().tamper = Some(tamper);
    }

    /// Returns a listing from the cache, or makes it. A walk through a fleet asks for the same listing once per page.
    pub(crate) fn listing(
        &mut self,
        name: &str,
        make: impl FnOnce(&Self) -> Vec<u32>,
    ) -> Arc<Vec<u32>> {
        let version = self.version;
        if let Some((.., listing)) = self
            .listings
            .iter()
            .find(|(known, at, _)| known == name && *at == version)
        {
            return Arc::clone(listing);
        }
        let listing = Arc::new(make(self));
        self.listings.retain(|(known, ..)| known != name);
        self.listings
            .push_back((name.to_owned(), version, Arc::clone(&listing)));
        if self.listings.len() > LISTINGS_KEPT {
            self.listings.pop_front();
        }
        listing
    }
}

const LISTINGS_KEPT: usize = 8;
