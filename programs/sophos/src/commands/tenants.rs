//! `tenants ...`

use clikit::{Error, Exit};
use serde::Deserialize;
use serde_json::value::RawValue;
use sophos_central::{
    Progress, TenantId,
    tenants::{Target, Tenant, TenantFilter},
};

use super::field_roots;
use crate::{
    app::App,
    args::{TenantFilters, TenantsCommand},
    face::{Work, call, list},
    listing::{Kind, Plan, planned, print_pages},
    render, scope, settings,
};

const TENANTS: Kind = Kind {
    view: &render::TENANTS,
    plural: "tenants",
};

pub(super) fn run(app: &App, command: TenantsCommand) -> Result<Exit, Error> {
    match command {
        TenantsCommand::List(args) => {
            let filters = Local::new(app, &args.filters);
            let mut plan = Plan::new(app, &args.paging);
            // The service knows no filters here, so they look at everything.
            if filters.is_some() {
                plan = plan.filtered(&args.paging);
            }
            let mut wanted = TenantFilter::default();
            if filters.is_none() {
                wanted.fields = field_roots(app);
            }
            let face = app.connect()?;
            let counters = Progress::new();
            let keep = |item: &RawValue| filters.as_ref().is_none_or(|filters| filters.keep(item));
            let tenants = list!(&face, &None, |client| planned!(
                plan,
                &counters,
                client.tenants().list().filter(wanted)
            ));
            let outcome = print_pages(app, TENANTS, plan, &keep, tenants.pages());
            app.warn_if_suspect(&counters);
            outcome
        }
        TenantsCommand::Get(args) => {
            let face = app.connect()?;
            let id = TenantId::from(args.id.as_str());
            let tenant = call!(&face, Work::Read, |client| client.tenants().get(&id))?;
            app.output()?.object(&render::TENANTS, tenant.raw())?;
            Ok(Exit::Success)
        }
    }
}

/// Filters that are applied here.
struct Local {
    region: Option<String>,
    name: Option<String>,
    status: Vec<String>,
}

impl Local {
    fn new(app: &App, args: &TenantFilters) -> Option<Self> {
        let filters = Self {
            region: settings::region_filter(&app.settings).map(str::to_owned),
            name: args.name.clone(),
            status: args.status.clone(),
        };
        let any = filters.region.is_some() || filters.name.is_some() || !filters.status.is_empty();
        any.then_some(filters)
    }

    fn keep(&self, item: &RawValue) -> bool {
        let Ok(tenant) = Tenant::deserialize(item) else {
            return true;
        };
        let region = self
            .region
            .as_ref()
            .is_none_or(|region| Target::from(&tenant).is_in(region));
        let status = self.status.is_empty()
            || self.status.iter().any(|wanted| {
                tenant
                    .status
                    .as_deref()
                    .is_some_and(|own| own.eq_ignore_ascii_case(wanted))
            });
        let name = self.name.as_ref().is_none_or(|wanted| {
            let names = [&tenant.show_as, &tenant.name];
            names
                .into_iter()
                .flatten()
                .any(|name| scope::matches(wanted, name))
        });
        region && status && name
    }
}
