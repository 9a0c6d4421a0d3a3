//! Options that contradict each other or say nothing.

use bifrons::{blocking_type, dual};

pub struct Client;

pub struct Other;

pub mod blocking {
    bifrons::blocking_type! { pub struct Client wraps crate::Client }
    bifrons::blocking_type! { pub struct Other wraps crate::Other }
}

#[dual(blocking = blocking::Client, always)]
impl Client {
    #[blocking(skip = "")]
    pub async fn no_reason(&self) {}

    #[blocking(wrap = blocking::Other, skip = "both")]
    pub async fn both(&self) -> Other {
        Other
    }

    #[blocking(wrap = blocking::Other)]
    pub async fn nothing_to_wrap(&self) {}

    #[blocking(skip = "is private anyway")]
    async fn private(&self) {}

    #[blocking(eager)]
    pub fn not_polled(&self) {}

    #[blocking(wraps = blocking::Other)]
    pub async fn misspelt(&self) -> Other {
        Other
    }
}

#[dual]
impl Client {}

#[dual(sync = blocking::Client)]
impl Client {}

#[dual(blocking = blocking::Client, skip = "and yet")]
impl Client {}

#[dual(blocking = blocking::Client)]
pub struct Third;

blocking_type! { pub struct Fourth(Client); }

blocking_type! { #[blocking(skip = "no")] pub struct Fifth wraps crate::Client; }

fn main() {}
