//! Behaviour of the client: on scripted answers, and on the sandbox through both faces.

mod blocking;
mod cut;
mod errors;
mod faces;
mod fan_out;
mod lists;
mod parity;
mod properties;
mod requests;
mod scope;
mod secrets;
mod support;
mod values;
mod writes;
