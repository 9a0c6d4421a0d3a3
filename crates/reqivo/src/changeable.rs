use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::auth::AuthScheme;
use crate::hooks::Hooks;

/// What may change while a session is in use. A call takes it as it is at its start.
#[derive(Default)]
pub(crate) struct Changeable {
    /// Whether there is anything, so that most calls take no lock.
    any: AtomicBool,
    setup: RwLock<Setup>,
}

#[derive(Clone, Default)]
pub(crate) struct Setup {
    pub(crate) auth: Option<Arc<dyn AuthScheme>>,
    pub(crate) hooks: Hooks,
}

impl Changeable {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            any: AtomicBool::new(setup.is_any()),
            setup: RwLock::new(setup),
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Setup)) {
        // Nothing is left half done by a panic.
        let mut setup = self.setup.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut setup);
        self.any.store(setup.is_any(), Ordering::Release);
    }

    /// What there is at this moment, if there is anything.
    pub(crate) fn snapshot(&self) -> Option<Box<Setup>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let setup = self.setup.read().unwrap_or_else(PoisonError::into_inner);
        setup.is_any().then(|| Box::new(setup.clone()))
    }
}

impl Setup {
    fn is_any(&self) -> bool {
        self.auth.is_some() || !self.hooks.is_empty()
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("auth", &self.auth.is_some())
            .field("hooks", &self.hooks)
            .finish()
    }
}
