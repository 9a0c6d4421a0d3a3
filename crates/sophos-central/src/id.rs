//! Typed ids, so that two kinds of ids cannot be swapped.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text of an id with the comparison rules of the service.
#[derive(Clone)]
struct Text(Arc<str>);

impl Text {
    /// The form by which ids are compared: UUIDs in lower case, everything else as it is.
    fn folded(&self) -> Cow<'_, str> {
        if is_uuid(&self.0) && self.0.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(self.0.to_ascii_lowercase())
        } else {
            Cow::Borrowed(&self.0)
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.folded() == other.folded()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(&other.folded())
    }
}

/// Returns true for the usual form of a UUID, in any case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        ///
        /// An opaque text. UUIDs compare and hash without regard to case; what is sent back is
        /// exactly what was received. Cloning is cheap.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Text);

        impl $name {
            /// Makes an id of a text, which is not checked: the service decides what an id is.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(Text(text.into()))
            }

            /// Returns the text exactly as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0.0
            }

            /// Returns true if the text has the form of a UUID, as most ids do. One that does not
            /// may still be right.
            #[must_use]
            pub fn is_uuid(&self) -> bool {
                is_uuid(&self.0.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::new(text))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
                output.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                crate::wire::required(input)
            }
        }

        impl crate::wire::FromText for $name {
            fn from_text(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

id!(
    /// The id of an endpoint: a computer, a server or another managed device.
    EndpointId
);
id!(
    /// The id of a tenant: one customer's account.
    TenantId
);
id!(
    /// The id of an alert.
    AlertId
);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn uuids_compare_without_case_and_other_ids_with_it() {
        let lower = TenantId::from("b3a9f0c2-55d1-4e77-a1b2-c3d4e5f60718");
        let upper = TenantId::from("B3A9F0C2-55D1-4E77-A1B2-C3D4E5F60718");
        assert_eq!(lower, upper);
        assert_eq!(HashSet::from([lower, upper.clone()]).len(), 1);
        assert_eq!(upper.as_str(), "B3A9F0C2-55D1-4E77-A1B2-C3D4E5F60718");
        assert_ne!(TenantId::from("C-00a1"), TenantId::from("C-00A1"));
    }

    #[test]
    fn an_id_is_written_as_it_was_read() {
        for text in ["\"C-000123\"", "\"B3A9F0C2-55D1-4E77-A1B2-C3D4E5F60718\""] {
            let id: AlertId = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&id).unwrap(), text);
        }
        assert!(serde_json::from_str::<AlertId>("null").is_err());
    }

    #[test]
    fn only_the_usual_form_is_a_uuid() {
        assert!(EndpointId::from("5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f").is_uuid());
        assert!(!EndpointId::from("5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5").is_uuid());
        assert!(!EndpointId::from("5b0c8f1e+4d3a+4b6c+8f21+0a9b8c7d6e5f").is_uuid());
        assert!(!EndpointId::from("").is_uuid());
    }
}
