//! Prints lists: page by page, from one tenant or from many, whole or in part.

use clikit::{
    Class, Error, Exit,
    output::{Ending, Format, View},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json, value::RawValue};
use sophos_central::{Page, RawItem, TenantFailure, tenants::Target};

use crate::{
    app::App,
    args::Paging,
    face::{FromTenant, Pulled},
    failure::failure,
    settings,
};

/// How much of a list is fetched and in what portions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Items per request; `None` for the largest page that the service gives.
    pub(crate) page_size: Option<u32>,
    /// Stop after one page.
    pub(crate) one_page: bool,
    /// Stop after so many items.
    pub(crate) limit: Option<u64>,
    /// Items are left out here, so that the service cannot count them.
    pub(crate) filtered: bool,
}

/// Puts a plan on a list of any area.
macro_rules! planned {
    ($plan:expr, $counters:expr, $list:expr) => {{
        let plan: $crate::listing::Plan = $plan;
        let mut list = $list.with_totals().report_to($counters);
        if let Some(size) = plan.page_size {
            list = list.page_size(size);
        }
        if plan.one_page {
            list = list.max_pages(1);
        }
        if let Some(limit) = plan.limit.filter(|_| !plan.filtered) {
            list = list.max_items(limit);
        }
        list.raw()
    }};
}
pub(crate) use planned;

impl Plan {
    /// What the options and settings come to.
    pub(crate) fn new(app: &App, paging: &Paging) -> Self {
        let usual = settings::number(&app.settings, "output.page_size").unwrap_or(USUAL_PAGE);
        let everything = paging.all_pages
            || (app.global.sandbox && paging.limit.is_none() && paging.page_size.is_none());
        let page_size = match (paging.page_size, paging.limit) {
            (Some(size), _) => Some(size),
            (None, _) if paging.all_pages => None,
            // The service's maximum still bounds it.
            (None, Some(limit)) => Some(u32::try_from(limit).unwrap_or(u32::MAX).min(LARGEST_PAGE)),
            (None, None) => Some(usual),
        };
        Self {
            page_size,
            one_page: !everything && paging.limit.is_none(),
            limit: paging.limit,
            filtered: false,
        }
    }

    /// The same for a list whose items are filtered here: all of them have to be looked at.
    pub(crate) fn filtered(self, paging: &Paging) -> Self {
        Self {
            page_size: paging.page_size,
            one_page: false,
            filtered: true,
            ..self
        }
    }

    fn is_reached(self, items: u64) -> bool {
        self.limit.is_some_and(|limit| items >= limit)
    }
}

/// What the items of a list are called, for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) view: &'static View,
    pub(crate) plural: &'static str,
}

/// Decides whether an item is printed.
pub(crate) type Keep<'a> = &'a dyn Fn(&RawValue) -> bool;

/// Prints the pages of one list.
///
/// What was delivered before a failure is printed, and the failure is the outcome.
pub(crate) fn print_pages(
    app: &App,
    kind: Kind,
    plan: Plan,
    keep: Keep<'_>,
    pages: Pulled<'_, Page<RawItem>>,
) -> Result<Exit, Error> {
    let mut list = app.output()?.list(kind.view)?;
    let progress = app.progress(kind.plural);
    let mut blocks = PageBlocks::default();
    let mut fetched = 0;
    let mut trouble = None;
    for page in pages {
        let page = match page {
            Ok(page) => page,
            Err(error) if fetched == 0 => return Err(error),
            Err(error) => {
                trouble = Some(error);
                break;
            }
        };
        let items = u64::try_from(page.items.len()).unwrap_or(u64::MAX);
        fetched += items;
        blocks.see(&page);
        progress.set_total(blocks.total);
        progress.page(items);
        for item in page.items.iter().filter(|item| keep(item)) {
            if !plan.is_reached(list.rows()) {
                list.push(item)?;
            }
        }
        list.end_page()?;
        if plan.filtered && plan.is_reached(list.rows()) {
            break;
        }
        if app.interrupts.is_draining() && blocks.more {
            trouble = Some(Error::interrupted());
            break;
        }
    }
    progress.finish();
    let mut ending = Ending::new().pages(blocks.to_json(plan)?);
    if let Some(error) = &trouble {
        ending = ending.errors(Some(vec![error_row(None, error)?]));
    } else if plan.filtered {
        if plan.is_reached(list.rows()) {
            ending = ending.remainder(None, how_to_get_the_rest(plan));
        }
    } else if blocks.more || plan.is_reached(fetched) {
        ending = ending.remainder(blocks.total, how_to_get_the_rest(plan));
    }
    let rows = list.finish(ending)?;
    match trouble {
        None => Ok(Exit::Success),
        Some(error) => Err(incomplete(error, rows)),
    }
}

