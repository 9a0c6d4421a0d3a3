//! What the filters of all areas have in common.

use std::fmt;

use jiff::Timestamp;
use restkit::Request;

use crate::UnknownValue;
use crate::error::Error;
use crate::time::When;

/// An enum whose values are a closed set in what is sent.
pub(crate) trait Closed: fmt::Display {
    const WHAT: &'static str;

    fn known(&self) -> Result<(), UnknownValue>;
}

/// Adds filters to a request; the first value that cannot be right is the outcome.
pub(crate) struct Query {
    request: Request,
    now: Timestamp,
}

impl Query {
    /// Starts with a request. `now` is what relative times are resolved against.
    pub(crate) fn new(request: Request, now: Timestamp) -> Self {
        Self { request, now }
    }

    pub(crate) fn finish(self) -> Request {
        self.request
    }

    /// A list of values of a closed set.
    pub(crate) fn closed<T: Closed>(
        mut self,
        name: &'static str,
        values: &[T],
    ) -> Result<Self, Error> {
        for value in values {
            value.known()?;
        }
        self.request = self.request.query_list(name, values);
        Ok(self)
    }

    /// A list of texts.
    pub(crate) fn list<T: fmt::Display>(mut self, name: &'static str, values: &[T]) -> Self {
        self.request = self.request.query_list(name, values);
        self
    }

    /// A list of ids. Giving one that is empty would mean no filter at all, so it is refused.
    pub(crate) fn ids<T: fmt::Display>(
        self,
        name: &'static str,
        ids: Option<&[T]>,
    ) -> Result<Self, Error> {
        let Some(ids) = ids else {
            return Ok(self);
        };
        if ids.is_empty() {
            return Err(Error::invalid_argument(format!(
                "`{name}` must name at least one id"
            )));
        }
        Ok(self.list(name, ids))
    }

    /// The members that are wanted. The id always comes along, as nothing can be done without it.
    pub(crate) fn fields(self, fields: &[String]) -> Self {
        if fields.is_empty() || fields.iter().any(|field| field == "id") {
            return self.list("fields", fields);
        }
        let mut with_id = vec!["id"];
        with_id.extend(fields.iter().map(String::as_str));
        self.list("fields", &with_id)
    }

    /// A text, which must not be empty.
    pub(crate) fn text(mut self, name: &'static str, text: Option<&str>) -> Result<Self, Error> {
        if text.is_some_and(|text| text.trim().is_empty()) {
            return Err(Error::invalid_argument(format!(
                "`{name}` must not be empty"
            )));
        }
        self.request = self.request.query_opt(name, text);
        Ok(self)
    }

    pub(crate) fn flag(mut self, name: &'static str, flag: Option<bool>) -> Self {
        self.request = self.request.query_opt(name, flag);
        self
    }

    /// A point in time where the service takes durations too.
    pub(crate) fn when(mut self, name: &'static str, when: Option<&When>) -> Self {
        self.request = self.request.query_opt(name, when);
        self
    }

    /// A point in time where the service takes timestamps only.
    pub(crate) fn timestamp(
        mut self,
        name: &'static str,
        when: Option<&When>,
    ) -> Result<Self, Error> {
        let fixed = when.map(|when| when.fixed(self.now)).transpose()?;
        self.request = self.request.query_opt(name, fixed);
        Ok(self)
    }

    /// The order of a list: `field`, `field:asc` or `field:desc`, one after the other.
    pub(crate) fn sort(self, sort: &[String]) -> Result<Self, Error> {
        for key in sort {
            let (field, direction) = key.split_once(':').unwrap_or((key, "asc"));
            if field.is_empty() || !matches!(direction, "asc" | "desc") {
                return Err(Error::invalid_argument(format!(
                    "`{key}` is not a sort key; give a field, or a field with :asc or :desc"
                )));
            }
        }
        let request = self.request;
        Ok(Self {
            request: request.query_list("sort", sort),
            now: self.now,
        })
    }
}

crate::wire::values! {
    /// How much of each item is wanted.
    pub enum View as "view" {
        /// Id, type, tenant and host name.
        Basic = "basic",
        /// What most people need.
        Summary = "summary",
        /// Everything.
        Full = "full",
    }
}

/// Turns "not found" into `None`.
pub(crate) fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
