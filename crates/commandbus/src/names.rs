//! Names of domains, queues and channels.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;

/// The longest name PGMQ takes for a queue.
pub(crate) const QUEUE_LENGTH: usize = 47;
const DOMAIN_LENGTH: usize = 37;
const TYPE_LENGTH: usize = 255;

/// A checked name of a domain, which owns one command queue: `[a-z_][a-z0-9_]{0,36}`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name does not match
    /// `[a-z_][a-z0-9_]{0,36}`.
    pub fn new(name: impl AsRef<str>) -> Result<Self, Error> {
        let name = name.as_ref();
        if is_plain(name) && name.len() <= DOMAIN_LENGTH {
            Ok(Self(name.into()))
        } else {
            Err(Error::invalid(
                "domain",
                format_args!(
                    "{name:?} is not a name of at most {DOMAIN_LENGTH} lower case letters, digits and \
                     underscores that starts with no digit"
                ),
            ))
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the command queue of the domain, `<domain>__commands`.
    #[must_use]
    pub fn command_queue(&self) -> QueueName {
        self.queue("commands")
    }

    /// Returns the customary reply queue of the domain, `<domain>__replies`.
    #[must_use]
    pub fn reply_queue(&self) -> QueueName {
        self.queue("replies")
    }

    /// Returns the customary reply queue of processes of the domain, `<domain>__process_replies`.
    #[must_use]
    pub fn process_reply_queue(&self) -> QueueName {
        // The longest domain gives 54 characters, which PGMQ refuses; `create_queue` reports that.
        self.queue("process_replies")
    }

    fn queue(&self, part: &str) -> QueueName {
        QueueName(format!("{}__{part}", self.0).into())
    }

    /// The channel that tells of finished batches.
    pub(crate) fn batch_channel(&self) -> String {
        format!("commandbus_batch_{}", self.0)
    }
}

/// A checked name of a queue: at most 47 lower case letters, digits and underscores.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name does not match
    /// `[a-z_][a-z0-9_]{0,46}`.
    pub fn new(name: impl AsRef<str>) -> Result<Self, Error> {
        let name = name.as_ref();
        if is_plain(name) && name.len() <= QUEUE_LENGTH {
            Ok(Self(name.into()))
        } else {
            Err(Error::invalid(
                "queue",
                format_args!(
                    "{name:?} is not a name of at most {QUEUE_LENGTH} lower case letters, digits and \
                     underscores that starts with no digit"
                ),
            ))
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The channel that tells of new messages.
    pub(crate) fn channel(&self) -> String {
        format!("pgmq_notify_{}", self.0)
    }
}

/// Checks a command type: 1 to 255 characters of any text.
pub(crate) fn check_command_type(command_type: &str) -> Result<(), Error> {
    // PostgreSQL cannot store the character NUL in a text.
    if command_type.is_empty()
        || command_type.contains('\0')
        || command_type.chars().count() > TYPE_LENGTH
    {
        return Err(Error::invalid(
            "command_type",
            "must be 1 to 255 characters other than NUL",
        ));
    }
    Ok(())
}

fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    matches!(bytes.next(), Some(b'a'..=b'z' | b'_'))
        && bytes.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

macro_rules! text_forms {
    ($($name:ident)*) => {$(
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

text_forms!(Domain QueueName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_plain_and_leave_room_for_the_queue() {
        for good in ["orders", "_x", "a1_b2", &"d".repeat(37)] {
            assert_eq!(Domain::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "1a",
            "Orders",
            "a-b",
            "a b",
            "a\"b",
            "ä",
            &"d".repeat(38),
        ] {
            let error = Domain::new(bad).unwrap_err();
            assert_eq!(error.argument(), Some("domain"), "{bad:?}");
        }
        let longest = Domain::new("d".repeat(37)).unwrap();
        assert!(QueueName::new(longest.command_queue()).is_ok());
    }

    #[test]
    fn command_types_are_any_text_of_limited_length() {
        assert!(check_command_type("Ship Örder/é").is_ok());
        assert!(check_command_type(&"é".repeat(255)).is_ok());
        for bad in ["", "a\0b", &"x".repeat(256)] {
            assert!(check_command_type(bad).is_err());
        }
    }
}
