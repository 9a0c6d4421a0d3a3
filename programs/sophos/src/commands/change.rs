//! Changes of devices: one or many, asked for first where that is due, one outcome per id.

use std::collections::{HashMap, HashSet};

use clikit::{
    Class, Confirm, Error, Exit,
    output::{Ending, Format, View},
};
use serde_json::{json, value::RawValue};
use sophos_central::{DryRun, EndpointId, TenantId, endpoint::EndpointFilter};

use crate::{
    app::App,
    face::{Face, Work, attempt, call},
    failure::failure,
    listing::{error_row, object, with_member},
    render, scope, settings,
};

/// What the service can be asked to have a device do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Scan,
    UpdateCheck,
}

/// What became of one id.
type Outcome = Result<Box<RawValue>, Error>;

/// How many devices one request of isolation names; what is under way when Ctrl-C comes.
const CHUNK: usize = 50;
const COMMENT: usize = 400;
/// How many ids a question shows.
const SHOWN: usize = 10;

/// Turns isolation on or off.
pub(super) fn isolate(
    app: &App,
    ids: Vec<String>,
    on: bool,
    comment: Option<String>,
) -> Result<Exit, Error> {
    let ids = unique(ids);
    warn_about_ids(app, &ids);
    let comment = comment_of(app, on, comment)?;
    let comment = comment.as_deref();
    let verb = if on { "isolate" } else { "unisolate" };
    let ask = must_ask(app, verb, &ids)?;
    let face = app.connect()?;
    let tenant = scope::tenant(app, &face)?;
    if app.global.dry_run {
        return show_planned(app, plan_isolation(&face, &tenant, &ids, on, comment)?);
    }
    if ask {
        ask_about(app, &face, &tenant, verb, &ids)?;
    }
    if let [id] = ids.as_slice() {
        let now = if on {
            call!(&face, Work::Write, &tenant, |client| client
                .endpoint()
                .isolate(id, comment))
        } else {
            call!(&face, Work::Write, &tenant, |client| client
                .endpoint()
                .unisolate(id, comment))
        }?;
        app.output()?.object(&render::ISOLATION, now.raw())?;
        return Ok(Exit::Success);
    }
    in_chunks(app, &render::ISOLATED, &ids, CHUNK, |chunk| {
        let sent = chunk.to_vec();
        let outcomes = if on {
            call!(&face, Work::Write, &tenant, |client| client
                .endpoint()
                .isolate_many(sent.clone(), comment))
        } else {
            call!(&face, Work::Write, &tenant, |client| client
                .endpoint()
                .unisolate_many(sent.clone(), comment))
        }?;
        // The service refuses a request for many as a whole when it cannot do it for one of them.
        // It has then changed nothing, so that each can be tried alone.
        let refused = |outcome: &Result<_, sophos_central::Error>| {
            outcome.as_ref().is_err_and(|error| {
                error.is_not_found() || error.is_conflict() || error.is_validation()
            })
        };
        if outcomes.iter().all(refused) {
            return one_by_one(app, &face, &tenant, &sent, on, comment);
        }
        Ok(outcomes
            .into_iter()
            .map(|outcome| outcome.map(|item| item.raw().to_owned()).map_err(failure))
            .collect())
    })
}

/// Tells whether a change has to be asked for: one of several devices, unless `--yes` said so already.
///
/// # Errors
///
/// Where nobody can answer, which is known before anything is sent.
fn must_ask(app: &App, verb: &str, ids: &[EndpointId]) -> Result<bool, Error> {
    let ask = ids.len() > 1 && !app.global.yes && !app.global.dry_run;
    if ask && !app.console.terminals().stdin {
        Confirm::new(format!("{verb} {} devices?", ids.len())).require(&app.console, false)?;
    }
    Ok(ask)
}

fn ask_about(
    app: &App,
    face: &Face,
    tenant: &Option<TenantId>,
    verb: &str,
    ids: &[EndpointId],
) -> Result<(), Error> {
    let question = Confirm::new(format!("{verb} {} devices?", ids.len()))
        .line(format!("tenant: {}", tenant_of(app, face, tenant)?))
        .line(format!("devices: {}", described(face, tenant, ids)));
    app.confirm(&question)
}