/// Prints the items of many tenants, tenant by tenant, with the tenants that failed at the end.
pub(crate) fn print_across(
    app: &App,
    kind: Kind,
    plan: Plan,
    keep: Keep<'_>,
    tenants: &[Target],
    items: Pulled<'_, FromTenant>,
) -> Result<Exit, Error> {
    let output = app.output()?.lead("tenant");
    // The first column of a table or of CSV; in JSON a member that every item has.
    let json = matches!(output.format(), Format::Json | Format::Ndjson);
    let output = match &app.global.fields {
        Some(fields) if json => output.fields(Some(fields.clone().with_root("tenant"))),
        _ => output,
    };
    let mut list = output.list(kind.view)?;
    let progress = app.progress(kind.plural);
    let mut failures: Vec<TenantFailure> = Vec::new();
    let mut skipped = 0;
    let mut stopped = None;
    for item in items {
        match item {
            Err(error) => {
                stopped = Some(error);
                break;
            }
            Ok(Ok(found)) => {
                progress.add(1);
                if keep(&found.item) {
                    let named = json
                        .then(|| with_tenant(&found.tenant, &found.item))
                        .flatten();
                    let item = named.as_deref().unwrap_or(&found.item);
                    list.push_from(&found.tenant.name, item)?;
                    list.end_page()?;
                }
            }
            Ok(Err(failed)) if failed.is_skipped() => {
                skipped += 1;
                if let Some(tenant) = failed.tenant() {
                    app.console.warn(&format!(
                        "tenant {} ({}) is left out: it has no API host yet",
                        tenant.name, tenant.id
                    ));
                }
            }
            Ok(Err(failed)) => failures.push(failed),
        }
    }
    progress.finish();
    let mut rows = Vec::new();
    for failed in &failures {
        rows.push(error_row(
            failed.tenant(),
            &failure(failed.error().clone()),
        )?);
    }
    if let Some(error) = &stopped {
        rows.push(error_row(None, error)?);
    }
    let mut ending = Ending::new().errors(Some(rows));
    if stopped.is_none() && plan.one_page {
        app.console.note(&format!(
            "one page of each tenant; {}",
            how_to_get_the_rest(plan)
        ));
    } else if let Some(limit) = plan.limit.filter(|limit| list.rows() >= *limit) {
        ending = ending.remainder(None, format!("--limit {limit} was reached"));
    }
    let printed = list.finish(ending)?;
    if let Some(error) = stopped {
        return Err(incomplete(error, printed));
    }
    let asked = tenants.len() - skipped;
    match failures.len() {
        0 => Ok(Exit::Success),
        failed if failed == asked && printed == 0 => Err(all_failed(failures, kind.plural)),
        failed => Err(some_failed(failures, failed, asked, kind.plural)),
    }
}

/// The outcome when some tenants failed and others did not.
fn some_failed(failures: Vec<TenantFailure>, failed: usize, asked: usize, plural: &str) -> Error {
    let tenants = if asked == 1 { "tenant" } else { "tenants" };
    let text = format!("the {plural} of {failed} of {asked} {tenants} could not be listed");
    summed_up(Error::partial(text), failures)
}

/// The outcome when every tenant failed: the class is that of the first.
fn all_failed(failures: Vec<TenantFailure>, plural: &str) -> Error {
    let class = failures
        .first()
        .map_or(Class::Api, |failed| failure(failed.error().clone()).class());
    summed_up(
        Error::new(class, format!("the {plural} of no tenant could be listed")),
        failures,
    )
}

fn summed_up(error: Error, failures: Vec<TenantFailure>) -> Error {
    let hint = failures.first().and_then(|failed| failed.error().hint());
    let error = failures.iter().fold(error, |error, failed| {
        error.with_failure(failed.to_string())
    });
    hint.into_iter().fold(error, Error::with_hint)
}

/// The outcome of a list that ended early with something printed.
fn incomplete(error: Error, rows: u64) -> Error {
    let text = format!("the list is incomplete: {rows} printed");
    if error.is_interrupted() {
        return Error::new(Class::Interrupted, format!("interrupted; {text}"));
    }
    error.context(text).with_class(Class::Partial)
}

fn how_to_get_the_rest(plan: Plan) -> String {
    match plan.limit {
        Some(limit) => format!("--limit {limit} was reached"),
        None => "use --all for the rest".to_owned(),
    }
}

/// A row of `errors` in JSON output.
pub(crate) fn error_row(tenant: Option<&Target>, error: &Error) -> Result<Box<RawValue>, Error> {
    let mut row: Vec<(&str, Value)> = Vec::new();
    if let Some(tenant) = tenant {
        row.push((
            "tenant",
            json!({"id": tenant.id.as_str(), "name": tenant.name}),
        ));
    }
    row.push(("message", error.to_string().into()));
    for (name, value) in error.details() {
        // The service's own words are part of the text already.
        if row.iter().all(|(known, _)| *known != name) {
            row.push((name, value.clone()));
        }
    }
    object(&row)
}

