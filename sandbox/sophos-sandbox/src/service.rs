//! What all handlers share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    account::{Account, AccountKey, Directory, Kind},
    alerts::AlertState,
    clock::Clock,
    endpoints::FleetState,
    fault::Fault,
    log::Log,
    random::Seed,
};

/// What a sandbox was built with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    pub(crate) secret: String,
    pub(crate) token_lifetime: Duration,
    pub(crate) isolation_reads: u32,
    pub(crate) global_tamper: bool,
    pub(crate) directory: Directory,
}

/// Where the parts of the service listen, as base URLs without a slash at the end.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    pub(crate) global: String,
    /// One per region; the same as `global` when there is one listener.
    pub(crate) regions: Vec<String>,
}

/// Which part of the service a listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// Token service and global host.
    Global,
    /// The regional host of this number.
    Region(usize),
}

/// The service, as one listener serves it.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) part: Part,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    hosts: Hosts,
    tokens: Mutex<Tokens>,
    accounts: Mutex<HashMap<AccountKey, AccountState>>,
    changes: Mutex<u64>,
    faults: Mutex<Vec<Fault>>,
    log: Log,
}

/// What the requests so far have changed about one account.
#[derive(Debug, Default)]
pub(crate) struct AccountState {
    pub(crate) fleet: FleetState,
    pub(crate) alerts: AlertState,
}

#[derive(Debug, Default)]
struct Tokens {
    issued: u32,
    valid: HashMap<String, Token>,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    kind: Kind,
    expires: Instant,
}

impl App {
    pub(crate) fn new(settings: Settings, hosts: Hosts, faults: Vec<Fault>) -> Self {
        Self {
            part: Part::Whole,
            shared: Arc::new(Shared {
                settings,
                hosts,
                tokens: Mutex::default(),
                accounts: Mutex::default(),
                changes: Mutex::default(),
                faults: Mutex::new(faults),
                log: Log::default(),
            }),
        }
    }

    /// Returns the same service, seen through another listener.
    pub(crate) fn part(&self, part: Part) -> Self {
        Self {
            part,
            shared: Arc::clone(&self.shared),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.shared.hosts
    }

    pub(crate) fn seed(&self) -> u64 {
        self.shared.settings.seed
    }

    pub(crate) fn clock(&self) -> Clock {
        self.shared.settings.clock
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.shared.settings.directory
    }

    pub(crate) fn log(&self) -> &Log {
        &self.shared.log
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        lock(&self.shared.faults)
    }

    /// Runs a closure on the changes of an account.
    pub(crate) fn with_account<T>(
        &self,
        account: &Account,
        body: impl FnOnce(&mut AccountState) -> T,
    ) -> T {
        body(lock(&self.shared.accounts).entry(account.key).or_default())
    }

    /// Counts a change and returns its number, which decides its time and its ids.
    pub(crate) fn next_change(&self) -> u64 {
        let mut changes = lock(&self.shared.changes);
        *changes += 1;
        *changes
    }

    /// Returns the id of the thing made by a change.
    pub(crate) fn id_of_change(&self, change: u64) -> String {
        Seed::new(self.seed()).child("change", change).uuid(0)
    }

    pub(crate) fn issue_token(&self, kind: Kind) -> String {
        let mut tokens = lock(&self.shared.tokens);
        tokens.issued += 1;
        let ids = Seed::new(self.seed()).child("token", 0);
        // The look of a JWT; nobody is to look inside.
        let token = format!(
            "eyJhbGciOiJub25lIn0.{}.{}",
            ids.hex_id(tokens.issued),
            ids.uuid(tokens.issued).replace('-', "")
        );
        let expires = Instant::now() + self.shared.settings.token_lifetime;
        tokens.valid.insert(token.clone(), Token { kind, expires });
        token
    }

    pub(crate) fn expire_tokens(&self) {
        lock(&self.shared.tokens).valid.clear();
    }

    /// Returns whose token it is; `None` when it is unknown or its time is over.
    pub(crate) fn token_kind(&self, token: &str) -> Option<Kind> {
        let mut tokens = lock(&self.shared.tokens);
        let found = *tokens.valid.get(token)?;
        if found.expires <= Instant::now() {
            tokens.valid.remove(token);
            return None;
        }
        Some(found.kind)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
