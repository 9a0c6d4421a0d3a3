//! Who there is: the three kinds of credentials, and the tenants behind them.

use crate::random::Seed;

/// The kind of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Tenant,
    Partner,
    Organization,
}

impl Kind {
    /// Returns the name, which is the client id of the credential too.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Partner => "partner",
            Self::Organization => "organization",
        }
    }

    pub(crate) fn of_client(client_id: &str) -> Option<Self> {
        [Self::Tenant, Self::Partner, Self::Organization]
            .into_iter()
            .find(|kind| kind.name() == client_id)
    }
}

/// Which account: the credential it belongs to, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AccountKey {
    pub(crate) kind: Kind,
    pub(crate) number: u32,
}

/// A tenant, as the regional routes see it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) key: AccountKey,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) seed: Seed,
    pub(crate) endpoints: u32,
    pub(crate) alerts: u32,
    pub(crate) region: usize,
    pub(crate) access: Access,
    pub(crate) odd_records: bool,
}

/// What an account allows to the credential above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Full,
    /// Every regional call is answered with 403.
    Denied,
    /// It has no regional host yet.
    Homeless,
}

/// All accounts, computed from the seed.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub(crate) seed: Seed,
    pub(crate) endpoints: u32,
    pub(crate) alerts: u32,
    pub(crate) tenants: u32,
    pub(crate) tenant_endpoints: u32,
    pub(crate) tenant_alerts: u32,
    pub(crate) regions: usize,
    pub(crate) odd_records: bool,
}

impl Directory {
    /// Returns the id that whoami tells for a credential.
    pub(crate) fn identity(&self, kind: Kind) -> String {
        let id = self.seed.child(kind.name(), 0).uuid(0);
        // Ids of partners are often in upper case.
        if kind == Kind::Partner {
            id.to_uppercase()
        } else {
            id
        }
    }

    /// Returns the one account of the tenant credential.
    pub(crate) fn own(&self) -> Account {
        Account {
            key: AccountKey {
                kind: Kind::Tenant,
                number: 0,
            },
            id: self.identity(Kind::Tenant),
            name: "Nordlicht AG".to_owned(),
            seed: self.seed.child("account-tenant", 0),
            endpoints: self.endpoints,
            alerts: self.alerts,
            region: 0,
            access: Access::Full,
            odd_records: self.odd_records,
        }
    }

    /// Returns a tenant of a partner or an organization.
    pub(crate) fn tenant(&self, kind: Kind, number: u32) -> Account {
        let seed = self.tenants_seed(kind);
        // Every tenth customer has bought nothing yet.
        let empty = number % 10 == 9;
        Account {
            key: AccountKey { kind, number },
            id: seed.uuid(number),
            name: self.company(kind, number),
            seed: seed.child("account", u64::from(number)),
            endpoints: if empty { 0 } else { self.tenant_endpoints },
            alerts: if empty { 0 } else { self.tenant_alerts },
            region: number as usize % self.regions.max(1),
            access: match number {
                HOMELESS if self.odd_records => Access::Homeless,
                DENIED if self.odd_records => Access::Denied,
                _ => Access::Full,
            },
            odd_records: self.odd_records,
        }
    }

    /// Finds the account of a tenant id that a credential may act on. The id must be exactly the one that was given out.
    pub(crate) fn find(&self, kind: Kind, id: &str) -> Option<Account> {
        if kind == Kind::Tenant {
            return Some(self.own()).filter(|account| account.id == id);
        }
        self.find_tenant(kind, id)
    }

    /// Finds a tenant of a partner or an organization.
    pub(crate) fn find_tenant(&self, kind: Kind, id: &str) -> Option<Account> {
        let number = self.tenants_seed(kind).index_of(id)?;
        (number < self.tenants)
            .then(|| self.tenant(kind, number))
            .filter(|account| account.id == id)
    }

    fn tenants_seed(&self, kind: Kind) -> Seed {
        self.seed.child(kind.name(), 1)
    }

    fn company(&self, kind: Kind, number: u32) -> String {
        let seed = self.tenants_seed(kind);
        // Neighbours differ, and a number keeps names apart when the words run out.
        let word = COMPANY_WORDS[number as usize % COMPANY_WORDS.len()];
        let trade = seed.pick(number, 1, COMPANY_TRADES);
        let form = seed.pick(number, 2, COMPANY_FORMS);
        match number as usize / COMPANY_WORDS.len() {
            0 => format!("{word} {trade} {form}"),
            round => format!("{word} {trade} {} {form}", round + 1),
        }
    }
}

/// The tenant without a regional host, counted from 0.
pub(crate) const HOMELESS: u32 = 3;
/// The tenant that always answers 403, counted from 0.
pub(crate) const DENIED: u32 = 5;

const COMPANY_WORDS: &[&str] = &[
    "Mueller",
    "Harbor",
    "Kestrel",
    "Nordwind",
    "Alder",
    "Blue Gate",
    "Castell",
    "Dover",
    "Elm",
    "Fjord",
    "Granite",
    "Hansa",
    "Iris",
    "Juniper",
    "Kiel",
    "Lindgren",
    "Moss",
    "Nova",
    "Orchard",
    "Pike",
    "Quill",
    "Rowan",
    "Sable",
    "Tern",
    "Umber",
    "Vale",
    "Willow",
    "Yarrow",
    "Zephyr",
];
const COMPANY_TRADES: &[&str] = &[
    "Optik",
    "Dental",
    "Logistics",
    "Foods",
    "Tools",
    "Press",
    "Clinic",
    "Textiles",
    "Energy",
    "Marine",
    "Glass",
    "Systems",
];
const COMPANY_FORMS: &[&str] = &["GmbH", "AG", "Ltd", "Inc", "AB", "SARL"];