/// The member `tenant` of an item as it stands in its text, also where it is null.
fn tenant_member(item: &RawValue) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct Item<'a> {
        #[serde(borrow, default, deserialize_with = "present")]
        tenant: Option<&'a RawValue>,
    }

    fn present<'de, D: Deserializer<'de>>(input: D) -> Result<Option<&'de RawValue>, D::Error> {
        <&RawValue>::deserialize(input).map(Some)
    }

    serde_json::from_str::<Item<'_>>(item.get()).ok()?.tenant
}

/// The item with its tenant, where it came without; `None` if it names one itself.
fn with_tenant(tenant: &Target, item: &RawValue) -> Option<Box<RawValue>> {
    let value = || json!({"id": tenant.id.as_str(), "name": tenant.name});
    match tenant_member(item) {
        None => Some(with_member("tenant", &value(), item)),
        Some(member) if member.get() == "null" => {
            let text = item.get();
            let start = member.get().as_ptr() as usize - text.as_ptr() as usize;
            let (head, tail) = text.split_at_checked(start)?;
            let tail = tail.strip_prefix("null")?;
            RawValue::from_string(format!("{head}{}{tail}", value())).ok()
        }
        Some(_) => None,
    }
}

/// Puts a member in front of those of an object.
pub(crate) fn with_member(name: &str, value: &Value, item: &RawValue) -> Box<RawValue> {
    let members = item.get().trim().trim_start_matches('{').trim_start();
    let head = format!("{{\"{name}\":{value}");
    let text = if members == "}" {
        format!("{head}}}")
    } else {
        format!("{head},{members}")
    };
    // Whatever is no object is shown as it is.
    RawValue::from_string(text).unwrap_or_else(|_| item.to_owned())
}

/// An object whose members keep their order.
pub(crate) fn object(members: &[(&str, Value)]) -> Result<Box<RawValue>, Error> {
    struct Members<'a>(&'a [(&'a str, Value)]);

    impl Serialize for Members<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
        }
    }

    to_raw(&Members(members))
}

fn to_raw(value: &impl Serialize) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(value)
        .map_err(|error| Error::internal("cannot write JSON").with_source(error))
}

/// What the `pages` blocks of the service come to.
#[derive(Default)]
struct PageBlocks {
    first: Option<Map<String, Value>>,
    last: Option<Map<String, Value>>,
    pages: u64,
    total: Option<u64>,
    /// Whether the service has more behind the last page.
    more: bool,
}

impl PageBlocks {
    fn see(&mut self, page: &Page<RawItem>) {
        self.pages += 1;
        self.more = page.next.is_some();
        let Some(info) = &page.info else { return };
        self.total = self.total.or(info.total_items);
        let block: Option<Map<String, Value>> = info
            .raw
            .as_ref()
            .and_then(|raw| serde_json::from_str(raw.get()).ok());
        if self.first.is_none() {
            self.first.clone_from(&block);
        }
        self.last = block;
    }

    /// One page: its block as it came. Several: what is true of all of them together.
    fn to_json(&self, plan: Plan) -> Result<Option<Box<RawValue>>, Error> {
        let Some(first) = &self.first else {
            return Ok(None);
        };
        let mut block = first.clone();
        if self.pages > 1 {
            for name in ["current", "nextKey"] {
                block.remove(name);
            }
            if let Some(next) = self.last.as_ref().and_then(|last| last.get("nextKey")) {
                block.insert("nextKey".into(), next.clone());
            }
        }
        // The key leads behind the page, but the limit may have cut the page.
        if plan.limit.is_some() {
            block.remove("nextKey");
        }
        to_raw(&Value::Object(block)).map(Some)
    }
}

const USUAL_PAGE: u32 = 50;
/// No list of the service has larger pages.
const LARGEST_PAGE: u32 = 1000;

#[cfg(test)]
mod tests {
    use sophos_central::tenants::Tenant;

    use super::*;

    #[test]
    fn an_item_without_a_tenant_gets_the_one_it_came_from() {
        let tenant: Tenant =
            serde_json::from_str(r#"{"id":"t","name":"Acme","apiHost":"https://h"}"#).unwrap();
        let target = Target::from(&tenant);
        let named = |item: &str| {
            let item: Box<RawValue> = serde_json::from_str(item).unwrap();
            with_tenant(&target, &item).map(|item| item.get().to_owned())
        };
        let told = r#""tenant":{"id":"t","name":"Acme"}"#;
        assert_eq!(
            named(r#"{"id":1}"#).unwrap(),
            format!(r#"{{{told},"id":1}}"#)
        );
        assert_eq!(
            named(r#"{"x":null,"tenant":null,"y":1}"#).unwrap(),
            format!(r#"{{"x":null,{told},"y":1}}"#)
        );
        assert_eq!(named(r#"{"tenant":{"id":"own"}}"#), None);
    }
}