fn one_by_one(
    app: &App,
    face: &Face,
    tenant: &Option<TenantId>,
    ids: &[EndpointId],
    on: bool,
    comment: Option<&str>,
) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = Vec::new();
    for id in ids {
        if app.interrupts.is_draining() {
            break;
        }
        let outcome = if on {
            call!(face, Work::Write, tenant, |client| client
                .endpoint()
                .isolate(id, comment))
        } else {
            call!(face, Work::Write, tenant, |client| client
                .endpoint()
                .unisolate(id, comment))
        };
        outcomes.push(outcome.and_then(|now| {
            let now = serde_json::from_str(now.raw().get()).unwrap_or_default();
            object(&[("id", id.as_str().into()), ("isolation", now)])
        }));
    }
    Ok(outcomes)
}

/// Asks devices to do something.
pub(super) fn task(
    app: &App,
    task: Task,
    ids: Vec<String>,
    has_comment: bool,
) -> Result<Exit, Error> {
    let ids = unique(ids);
    warn_about_ids(app, &ids);
    if has_comment {
        app.console
            .note("the service takes no comment here; it stays on this machine");
    }
    let verb = match task {
        Task::Scan => "scan",
        Task::UpdateCheck => "check for updates on",
    };
    let ask = must_ask(app, verb, &ids)?;
    let face = app.connect()?;
    let tenant = scope::tenant(app, &face)?;
    if app.global.dry_run {
        let outcomes = match task {
            Task::Scan => call!(&face, Work::Read, &tenant, |client| client
                .without_writes()
                .endpoint()
                .scan_many(ids.clone())),
            Task::UpdateCheck => call!(&face, Work::Read, &tenant, |client| client
                .without_writes()
                .endpoint()
                .update_check_many(ids.clone())),
        }?;
        return show_planned(app, outcomes.into_iter().filter_map(Result::err));
    }
    if ask {
        ask_about(app, &face, &tenant, verb, &ids)?;
    }
    if let [id] = ids.as_slice() {
        let taken = match task {
            Task::Scan => {
                call!(&face, Work::Write, &tenant, |client| client
                    .endpoint()
                    .scan(id))
            }
            Task::UpdateCheck => {
                call!(&face, Work::Write, &tenant, |client| client
                    .endpoint()
                    .update_check(id))
            }
        }?;
        app.output()?.object(&render::TASK, taken.raw())?;
        return Ok(Exit::Success);
    }
    let at_once = settings::number(&app.settings, "api.concurrency").unwrap_or(1);
    in_chunks(app, &render::TASKS, &ids, at_once, |chunk| {
        let sent = chunk.to_vec();
        let outcomes = match task {
            Task::Scan => {
                call!(&face, Work::Write, &tenant, |client| client
                    .endpoint()
                    .scan_many(sent))
            }
            Task::UpdateCheck => call!(&face, Work::Write, &tenant, |client| client
                .endpoint()
                .update_check_many(sent)),
        }?;
        Ok(outcomes
            .into_iter()
            .zip(chunk)
            .map(|(outcome, id)| {
                outcome
                    .map(|taken| with_endpoint(id, taken.raw()))
                    .map_err(failure)
            })
            .collect())
    })
}

/// Shows the requests that were kept back by `--dry-run`.
///
/// # Errors
///
/// Any other failure among them: not even the reads before the change went well.
pub(super) fn show_planned(
    app: &App,
    outcomes: impl IntoIterator<Item = sophos_central::Error>,
) -> Result<Exit, Error> {
    let mut planned: Vec<DryRun> = Vec::new();
    for error in outcomes {
        let Some(request) = error.not_sent() else {
            return Err(failure(error));
        };
        // All devices of one request share it.
        if planned.last() != Some(request) {
            planned.push(request.clone());
        }
    }
    let output = app.output()?;
    if output.format() == Format::Table {
        let texts: Vec<String> = planned.iter().map(ToString::to_string).collect();
        output.text(&texts.join("\n\n"))?;
    } else {
        let mut list = output.list(&render::PLANNED)?;
        for request in &planned {
            let headers: serde_json::Map<_, _> = request
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect();
            let body = request.body.as_deref().map(|body| {
                serde_json::from_str(body).unwrap_or_else(|_| serde_json::Value::from(body))
            });
            list.push(&object(&[
                ("method", request.method.as_str().into()),
                ("url", request.url.as_str().into()),
                ("headers", headers.into()),
                ("body", body.into()),
            ])?)?;
        }
        list.finish(Ending::new())?;
    }
    app.console.note("dry run: nothing was changed");
    Ok(Exit::Success)
}

