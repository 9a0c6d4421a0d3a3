//! What the service says about accounts and tenants.

use crate::id::TenantId;
use crate::wire::{model, values};

values! {
    /// What kind of account a credential belongs to.
    pub enum IdType as "kind of credential" {
        /// One customer.
        Tenant = "tenant",
        /// A partner who looks after many customers.
        Partner = "partner",
        /// An organization with many tenants.
        Organization = "organization",
    }
}

values! {
    /// How a tenant is billed.
    pub enum BillingType as "billing type" {
        /// By a term licence.
        Term = "term",
        /// Not yet: a trial.
        Trial = "trial",
        /// By use.
        Usage = "usage",
    }
}

model! {
    /// Who the credential belongs to, and where its calls go.
    pub struct Whoami {
        @required {
            /// The id of the tenant, partner or organization.
            id: String,
        }
        /// Which of them it is.
        id_type: Option<IdType>,
        /// The hosts to call.
        api_hosts: Option<ApiHosts>,
    }
}

impl Whoami {
    /// Returns true if the credential belongs to one tenant.
    ///
    /// Where the service does not say what it belongs to, a host for the data tells: only a tenant's
    /// credential has one.
    #[must_use]
    pub fn is_tenant(&self) -> bool {
        match &self.id_type {
            Some(kind) => *kind == IdType::Tenant,
            None => self.data_region_host().is_some(),
        }
    }

    /// Returns true if the credential belongs to a partner or an organization, and reaches their
    /// tenants.
    #[must_use]
    pub fn has_tenants(&self) -> bool {
        matches!(self.id_type, Some(IdType::Partner | IdType::Organization))
    }

    /// Returns the host for later calls that belong to no tenant.
    #[must_use]
    pub fn global_host(&self) -> Option<&str> {
        self.api_hosts.as_ref()?.global.as_deref()
    }

    /// Returns the host of the tenant's data; only a tenant's credential has one.
    #[must_use]
    pub fn data_region_host(&self) -> Option<&str> {
        self.api_hosts.as_ref()?.data_region.as_deref()
    }
}

model! {
    /// The hosts that a credential's calls go to.
    pub struct ApiHosts {
        /// For calls that belong to no tenant.
        global: Option<String>,
        /// For the tenant's data.
        data_region: Option<String>,
    }
}

model! {
    /// A tenant: one customer's account.
    pub struct Tenant {
        @required {
            /// Its id.
            id: TenantId,
        }
        /// The name to show.
        show_as: Option<String>,
        /// Its name.
        name: Option<String>,
        /// Where its data is, such as `DE`.
        data_geography: Option<String>,
        /// The region its data is in, such as `eu02`.
        data_region: Option<String>,
        /// How it is billed.
        billing_type: Option<BillingType>,
        /// The partner who looks after it.
        partner: Option<AccountRef>,
        /// The organization it belongs to.
        organization: Option<AccountRef>,
        /// The host of its data; absent while the tenant is not ready.
        api_host: Option<String>,
        /// Its status, such as `active`.
        status: Option<String>,
        /// Its products.
        products: Vec<TenantProduct>,
    }
}

impl Tenant {
    /// Returns the name to show: `show_as`, else `name`, else the id.
    #[must_use]
    pub fn display_name(&self) -> &str {
        [&self.show_as, &self.name]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .find(|name| !name.trim().is_empty())
            .unwrap_or(self.id.as_str())
    }
}

model! {
    /// Points to a tenant.
    pub struct TenantRef {
        @required {
            /// Its id.
            id: TenantId,
        }
        /// Its name.
        name: Option<String>,
    }
}

model! {
    /// Points to a partner or an organization.
    pub struct AccountRef {
        /// Its id.
        id: Option<String>,
    }
}

model! {
    /// A product of a tenant.
    pub struct TenantProduct {
        /// The product.
        code: Option<String>,
    }
}

#[cfg(test)]
mod tests {
    use crate::Record;

    use super::*;

    #[test]
    fn whoami_is_read_for_both_kinds() {
        let tenant: Whoami = serde_json::from_str(r#"{"id":"7d1e2c34-9a0b-4c5d-8e6f-102938475601","idType":"tenant","apiHosts":{"global":"https://api.central.sophos.com","dataRegion":"https://api-eu02.central.sophos.com"}}"#).unwrap();
        assert!(tenant.is_tenant());
        assert_eq!(
            tenant.data_region_host(),
            Some("https://api-eu02.central.sophos.com")
        );
        let partner: Whoami = serde_json::from_str(r#"{"id":"B3A9F0C2-55D1-4E77-A1B2-C3D4E5F60718","idType":"partner","apiHosts":{"global":"https://api.central.sophos.com/"}}"#).unwrap();
        assert_eq!(partner.id_type, Some(IdType::Partner));
        assert_eq!(partner.id, "B3A9F0C2-55D1-4E77-A1B2-C3D4E5F60718");
        assert_eq!(partner.data_region_host(), None);
    }

    #[test]
    fn a_tenant_that_is_not_ready_has_no_host() {
        let ready = r#"{"id":"2f6c1a90-7b1e-4a2d-9c3f-5e6d7c8b9a01","showAs":"Müller Optik","name":"Mueller Optik GmbH","dataGeography":"DE","dataRegion":"eu02","billingType":"usage","partner":{"id":"B3A9F0C2-55D1-4E77-A1B2-C3D4E5F60718"},"apiHost":"https://api-eu02.central.sophos.com","status":"active","note":null}"#;
        let tenant: Record<Tenant> = serde_json::from_str(ready).unwrap();
        assert_eq!(tenant.display_name(), "Müller Optik");
        assert_eq!(tenant.billing_type, Some(BillingType::Usage));
        assert_eq!(serde_json::to_string(&tenant).unwrap(), ready);
        let trial = r#"{"id":"91b7e3d4-0c2a-4f58-8d1e-7a6b5c4d3e2f","showAs":"","name":"Harbor Dental","billingType":"trial","apiHost":null}"#;
        let tenant: Record<Tenant> = serde_json::from_str(trial).unwrap();
        assert_eq!(tenant.api_host, None);
        assert_eq!(tenant.display_name(), "Harbor Dental");
    }
}
