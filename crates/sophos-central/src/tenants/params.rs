//! What can be asked about tenants.

use restkit::Request;

use crate::error::Error;
use crate::params::Query;

/// How much of each tenant is wanted. The service has no filters for tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantFilter {
    /// The members that are wanted of each; the id always comes along. Default: all.
    pub fields: Vec<String>,
}

impl TenantFilter {
    #[expect(clippy::unnecessary_wraps, reason = "the same shape in every area")]
    pub(crate) fn apply(&self, query: Query) -> Result<Request, Error> {
        Ok(query.fields(&self.fields).finish())
    }
}