/// Warns where an id does not look like one; the service decides.
pub(super) fn warn_about_ids(app: &App, ids: &[EndpointId]) {
    for id in ids.iter().filter(|id| !id.is_uuid()) {
        app.console
            .warn(&format!("`{id}` does not look like the id of a device"));
    }
}

/// What isolating would send.
fn plan_isolation(
    face: &Face,
    tenant: &Option<TenantId>,
    ids: &[EndpointId],
    on: bool,
    comment: Option<&str>,
) -> Result<Vec<sophos_central::Error>, Error> {
    if let [id] = ids {
        let planned = if on {
            attempt!(face, Work::Read, tenant, |client| client
                .without_writes()
                .endpoint()
                .isolate(id, comment))
        } else {
            attempt!(face, Work::Read, tenant, |client| client
                .without_writes()
                .endpoint()
                .unisolate(id, comment))
        }?;
        return Ok(planned.err().into_iter().collect());
    }
    let all = ids.to_vec();
    let planned = if on {
        call!(face, Work::Read, tenant, |client| client
            .without_writes()
            .endpoint()
            .isolate_many(all, comment))
    } else {
        call!(face, Work::Read, tenant, |client| client
            .without_writes()
            .endpoint()
            .unisolate_many(all, comment))
    }?;
    Ok(planned.into_iter().filter_map(Result::err).collect())
}

