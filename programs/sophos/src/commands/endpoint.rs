//! `endpoint ...`

use clikit::{Error, Exit};
use secrecy::ExposeSecret as _;
use serde_json::value::RawValue;
use sophos_central::{
    EndpointId, Progress, TenantId, View,
    endpoint::{EndpointFilter, IsolationStatus, TamperChange, TamperProtection},
};

use super::{change, field_roots};
use crate::{
    app::App,
    args::{self, EndpointCommand, EndpointFilters, TamperCommand, TamperUpdate},
    face::{Face, Work, attempt, call, list},
    listing::{Kind, Plan, planned, print_across, print_pages},
    render,
    scope::{self, Tenants},
};

const ENDPOINTS: Kind = Kind {
    view: &render::ENDPOINTS,
    plural: "devices",
};

pub(super) fn run(app: &App, command: EndpointCommand) -> Result<Exit, Error> {
    match command {
        EndpointCommand::List(args) => {
            let plan = Plan::new(app, &args.paging);
            let filter = filter(app, args.filters);
            if filter.uses_suspended() {
                app.console
                    .warn("the vendor has switched off filters by group until further notice");
            }
            print_list(app, &app.connect()?, &filter, plan)
        }
        EndpointCommand::Get(args) => {
            let (face, tenant, id) = one(app, &args.id)?;
            let view = args.view.wire();
            let endpoint = call!(&face, Work::Read, &tenant, |client| client
                .endpoint()
                .get_view(&id, view.clone()))?;
            app.output()?.object(&render::ENDPOINTS, endpoint.raw())?;
            Ok(Exit::Success)
        }
        EndpointCommand::Isolation(args) => {
            let (face, tenant, id) = one(app, &args.id)?;
            let isolation = call!(&face, Work::Read, &tenant, |client| client
                .endpoint()
                .isolation(&id))?;
            app.output()?.object(&render::ISOLATION, isolation.raw())?;
            Ok(Exit::Success)
        }
        EndpointCommand::Isolate(args) => change::isolate(app, args.ids, true, args.comment),
        EndpointCommand::Unisolate(args) => change::isolate(app, args.ids, false, args.comment),
        EndpointCommand::Scan(args) => {
            change::task(app, change::Task::Scan, args.ids, args.comment.is_some())
        }
        EndpointCommand::UpdateCheck(args) => change::task(
            app,
            change::Task::UpdateCheck,
            args.ids,
            args.comment.is_some(),
        ),
        EndpointCommand::Tamper { command } => tamper(app, command),
    }
}

fn tamper(app: &App, command: TamperCommand) -> Result<Exit, Error> {
    match command {
        TamperCommand::Get(args) => {
            let (face, tenant, id) = one(app, &args.id)?;
            let found = call!(&face, Work::Read, &tenant, |client| client
                .endpoint()
                .tamper_protection(&id))?;
            if args.show_password {
                app.output()?.object(&render::TAMPER, found.raw())?;
            } else {
                app.output()?
                    .object(&render::TAMPER, &TamperProtection::masked(&found))?;
            }
            Ok(Exit::Success)
        }
        TamperCommand::Update(args) => update_tamper(app, &args),
        TamperCommand::Password(args) => {
            let (face, tenant, id) = one(app, &args.id)?;
            let found = call!(&face, Work::Read, &tenant, |client| client
                .endpoint()
                .tamper_protection(&id))?;
            let Some(password) = &found.password else {
                return Err(Error::api(format!(
                    "device {id} has no tamper protection password"
                )));
            };
            let mut lines = vec![password.expose_secret().to_owned()];
            if args.history {
                let previous = found.previous_passwords.iter();
                lines.extend(previous.filter_map(|old| old.expose_password().map(str::to_owned)));
            }
            app.output()?.text(&lines.join("\n"))?;
            Ok(Exit::Success)
        }
    }
}

