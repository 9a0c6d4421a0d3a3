//! A tenant as a place where calls can go.

use super::model::Tenant;
use crate::id::TenantId;

/// A tenant that calls can go to: made by [`Client::targets`](crate::Client::targets), or from a
/// [`Tenant`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// Its id.
    pub id: TenantId,
    /// The name to show.
    pub name: String,
    /// The host of its data; `None` while the tenant is not ready.
    pub api_host: Option<String>,
    /// The region its data is in, such as `eu02`.
    pub data_region: Option<String>,
    /// Where its data is, such as `DE`.
    pub data_geography: Option<String>,
    /// Its status, such as `active`.
    pub status: Option<String>,
}

impl Target {
    /// Returns false for a tenant that has no host yet: its trial is not activated, or it is
    /// suspended or still being created.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.api_host
            .as_ref()
            .is_some_and(|host| !host.trim().is_empty())
    }

    /// Returns true if the tenant's data is in that region: a region such as `eu02` or the beginning
    /// of one such as `eu`, a geography such as `DE`, or `ap` for Australia, Japan and India.
    #[must_use]
    pub fn is_in(&self, region: &str) -> bool {
        let region = region.trim().to_ascii_lowercase();
        let starts = self
            .data_region
            .as_ref()
            .is_some_and(|own| !region.is_empty() && own.to_ascii_lowercase().starts_with(&region));
        let geography = self.data_geography.as_deref().unwrap_or_default();
        starts
            || geography.eq_ignore_ascii_case(&region) && !region.is_empty()
            || (region == "ap"
                && ["AU", "JP", "IN"]
                    .iter()
                    .any(|known| geography.eq_ignore_ascii_case(known)))
    }
}

impl From<&Tenant> for Target {
    fn from(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id.clone(),
            name: tenant.display_name().to_owned(),
            api_host: tenant
                .api_host
                .clone()
                .filter(|host| !host.trim().is_empty()),
            data_region: tenant.data_region.clone(),
            data_geography: tenant.data_geography.clone(),
            status: tenant.status.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_match_by_prefix_geography_and_group() {
        let tenant: Tenant =
            serde_json::from_str(r#"{"id":"1","dataRegion":"jp01","dataGeography":"JP"}"#).unwrap();
        let target = Target::from(&tenant);
        for yes in ["jp01", "JP", "jp", "ap", " jp "] {
            assert!(target.is_in(yes), "{yes}");
        }
        for no in ["eu", "us", "", "p01", "AU"] {
            assert!(!target.is_in(no), "{no}");
        }
        assert!(!target.is_ready());
    }
}
