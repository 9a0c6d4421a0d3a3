//! The same scenarios through both faces, on the sandbox: the same results, and the same requests.

use sophos_central::alerts::{Category, Severity};
use sophos_central::endpoint::{
    EndpointType, Health, IsolationStatus, TamperChange, TamperProtection,
};
use sophos_central::{Client, Config, Progress, TenantFailure, View, blocking};
use sophos_sandbox::{Fault, Sandbox};

/// What a scenario saw: one line per result.
type Log = Vec<String>;

macro_rules! wait_async {
    ($call:expr) => {
        $call.await
    };
}
macro_rules! wait_blocking {
    ($call:expr) => {
        $call
    };
}
macro_rules! all_async {
    ($stream:expr) => {
        futures_util::StreamExt::collect::<Vec<_>>($stream).await
    };
}
macro_rules! all_blocking {
    ($stream:expr) => {
        $stream.collect::<Vec<_>>()
    };
}

/// Runs a scenario, a macro over `(client, wait, all, log)`, through both faces, each on a sandbox of
/// its own, and compares.
macro_rules! on_both_faces {
    ($kind:literal, $faults:expr, $scenario:ident) => {{
        let sandbox = start($faults);
        let client = Client::new(config(&sandbox, $kind)).expect("the settings are right");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let from_async = runtime.block_on(async {
            let mut log = Log::new();
            $scenario!(client, wait_async, all_async, log);
            log
        });
        let async_requests = requests(&sandbox);

        let sandbox = start($faults);
        let client =
            blocking::Client::new(config(&sandbox, $kind)).expect("the settings are right");
        let mut log = Log::new();
        $scenario!(client, wait_blocking, all_blocking, log);
        assert_eq!(from_async, log);
        assert_eq!(async_requests, requests(&sandbox));
        assert!(!from_async.is_empty());
        from_async
    }};
}

fn start(faults: &[&str]) -> Sandbox {
    let faults: Vec<Fault> = faults
        .iter()
        .map(|fault| fault.parse().expect("a fault of the sandbox"))
        .collect();
    Sandbox::builder()
        .endpoints(120)
        .alerts(40)
        .tenants(12)
        .faults(faults)
        .start()
        .expect("the sandbox starts")
}

fn config(sandbox: &Sandbox, kind: &str) -> Config {
    Config::new(kind, "sandbox")
        .auth_url(sandbox.token_url())
        .global_url(sandbox.url())
        // One after the other, so that the order of requests is the same each time.
        .concurrency(1)
        .max_retries(1)
        .jitter_seed(0)
}

/// Everything that was sent, without what differs by nature.
fn requests(sandbox: &Sandbox) -> Vec<String> {
    sandbox
        .requests()
        .into_iter()
        .map(|request| {
            format!(
                "{} {}?{} {:?} {:?} {:?}",
                request.method,
                request.path,
                request.query,
                request.headers,
                request.body,
                request.status
            )
        })
        .collect()
}

fn shown<T: serde::Serialize>(result: &Result<T, sophos_central::Error>) -> String {
    match result {
        Ok(value) => hostless(&serde_json::to_string(value).expect("it can be written")),
        Err(error) => hostless(&format!("{:?} {error}", error.kind())),
    }
}

/// Replaces ports and what the sandbox makes up by chance.
fn hostless(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("127.0.0.1:") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        out.push_str("sandbox");
        rest = after["127.0.0.1:".len()..].trim_start_matches(|digit: char| digit.is_ascii_digit());
    }
    out.push_str(rest);
    out
}

#[test]
fn endpoints_are_listed_read_and_changed_alike() {
    macro_rules! scenario {
        ($client:ident, $wait:ident, $all:ident, $log:ident) => {{
            let who = $wait!($client.whoami());
            $log.push(shown(&who));
            let endpoint = $client.endpoint();
            let progress = Progress::new();
            let list = endpoint
                .list()
                .page_size(50)
                .with_totals()
                .report_to(&progress);
            let items = $all!(list.items());
            assert_eq!(items.len(), 120);
            $log.extend(items.iter().map(shown));
            $log.push(format!("{progress:?} {:?}", progress.total_items()));
            let list = endpoint
                .list()
                .health(Health::Bad)
                .health(Health::Suspicious)
                .kind(EndpointType::Server)
                .last_seen_after("365d".parse::<sophos_central::When>().expect("a time"))
                .isolation_status(IsolationStatus::NotIsolated)
                .sort("hostname:desc")
                .fields(["hostname", "health"])
                .view(View::Full);
            let page = $wait!(list.send());
            $log.push(shown(&page.map(|page| page.items)));
            for page in $all!(endpoint.list().raw().pages()) {
                $log.push(shown(&page.map(|page| page.items)));
            }
            let ids: Vec<_> = items
                .iter()
                .flatten()
                .map(|item| item.id.clone())
                .take(60)
                .collect();
            let id = ids[7].clone();
            $log.push(shown(&$wait!(endpoint.get(&id))));
            $log.push(shown(&$wait!(endpoint.get_opt(&"nobody".into()))));
            $log.push(shown(&$wait!(endpoint.get(&"nobody".into()))));
            $log.push(shown(&$wait!(endpoint.isolation(&id))));
            $log.push(shown(&$wait!(endpoint.isolate(&id, Some("ticket 4711")))));
            // Still in progress.
            $log.push(shown(&$wait!(endpoint.unisolate(&id, None))));
            $log.push(shown(&$wait!(endpoint.isolation(&id))));
            let many = $wait!(endpoint.isolate_many(ids[10..].to_vec(), Some("all of them")));
            $log.extend(many.expect("the call runs").iter().map(shown));
            $log.push(shown(&$wait!(endpoint.scan(&id))));
            let scans = $wait!(endpoint.scan_many(ids[..3].to_vec()));
            $log.extend(scans.expect("the call runs").iter().map(shown));
            $log.push(shown(&$wait!(endpoint.update_check(&id))));
            let tamper = $wait!(endpoint.tamper_protection(&id));
            $log.push(shown(
                &tamper.map(|tamper| TamperProtection::masked(&tamper)),
            ));
            let change = TamperChange::new().enable().regenerate_password();
            let changed = $wait!(endpoint.update_tamper_protection(&id, change));
            $log.push(shown(
                &changed.map(|tamper| TamperProtection::masked(&tamper)),
            ));
        }};
    }
    let log = on_both_faces!("tenant", &[], scenario);
    assert!(
        log.iter().any(|line| line.starts_with("Conflict")),
        "{log:#?}"
    );
    assert!(
        log.iter().any(|line| line.starts_with("NotFound")),
        "{log:#?}"
    );
}