fn update_tamper(app: &App, args: &TamperUpdate) -> Result<Exit, Error> {
    if !(args.enable || args.disable || args.regenerate_password) {
        return Err(Error::user("there is nothing to change")
            .with_hint("add --enable, --disable or --regenerate-password"));
    }
    let mut change = TamperChange::new();
    if args.enable {
        change = change.enable();
    }
    if args.disable {
        change = change.disable();
    }
    if args.regenerate_password {
        change = change.regenerate_password();
    }
    let (face, tenant, id) = one(app, &args.id)?;
    if app.global.dry_run {
        let planned = attempt!(&face, Work::Read, &tenant, |client| client
            .without_writes()
            .endpoint()
            .update_tamper_protection(&id, change))?;
        return change::show_planned(app, planned.err());
    }
    let now = call!(&face, Work::Write, &tenant, |client| client
        .endpoint()
        .update_tamper_protection(&id, change))?;
    if args.show_password {
        app.output()?.object(&render::TAMPER, now.raw())?;
    } else {
        app.output()?
            .object(&render::TAMPER, &TamperProtection::masked(&now))?;
    }
    Ok(Exit::Success)
}

/// The client, the tenant and the id of a command about one device.
fn one(app: &App, id: &str) -> Result<(Face, Option<TenantId>, EndpointId), Error> {
    let id = EndpointId::from(id);
    change::warn_about_ids(app, std::slice::from_ref(&id));
    let face = app.connect()?;
    let tenant = scope::tenant(app, &face)?;
    Ok((face, tenant, id))
}

fn print_list(app: &App, face: &Face, filter: &EndpointFilter, plan: Plan) -> Result<Exit, Error> {
    let counters = Progress::new();
    let keep_all = |_: &RawValue| true;
    let outcome = match scope::tenants(app, face)? {
        Tenants::One(tenant) => {
            let endpoints = list!(face, &tenant, |client| planned!(
                plan,
                &counters,
                client.endpoint().list().filter(filter.clone())
            ));
            print_pages(app, ENDPOINTS, plan, &keep_all, endpoints.pages())
        }
        Tenants::Many(tenants) => {
            let endpoints = list!(face, &None, |client| planned!(
                plan,
                &counters,
                client.endpoint().list().filter(filter.clone())
            ));
            let items = endpoints.across(tenants.clone());
            print_across(app, ENDPOINTS, plan, &keep_all, &tenants, items)
        }
    };
    app.warn_if_suspect(&counters);
    outcome
}

fn filter(app: &App, args: EndpointFilters) -> EndpointFilter {
    let mut filter = EndpointFilter::default();
    filter.health = args.health;
    filter.kind = args.kind;
    filter.lockdown_status = args.lockdown_status;
    filter.encryption_status = args.encryption_status;
    filter.tamper_protection_enabled = either(args.tamper_protection, args.no_tamper_protection);
    filter.isolation_status = either(args.isolated, args.not_isolated).map(|isolated| {
        if isolated {
            IsolationStatus::Isolated
        } else {
            IsolationStatus::NotIsolated
        }
    });
    filter.online = either(args.online, args.offline);
    filter.hostname_contains = args.hostname_contains;
    filter.associated_person_contains = args.person_contains;
    filter.serial_number_contains = args.serial_contains;
    filter.last_seen_before = args.last_seen_before;
    filter.last_seen_after = args.last_seen_after;
    filter.ids = (!args.ids.is_empty()).then(|| {
        args.ids
            .iter()
            .map(|id| EndpointId::from(id.as_str()))
            .collect()
    });
    filter.ip_addresses = args.ip_addresses;
    filter.mac_addresses = args.mac_addresses;
    filter.cloud = args.cloud;
    filter.search = args.search;
    filter.search_fields = args.search_fields;
    filter.sort = args.sort;
    filter.view = args.view.map(args::View::wire);
    filter.fields = field_roots(app);
    filter
}

fn either(yes: bool, no: bool) -> Option<bool> {
    match (yes, no) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

impl args::View {
    fn wire(self) -> View {
        match self {
            Self::Basic => View::Basic,
            Self::Summary => View::Summary,
            Self::Full => View::Full,
        }
    }
}