/// Changes so many ids at a time and prints what became of each, also when Ctrl-C or a failure ends
/// it early.
fn in_chunks(
    app: &App,
    view: &View,
    ids: &[EndpointId],
    chunk: usize,
    mut change: impl FnMut(&[EndpointId]) -> Result<Vec<Outcome>, Error>,
) -> Result<Exit, Error> {
    let mut list = app.output()?.list(view)?;
    let progress = app.progress("devices");
    progress.set_total(u64::try_from(ids.len()).ok());
    let mut failed: Vec<(EndpointId, Error)> = Vec::new();
    let mut stopped = None;
    let mut not_started = 0;
    for chunk in ids.chunks(chunk.max(1)) {
        if app.interrupts.is_draining() {
            not_started += chunk.len();
            continue;
        }
        match change(chunk) {
            Ok(outcomes) => {
                not_started += chunk.len().saturating_sub(outcomes.len());
                for (id, outcome) in chunk.iter().zip(outcomes) {
                    match outcome {
                        Ok(item) => list.push(&item)?,
                        Err(error) => failed.push((id.clone(), error)),
                    }
                }
                list.end_page()?;
                progress.page(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            }
            Err(error) if error.is_interrupted() => {
                // Sent, and nobody waited for the answer.
                for id in chunk {
                    let unclear = "interrupted: the change may or may not have been applied";
                    failed.push((id.clone(), Error::new(Class::Interrupted, unclear)));
                }
                stopped = Some(error);
            }
            Err(error) if list.rows() == 0 && failed.is_empty() => return Err(error),
            Err(error) => {
                let text = error.to_string();
                failed.extend(
                    chunk
                        .iter()
                        .map(|id| (id.clone(), Error::new(error.class(), text.clone()))),
                );
            }
        }
    }
    progress.finish();
    let mut rows = Vec::new();
    for (id, error) in &failed {
        rows.push(with_endpoint(id, &error_row(None, error)?));
    }
    let errors = (!rows.is_empty()).then_some(rows);
    let done = list.finish(Ending::new().errors(errors))?;
    outcome(app, ids.len(), done, &failed, stopped, not_started)
}

/// The end of a change of several devices.
fn outcome(
    app: &App,
    all: usize,
    done: u64,
    failed: &[(EndpointId, Error)],
    stopped: Option<Error>,
    not_started: usize,
) -> Result<Exit, Error> {
    let error = if stopped.is_some() || app.interrupts.is_draining() {
        let text = format!(
            "interrupted: {done} of {all} devices done, {} failed or unclear, {not_started} not started",
            failed.len()
        );
        Error::new(Class::Interrupted, text)
    } else if let Some((_, first)) = failed.first() {
        let class = if done == 0 {
            first.class()
        } else {
            Class::Partial
        };
        let error = Error::new(class, format!("{} of {all} devices failed", failed.len()));
        first.hints().fold(error, Error::with_hint)
    } else {
        return Ok(Exit::Success);
    };
    Err(failed.iter().fold(error, |error, (id, why)| {
        error.with_failure(format!("{id}: {why}"))
    }))
}

/// The id of the tenant that a change goes to.
fn tenant_of(app: &App, face: &Face, tenant: &Option<TenantId>) -> Result<String, Error> {
    if let Some(tenant) = tenant {
        return Ok(tenant.to_string());
    }
    let who = call!(face, Work::Read, |client| client.whoami())?;
    let configured = app
        .settings
        .text(settings::TENANT_ID)
        .filter(|_| !who.is_tenant());
    Ok(configured.unwrap_or(&who.id).to_owned())
}

/// Names the devices of a question, by host name where that is cheap to learn.
fn described(face: &Face, tenant: &Option<TenantId>, ids: &[EndpointId]) -> String {
    let asked = ids.get(..SHOWN).unwrap_or(ids).to_vec();
    let mut filter = EndpointFilter::default();
    filter.ids = Some(asked.clone());
    filter.fields = vec!["hostname".to_owned()];
    let found = call!(face, Work::Read, tenant, |client| client
        .endpoint()
        .list()
        .filter(filter.clone())
        .send());
    // Only a help for the eye: without it the ids alone are shown.
    let names: HashMap<EndpointId, String> = found
        .map(|page| {
            let named = page
                .items
                .iter()
                .filter_map(|item| Some((item.id.clone(), item.hostname.clone()?)));
            named.collect()
        })
        .unwrap_or_default();
    let mut shown: Vec<String> = asked
        .iter()
        .map(|id| match names.get(id) {
            Some(name) => format!("{name} ({id})"),
            None => id.to_string(),
        })
        .collect();
    if ids.len() > asked.len() {
        shown.push(format!("and {} more", ids.len() - asked.len()));
    }
    shown.join(", ")
}

/// The comment of an isolation: as given, or asked for where isolating needs one.
fn comment_of(app: &App, on: bool, comment: Option<String>) -> Result<Option<String>, Error> {
    let comment = match comment {
        Some(comment) => Some(comment),
        None if on => {
            let hint = "isolating needs a reason: add --comment TEXT";
            Some(app.console.ask("Comment: ", hint)?)
        }
        None => None,
    };
    if on
        && comment
            .as_deref()
            .is_none_or(|comment| comment.trim().is_empty())
    {
        return Err(Error::user("isolating needs a comment").with_hint("add --comment TEXT"));
    }
    let length = comment
        .as_deref()
        .map_or(0, |comment| comment.trim().chars().count());
    if length > COMMENT {
        return Err(Error::user(format!(
            "the comment has {length} characters, and {COMMENT} are allowed"
        )));
    }
    Ok(comment)
}

/// Puts the device in front of what the service said about its task.
fn with_endpoint(id: &EndpointId, item: &RawValue) -> Box<RawValue> {
    with_member("endpoint", &json!({"id": id.as_str()}), item)
}

/// The ids in their order, each once.
fn unique(ids: Vec<String>) -> Vec<EndpointId> {
    let mut seen = HashSet::new();
    ids.iter()
        .map(|id| EndpointId::from(id.trim()))
        .filter(|id| seen.insert(id.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_is_put_in_front_of_its_task() {
        let put = |item: &str| {
            let item: Box<RawValue> = serde_json::from_str(item).unwrap();
            with_endpoint(&"d1".into(), &item).get().to_owned()
        };
        assert_eq!(
            put(r#"{"id":"t","status":"x"}"#),
            r#"{"endpoint":{"id":"d1"},"id":"t","status":"x"}"#
        );
        assert_eq!(put("{ }"), r#"{"endpoint":{"id":"d1"}}"#);
        assert_eq!(put("[1]"), "[1]");
    }

    #[test]
    fn ids_given_twice_count_once() {
        let a = "5B0C8F1E-4D3A-4B6C-8F21-0A9B8C7D6E5F";
        let ids = unique(vec![
            a.to_owned(),
            "x".to_owned(),
            a.to_lowercase(),
            " x".to_owned(),
        ]);
        assert_eq!(
            ids.iter().map(EndpointId::as_str).collect::<Vec<_>>(),
            [a, "x"]
        );
    }
}
