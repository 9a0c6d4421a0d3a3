//! The record of every request.

use std::{collections::VecDeque, sync::Mutex};

use http::{HeaderMap, Method, Uri, header};
use serde::Serialize;

use crate::service::lock;

/// One request that the sandbox received, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RequestLog {
    /// The number of the request, counted from 1.
    pub number: u64,
    /// The method.
    pub method: String,
    /// The path, as sent.
    pub path: String,
    /// The query, as sent; empty when there was none.
    pub query: String,
    /// The header fields that matter to the service, names in lower case: scope, `accept`, `content-type`, `user-agent`, and `authorization` with its value
    /// masked.
    pub headers: Vec<(String, String)>,
    /// The JSON body of a write. Forms are left out: they carry the secret.
    pub body: Option<String>,
    /// The status of the answer; `None` while it is not known, and when the connection was cut instead.
    pub status: Option<u16>,
}

impl RequestLog {
    /// Returns the value of a header field that is in the log.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The log. It keeps the newest [`KEPT`] requests and counts all.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    count: u64,
    kept: VecDeque<RequestLog>,
}

impl Log {
    /// Records a request and returns its number.
    pub(crate) fn add(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> u64 {
        let shown = SHOWN
            .iter()
            .filter_map(|name| Some((*name, headers.get(*name)?)))
            .map(|(name, value)| {
                let value = if name == header::AUTHORIZATION.as_str() {
                    mask(value.to_str().unwrap_or_default())
                } else {
                    String::from_utf8_lossy(value.as_bytes()).into_owned()
                };
                (name.to_owned(), value)
            })
            .collect();
        let mut entries = lock(&self.entries);
        entries.count += 1;
        let number = entries.count;
        entries.kept.push_back(RequestLog {
            number,
            method: method.as_str().to_owned(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: shown,
            body: None,
            status: None,
        });
        if entries.kept.len() > KEPT {
            entries.kept.pop_front();
        }
        number
    }

    pub(crate) fn set_body(&self, number: u64, body: String) {
        self.change(number, |entry| entry.body = Some(body));
    }

    pub(crate) fn set_status(&self, number: u64, status: u16) {
        self.change(number, |entry| entry.status = Some(status));
    }

    pub(crate) fn entries(&self) -> Vec<RequestLog> {
        lock(&self.entries).kept.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        lock(&self.entries).kept.clear();
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut RequestLog)) {
        let mut entries = lock(&self.entries);
        // What belongs to a request comes soon after it, so it is near the end.
        if let Some(entry) = entries
            .kept
            .iter_mut()
            .rev()
            .find(|entry| entry.number == number)
        {
            change(entry);
        }
    }
}

fn mask(authorization: &str) -> String {
    match authorization.split_once(' ') {
        Some((scheme, _)) => format!("{scheme} ********"),
        None => "********".to_owned(),
    }
}

const SHOWN: &[&str] = &[
    "authorization",
    "x-tenant-id",
    "x-partner-id",
    "x-organization-id",
    "accept",
    "content-type",
    "user-agent",
];

/// How many requests are kept.
pub(crate) const KEPT: usize = 50_000;
