//! `alerts ...`

use clikit::{Error, Exit};
use sophos_central::{AlertId, Progress, alerts::AlertFilter};

use super::field_roots;
use crate::{
    app::App,
    args::{AlertFilters, AlertsCommand},
    face::{Face, Work, call, list},
    listing::{Kind, Plan, planned, print_across, print_pages},
    render,
    scope::{self, Tenants},
};

const ALERTS: Kind = Kind {
    view: &render::ALERTS,
    plural: "alerts",
};

pub(super) fn run(app: &App, command: AlertsCommand) -> Result<Exit, Error> {
    match command {
        AlertsCommand::List(args) => {
            let plan = Plan::new(app, &args.paging);
            let filter = filter(app, args.filters);
            print_list(app, &app.connect()?, &filter, plan)
        }
        AlertsCommand::Get(args) => {
            let face = app.connect()?;
            let id = AlertId::from(args.id.as_str());
            let tenant = scope::tenant(app, &face)?;
            let alert = call!(&face, Work::Read, &tenant, |client| client
                .alerts()
                .get(&id))?;
            app.output()?.object(&render::ALERTS, alert.raw())?;
            Ok(Exit::Success)
        }
    }
}

fn print_list(app: &App, face: &Face, filter: &AlertFilter, plan: Plan) -> Result<Exit, Error> {
    let counters = Progress::new();
    let keep_all = |_: &_| true;
    let outcome = match scope::tenants(app, face)? {
        Tenants::One(tenant) => {
            let alerts = list!(face, &tenant, |client| planned!(
                plan,
                &counters,
                client.alerts().list().filter(filter.clone())
            ));
            print_pages(app, ALERTS, plan, &keep_all, alerts.pages())
        }
        Tenants::Many(tenants) => {
            let alerts = list!(face, &None, |client| planned!(
                plan,
                &counters,
                client.alerts().list().filter(filter.clone())
            ));
            let items = alerts.across(tenants.clone());
            print_across(app, ALERTS, plan, &keep_all, &tenants, items)
        }
    };
    app.warn_if_suspect(&counters);
    outcome
}

fn filter(app: &App, args: AlertFilters) -> AlertFilter {
    let mut filter = AlertFilter::default();
    filter.from = args.from;
    filter.to = args.to;
    filter.products = args.product;
    filter.categories = args.category;
    filter.severities = args.severity;
    filter.group_key = args.group_key;
    filter.ids = (!args.ids.is_empty()).then(|| {
        args.ids
            .iter()
            .map(|id| AlertId::from(id.as_str()))
            .collect()
    });
    filter.sort = args.sort;
    filter.fields = field_roots(app);
    filter
}
