//! One list over many tenants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use restkit::transport::{Attempt, MockTransport, TransportError};
use sophos_central::alerts::Severity;
use sophos_central::{Client, Progress, RateLimit};
use tokio::sync::Semaphore;

use crate::support::{answer, calls, client, config, page, token, whoami_partner};

/// A partner with tenants `t0`, `t1`, ..; the third has no host, the fifth refuses, the sixth gives
/// two pages, all others one endpoint.
fn partner(tenants: usize) -> MockTransport {
    MockTransport::new().json(200, token()).json(200, whoami_partner()).respond_with(move |request| {
        if request.target().starts_with("/partner/v1/tenants") {
            let items: Vec<_> = (0..tenants)
                .map(|index| {
                    let host = (index != 2).then_some("https://region.example");
                    serde_json::json!({"id": format!("t{index}"), "name": format!("Tenant {index}"), "apiHost": host})
                })
                .collect();
            let body = serde_json::json!({"items": items, "pages": {"current": 1, "size": 100}});
            return answer(200, body.to_string());
        }
        let tenant = request.header("x-tenant-id").unwrap_or_default().to_owned();
        match (&*tenant, request.query("pageFromKey")) {
            ("t4", _) => answer(403, r#"{"error":"forbidden","message":"assistance is off"}"#),
            ("t5", None) => answer(200, page(&["t5-a", "t5-b"], r#"{"nextKey":"k"}"#)),
            ("t5", Some(_)) => answer(200, page(&["t5-c"], "{}")),
            (tenant, _) => answer(200, page(&[tenant], "{}")),
        }
    })
}

fn with_concurrency(mock: &MockTransport, calls: usize) -> Client {
    Client::new(config(mock).concurrency(calls).rate_limit(RateLimit::Off))
        .expect("the settings are right")
}

#[tokio::test]
async fn items_come_in_the_order_of_the_tenants_and_failures_stay_apart() {
    for concurrency in [1, 3, 64] {
        let mock = partner(8);
        let client = with_concurrency(&mock, concurrency);
        let targets = client.targets().await.unwrap();
        let all = client.endpoint().list().gather(targets).await.unwrap();
        let items: Vec<_> = all
            .items
            .iter()
            .map(|item| format!("{}:{}", item.tenant.id, item.item.id))
            .collect();
        assert_eq!(
            items,
            [
                "t0:t0", "t1:t1", "t3:t3", "t5:t5-a", "t5:t5-b", "t5:t5-c", "t6:t6", "t7:t7"
            ]
        );
        assert!(!all.is_complete());
        let [failure] = &all.failures[..] else {
            panic!("one failure: {:?}", all.failures)
        };
        assert!(failure.error().is_permission());
        assert_eq!(
            failure.tenant().map(|tenant| tenant.name.as_str()),
            Some("Tenant 4")
        );
        assert_eq!(failure.error().tenant().map(AsRef::as_ref), Some("t4"));
        assert!(
            failure.to_string().contains("assistance is off"),
            "{failure}"
        );
        let [skipped] = &all.skipped[..] else {
            panic!("one skipped: {:?}", all.skipped)
        };
        assert!(skipped.is_skipped());
        assert_eq!(
            skipped.tenant().map(|tenant| tenant.id.as_str()),
            Some("t2")
        );
        let tokens = mock
            .requests()
            .iter()
            .filter(|request| request.url.contains("oauth2"))
            .count();
        assert_eq!(tokens, 1);
    }
}

#[tokio::test]
async fn no_more_tenants_are_asked_at_once_than_the_bound_allows() {
    let gate = Arc::new(Semaphore::new(0));
    let mock = partner(40);
    let transport = Gated {
        inner: mock.clone(),
        gate: Arc::clone(&gate),
        waiting: AtomicUsize::new(0),
        most: Arc::default(),
    };
    let most = Arc::clone(&transport.most);
    let config = config(&mock)
        .transport(transport)
        .concurrency(5)
        .rate_limit(RateLimit::Off);
    let client = Client::new(config).unwrap();
    // Token, whoami, list of tenants.
    gate.add_permits(3);
    let targets = client.targets().await.unwrap();
    let mut across = client.endpoint().list().across(targets);
    let opened = gate.clone();
    let opener = async move {
        // One at a time, so that as many as may be wait at the gate.
        for _ in 0..60 {
            tokio::task::yield_now().await;
            opened.add_permits(1);
        }
    };
    let consumer = async {
        let mut items = 0;
        while let Some(item) = across.next().await {
            items += usize::from(item.is_ok());
        }
        items
    };
    let ((), items) = futures_util::future::join(opener, consumer).await;
    assert_eq!(items, 40);
    assert_eq!(most.load(Ordering::Relaxed), 5);
}

/// Lets requests pass one by one, and counts how many wait.
struct Gated {
    inner: MockTransport,
    gate: Arc<Semaphore>,
    waiting: AtomicUsize,
    most: Arc<AtomicUsize>,
}

impl restkit::Transport for Gated {
    fn execute(
        &self,
        request: http::Request<bytes::Bytes>,
        attempt: Attempt,
    ) -> restkit::BoxFuture<'_, Result<http::Response<bytes::Bytes>, TransportError>> {
        Box::pin(async move {
            let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(waiting, Ordering::Relaxed);
            self.gate.acquire().await.expect("never closed").forget();
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.inner.execute(request, attempt).await
        })
    }
}

#[tokio::test]
async fn a_bound_on_items_holds_for_all_tenants_together_and_stops_asking() {
    let mock = partner(40);
    let client = with_concurrency(&mock, 2);
    let targets = client.targets().await.unwrap();
    let all = client
        .endpoint()
        .list()
        .max_items(3)
        .gather(targets)
        .await
        .unwrap();
    assert_eq!(all.items.len(), 3);
    assert!(calls(&mock).len() < 10, "{}", calls(&mock).len());
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_refuses_the_token_does_not_spoil_the_others() {
    let mock = MockTransport::new()
        .json(200, token())
        .json(200, whoami_partner())
        .respond_with(|request| match request.header("x-tenant-id") {
            _ if request.url.contains("oauth2/token") => answer(200, token()),
            Some("t1") => answer(401, "{}"),
            Some(tenant) => answer(200, page(&[tenant], "{}")),
            None => answer(
                200,
                r#"{"items":[{"id":"t0","apiHost":"https://a.example"},{"id":"t1","apiHost":"https://a.example"},{"id":"t2","apiHost":"https://b.example"}]}"#,
            ),
        });
    let client = client(&mock);
    let targets = client.targets().await.unwrap();
    let all = client.alerts().list().gather(targets).await.unwrap();
    assert_eq!(all.items.len(), 2);
    assert_eq!(all.failures.len(), 1);
    assert!(all.failures[0].error().is_unauthenticated());
}

#[tokio::test(start_paused = true)]
async fn all_tenants_share_one_rate_limit() {
    let mock = partner(10);
    let client = Client::new(
        config(&mock)
            .concurrency(10)
            .rate_limit(RateLimit::PerSecond(1)),
    )
    .unwrap();
    let started = tokio::time::Instant::now();
    let targets = client.targets().await.unwrap();
    client.endpoint().list().gather(targets).await.unwrap();
    // whoami, the tenants, nine of them, and the second page of one: one per second.
    assert_eq!(started.elapsed().as_secs(), 11);
}

#[tokio::test]
async fn progress_adds_up_over_tenants() {
    let mock = partner(8);
    let client = client(&mock);
    let targets = client.targets().await.unwrap();
    let progress = Progress::new();
    let list = client.endpoint().list().report_to(&progress);
    let raw: Vec<_> = list.raw().across(targets).collect().await;
    assert_eq!(raw.iter().filter(|item| item.is_ok()).count(), 8);
    assert_eq!((progress.items(), progress.pages()), (8, 7));
}

#[tokio::test]
async fn a_filter_that_cannot_be_right_fails_the_call_and_not_each_tenant() {
    let mock = partner(8);
    let client = client(&mock);
    let targets = client.targets().await.unwrap();
    let list = client.alerts().list().severity(Severity::from("critical"));
    let failures: Vec<_> = list.clone().across(targets.clone()).collect().await;
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0]
            .as_ref()
            .unwrap_err()
            .error()
            .is_invalid_argument()
    );
    assert!(
        list.gather(targets)
            .await
            .unwrap_err()
            .is_invalid_argument()
    );
    assert_eq!(calls(&mock).len(), 1);
}