#[test]
fn alerts_are_listed_and_read_alike() {
    macro_rules! scenario {
        ($client:ident, $wait:ident, $all:ident, $log:ident) => {{
            let alerts = $client.alerts();
            let items = $all!(alerts.list().page_size(15).items());
            assert_eq!(items.len(), 40);
            $log.extend(items.iter().map(shown));
            let list = alerts
                .list()
                .severity(Severity::High)
                .category(Category::Malware)
                .category(Category::Pua)
                .from(
                    "2025-01-01"
                        .parse::<sophos_central::When>()
                        .expect("a time"),
                )
                .sort("raisedAt:desc");
            $log.extend($all!(list.items()).iter().map(shown));
            let id = items
                .iter()
                .flatten()
                .next()
                .map(|alert| alert.id.clone())
                .expect("an alert");
            $log.push(shown(&$wait!(alerts.get(&id))));
            $log.push(shown(&$wait!(alerts.get_opt(&"nothing".into()))));
        }};
    }
    on_both_faces!("tenant", &[], scenario);
}

#[test]
fn tenants_are_gone_over_alike() {
    macro_rules! scenario {
        ($client:ident, $wait:ident, $all:ident, $log:ident) => {{
            let tenants = $all!($client.tenants().list().page_size(5).items());
            assert_eq!(tenants.len(), 12);
            $log.extend(tenants.iter().map(shown));
            let targets = $wait!($client.targets()).expect("the tenants are listed");
            let one = $client.for_target(&targets[0]);
            $log.push(shown(
                &$wait!(one.endpoint().list().send()).map(|page| page.items),
            ));
            let other = $client.for_tenant(targets[1].id.clone());
            $log.push(shown(
                &$wait!(other.alerts().list().send()).map(|page| page.items),
            ));
            for row in $all!($client.endpoint().list().across(targets.clone())) {
                $log.push(row_text(row));
            }
            let all = $wait!($client.alerts().list().raw().gather(targets)).expect("the call runs");
            $log.push(format!("{} {}", all.items.len(), all.is_complete()));
            $log.extend(
                all.failures
                    .iter()
                    .map(|failure| hostless(&failure.to_string())),
            );
            $log.extend(all.skipped.iter().map(ToString::to_string));
            let own = $wait!($client.endpoint().list().send()).map(|page| page.items);
            $log.push(shown(&own));
        }};
    }
    for kind in ["partner", "organization"] {
        let log = if kind == "partner" {
            on_both_faces!("partner", &[], scenario)
        } else {
            on_both_faces!("organization", &[], scenario)
        };
        assert!(log.iter().any(|line| line.contains("left out")), "{log:#?}");
        assert!(
            log.iter().any(|line| line.contains("status 403")),
            "{log:#?}"
        );
        assert!(
            log.last()
                .is_some_and(|line| line.starts_with("Configuration")),
            "{log:#?}"
        );
    }
}

fn row_text(
    row: Result<
        sophos_central::TenantItem<sophos_central::Record<sophos_central::endpoint::Endpoint>>,
        TenantFailure,
    >,
) -> String {
    match row {
        Ok(row) => format!("{} {}", row.tenant.name, row.item.raw().get()),
        Err(failure) => hostless(&format!("{} {failure}", failure.is_skipped())),
    }
}

#[test]
fn faults_are_met_alike() {
    macro_rules! scenario {
        ($client:ident, $wait:ident, $all:ident, $log:ident) => {{
            let endpoint = $client.endpoint();
            for page in $all!(endpoint.list().page_size(40).items()) {
                $log.push(shown(&page));
            }
            let id = "nobody".into();
            $log.push(shown(&$wait!(endpoint.get(&id))));
            $log.push(shown(&$wait!(endpoint.isolate(&id, None))));
            $log.push(shown(
                &$wait!($client.alerts().list().send()).map(|page| page.items),
            ));
        }};
    }
    let log = on_both_faces!(
        "tenant",
        &[
            "unauthorized@/endpoint/v1/endpoints",
            "rate-limit=0@GET /endpoint/v1/endpoints+1",
            "empty-page@GET /endpoint/v1/endpoints+2",
            "html-503@GET /endpoint/v1/endpoints/nobody",
            "applied-500@PATCH /endpoint",
            "malformed@/common",
        ],
        scenario
    );
    assert_eq!(
        log.iter().filter(|line| line.contains("\"id\"")).count(),
        120,
        "{log:#?}"
    );
    assert!(
        log.iter().any(|line| line.starts_with("UnclearWrite")),
        "{log:#?}"
    );
    assert!(
        log.last().is_some_and(|line| line.starts_with("Decode")),
        "{log:#?}"
    );
}
