//! What handlers are given and what they give back.

mod outcome;

pub use self::outcome::{
    BusinessRuleException, HandlerError, PermanentCommandError, TransientCommandError,
};
