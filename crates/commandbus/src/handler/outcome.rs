//! How a handler says that it failed, and what that means for the command.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use serde_json::{Map, Value};

/// Why a handler failed.
///
/// Any error converts into it with `?`: the three of this module as what they are, every other as
/// [`Transient`](Self::Transient) with the name of its type as the code.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandlerError {
    /// It may work later: the command is tried again, and goes to the troubleshooting queue when
    /// its attempts are used up.
    Transient(TransientCommandError),
    /// It will not work without a person: the command goes to the troubleshooting queue at once.
    Permanent(PermanentCommandError),
    /// The answer is no: the command is failed, and the sender gets a reply that says so.
    BusinessRule(BusinessRuleException),
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident => $variant:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq)]
        pub struct $name {
            code: String,
            message: String,
            details: Map<String, Value>,
        }

        impl $name {
            /// Makes the error, without details.
            pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
                Self { code: code.into(), message: message.into(), details: Map::new() }
            }

            /// Sets more about it, for the people who read it.
            #[must_use]
            pub fn with_details(mut self, details: Map<String, Value>) -> Self {
                self.details = details;
                self
            }

            /// Returns the code.
            #[must_use]
            pub fn code(&self) -> &str {
                &self.code
            }

            /// Returns the message.
            #[must_use]
            pub fn message(&self) -> &str {
                &self.message
            }

            /// Returns more about it.
            #[must_use]
            pub fn details(&self) -> &Map<String, Value> {
                &self.details
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "[{}] {}", self.code, self.message)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Details may hold parts of a payload.
                f.debug_struct(stringify!($name))
                    .field("code", &self.code)
                    .field("message", &self.message)
                    .finish_non_exhaustive()
            }
        }

        impl StdError for $name {}
    )*};
}

errors! {
    /// A failure that may go away: try again.
    TransientCommandError => Transient;
    /// A failure that needs a person.
    PermanentCommandError => Permanent;
    /// A decision: the command is refused.
    BusinessRuleException => BusinessRule;
}

impl HandlerError {
    /// Makes an error that is tried again.
    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Transient(TransientCommandError::new(code, message))
    }

    /// Makes an error that needs a person.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Permanent(PermanentCommandError::new(code, message))
    }

    /// Makes a refusal.
    pub fn business_rule(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::BusinessRule(BusinessRuleException::new(code, message))
    }

    /// Returns the code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Transient(error) => error.code(),
            Self::Permanent(error) => error.code(),
            Self::BusinessRule(error) => error.code(),
        }
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Transient(error) => error.message(),
            Self::Permanent(error) => error.message(),
            Self::BusinessRule(error) => error.message(),
        }
    }

    /// Returns more about it.
    #[must_use]
    pub fn details(&self) -> &Map<String, Value> {
        match self {
            Self::Transient(error) => error.details(),
            Self::Permanent(error) => error.details(),
            Self::BusinessRule(error) => error.details(),
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code(), self.message())
    }
}

// `HandlerError` itself is no `Error`, so that this conversion can take every error there is.
impl<E> From<E> for HandlerError
where
    E: StdError + Send + 'static,
{
    fn from(error: E) -> Self {
        let mut slot = Some(error);
        let any: &mut dyn Any = &mut slot;
        if let Some(known) = any.downcast_mut::<Option<TransientCommandError>>() {
            return known
                .take()
                .map_or_else(|| Self::transient("", ""), Self::Transient);
        }
        if let Some(known) = any.downcast_mut::<Option<PermanentCommandError>>() {
            return known
                .take()
                .map_or_else(|| Self::transient("", ""), Self::Permanent);
        }
        if let Some(known) = any.downcast_mut::<Option<BusinessRuleException>>() {
            return known
                .take()
                .map_or_else(|| Self::transient("", ""), Self::BusinessRule);
        }
        if let Some(known) = any.downcast_mut::<Option<crate::Error>>()
            && let Some(error) = known
            && error.is_timeout()
        {
            let code = if error.is_pool_timeout() {
                "POOL_TIMEOUT"
            } else {
                "STATEMENT_TIMEOUT"
            };
            return Self::transient(code, error.to_string());
        }
        #[cfg(feature = "postgres")]
        if let Some(known) = any.downcast_mut::<Option<tokio_postgres::Error>>()
            && let Some(error) = known
            && error.code() == Some(&tokio_postgres::error::SqlState::QUERY_CANCELED)
        {
            return Self::transient("STATEMENT_TIMEOUT", error.to_string());
        }
        let message = slot.as_ref().map(ToString::to_string).unwrap_or_default();
        Self::transient(type_name::<E>(), message)
    }
}

/// The last part of the name of a type, without its parameters.
fn type_name<T>() -> &'static str {
    let full = std::any::type_name::<T>();
    let plain = full.split('<').next().unwrap_or(full);
    plain.rsplit("::").next().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_converts_and_the_known_ones_keep_their_class() {
        fn run(text: &str) -> Result<u32, HandlerError> {
            match text {
                "t" => Err(TransientCommandError::new("T", "later"))?,
                "p" => Err(PermanentCommandError::new("P", "never"))?,
                "b" => Err(BusinessRuleException::new("B", "no"))?,
                _ => {}
            }
            Ok(text.parse::<u32>()?)
        }
        assert!(matches!(run("t"), Err(HandlerError::Transient(e)) if e.code() == "T"));
        assert!(matches!(run("p"), Err(HandlerError::Permanent(e)) if e.code() == "P"));
        assert!(
            matches!(run("b"), Err(HandlerError::BusinessRule(e)) if e.to_string() == "[B] no")
        );
        let other = run("x").unwrap_err();
        assert_eq!(
            other.to_string(),
            "[ParseIntError] invalid digit found in string"
        );
        assert_eq!(run("7").unwrap(), 7);
    }
}
