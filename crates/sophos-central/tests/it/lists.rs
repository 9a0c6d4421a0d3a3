//! Lists: laziness, page sizes, odd pages, places to resume from.

use futures_util::{Stream as _, StreamExt as _, TryStreamExt as _};
use sophos_central::alerts::Severity;
use sophos_central::{Client, Progress, When};

use crate::support::{calls, client, config, lines, page, tenant};

const LIST: &str = "GET https://eu.example/endpoint/v1/endpoints";

#[tokio::test]
async fn items_come_page_by_page_and_only_when_asked_for() {
    let mock = tenant()
        .json(
            200,
            page(&["a", "b"], r#"{"nextKey":"k/2","size":2,"maxSize":500}"#),
        )
        .json(200, page(&["c"], r#"{"nextKey":null}"#));
    let mut items = client(&mock).endpoint().list().items();
    assert!(mock.requests().is_empty());
    assert_eq!(items.next().await.unwrap().unwrap().id.as_str(), "a");
    assert_eq!(items.size_hint().0, 1);
    assert_eq!(items.next().await.unwrap().unwrap().id.as_str(), "b");
    assert_eq!(
        calls(&mock).len(),
        1,
        "the second page was not asked for yet"
    );
    assert_eq!(items.next().await.unwrap().unwrap().id.as_str(), "c");
    assert!(items.next().await.is_none());
    assert!(items.next().await.is_none());
    assert_eq!(
        lines(&mock),
        [
            format!("{LIST}?pageSize=500"),
            format!("{LIST}?pageSize=500&pageFromKey=k%2F2")
        ]
    );
}

#[tokio::test]
async fn nothing_is_asked_for_after_the_consumer_stopped() {
    let mock = tenant().json(200, page(&["a", "b"], r#"{"nextKey":"k"}"#));
    let first: Vec<_> = client(&mock)
        .endpoint()
        .list()
        .items()
        .take(2)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!(calls(&mock).len(), 1);
}

#[tokio::test]
async fn one_page_leaves_the_size_to_the_service_and_tells_what_comes_next() {
    let mock = tenant()
        .json(
            200,
            page(
                &["a"],
                r#"{"nextKey":"k","size":1,"maxSize":500,"total":2,"items":2}"#,
            ),
        )
        .json(200, page(&["b"], "{}"));
    let client = client(&mock);
    let first = client.endpoint().list().with_totals().send().await.unwrap();
    let info = first.info.unwrap();
    assert_eq!((info.total_pages, info.total_items), (Some(2), Some(2)));
    let next = first.next.unwrap();
    // A place can be kept as JSON.
    let kept = serde_json::to_string(&next).unwrap();
    let next = serde_json::from_str(&kept).unwrap();
    let second = client
        .endpoint()
        .list()
        .resume_from(next)
        .send()
        .await
        .unwrap();
    assert_eq!(second.items[0].id.as_str(), "b");
    assert!(second.next.is_none());
    let sent = lines(&mock);
    assert_eq!(sent[0], format!("{LIST}?pageTotal=true"));
    assert!(sent[1].contains("pageFromKey=k"), "{sent:?}");
}

#[tokio::test]
async fn a_page_size_is_cut_to_the_maximum_and_follows_what_the_service_reports() {
    let mock = tenant()
        .json(200, page(&["a"], r#"{"nextKey":"k","maxSize":20}"#))
        .json(200, page(&["b"], "{}"));
    let items: Vec<_> = client(&mock)
        .endpoint()
        .list()
        .page_size(9_999)
        .items()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items.len(), 2);
    let sent = lines(&mock);
    assert!(sent[0].contains("pageSize=500"), "{sent:?}");
    assert!(sent[1].contains("pageSize=20"), "{sent:?}");
}

#[tokio::test]
async fn a_refused_page_size_is_tried_once_with_50() {
    let mock = tenant().status(400).json(200, page(&["a"], "{}"));
    let items: Vec<_> = client(&mock)
        .alerts()
        .list()
        .items()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items.len(), 1);
    let sent = lines(&mock);
    assert!(
        sent[0].contains("pageSize=1000") && sent[1].contains("pageSize=50"),
        "{sent:?}"
    );

    let mock = tenant().status(400).status(400);
    let error = client(&mock)
        .alerts()
        .list()
        .items()
        .next()
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.is_validation());
    assert_eq!(calls(&mock).len(), 2);
}

#[tokio::test]
async fn a_page_size_of_zero_is_refused_before_anything_is_sent() {
    let mock = tenant();
    let client = client(&mock);
    let error = client
        .endpoint()
        .list()
        .page_size(0)
        .send()
        .await
        .unwrap_err();
    assert!(error.is_invalid_argument());
    let error = client
        .endpoint()
        .list()
        .page_size(0)
        .items()
        .next()
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.is_invalid_argument());
    assert!(mock.requests().is_empty());
}

#[tokio::test]
async fn a_filter_that_cannot_be_right_is_refused_before_anything_is_sent() {
    let mock = tenant();
    let list = client(&mock)
        .alerts()
        .list()
        .severity(Severity::from("critical"));
    let error = list.send().await.unwrap_err();
    assert!(error.is_invalid_argument());
    assert!(error.to_string().contains("low, medium, high"), "{error}");
    assert!(mock.requests().is_empty());
}

#[tokio::test]
async fn a_bare_array_missing_pages_and_an_empty_page_are_understood() {
    let mock = tenant().json(200, r#"[{"id":"a"},{"id":"b"}]"#);
    let items: Vec<_> = client(&mock)
        .endpoint()
        .list()
        .items()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items.len(), 2);

    let mock = tenant().json(200, r#"{"items":[{"id":"a"}]}"#);
    let items: Vec<_> = client(&mock)
        .endpoint()
        .list()
        .items()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items.len(), 1);

    let mock = tenant()
        .json(200, page(&[], r#"{"nextKey":"k"}"#))
        .json(200, page(&["a"], "{}"));
    let items: Vec<_> = client(&mock)
        .endpoint()
        .list()
        .items()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items.len(), 1);
}

#[tokio::test]
async fn a_repeated_key_ends_the_list_with_a_warning() {
    let mock = tenant()
        .json(200, page(&["a"], r#"{"nextKey":"k"}"#))
        .json(200, page(&["b"], r#"{"nextKey":"k"}"#));
    let progress = Progress::new();
    let list = client(&mock).endpoint().list().report_to(&progress);
    let items: Vec<_> = list.items().try_collect().await.unwrap();
    assert_eq!(items.len(), 2);
    assert!(progress.is_suspect());
}

#[tokio::test]
async fn a_malformed_item_names_its_place_and_does_not_hide_the_others() {
    let body = r#"{"items":[{"id":"a"},{"id":"b","health":{"overall":{}}},{"id":"c"}],"pages":{}}"#;
    let mock = tenant().json(200, body);
    let items: Vec<_> = client(&mock).endpoint().list().items().collect().await;
    assert!(items[0].is_ok() && items[2].is_ok());
    let error = items[1].as_ref().unwrap_err();
    assert!(error.is_decode());
    assert_eq!(error.decode_path(), Some("items[1].health.overall"));

    let mock = tenant().json(200, r#"{"items":[{"id":"a"},"#);
    let items: Vec<_> = client(&mock).endpoint().list().items().collect().await;
    assert_eq!(items.len(), 1);
    assert!(items[0].as_ref().unwrap_err().is_decode());
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_before_a_failure_stays_and_the_list_can_be_resumed() {
    let mock = tenant()
        .json(200, page(&["a", "b"], r#"{"nextKey":"k"}"#))
        .status(403)
        .json(200, page(&["c"], "{}"));
    let client = client(&mock);
    let mut items = client.endpoint().list().items();
    let progress = items.progress();
    let mut delivered = Vec::new();
    let error = loop {
        match items.next().await.expect("an error comes") {
            Ok(item) => delivered.push(item.id.to_string()),
            Err(error) => break error,
        }
    };
    assert!(error.is_permission());
    assert!(items.next().await.is_none());
    assert_eq!(delivered, ["a", "b"]);
    let place = progress.position().unwrap();
    let rest: Vec<_> = client
        .endpoint()
        .list()
        .resume_from(place)
        .items()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rest[0].id.as_str(), "c");
}

#[tokio::test]
async fn raw_items_are_the_text_that_the_service_sent() {
    let item = r#"{ "id":"a", "health":{"overall":{}}, "new":[1.50, null] }"#;
    let mock = tenant().json(200, format!(r#"{{"items":[{item}],"pages":{{}}}}"#));
    let items: Vec<_> = client(&mock)
        .endpoint()
        .list()
        .raw()
        .items()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items[0].get(), item);
}

#[tokio::test]
async fn pages_bound_and_count() {
    let mock = tenant()
        .json(
            200,
            page(&["a", "b"], r#"{"nextKey":"k","items":5,"total":3}"#),
        )
        .json(200, page(&["c", "d"], r#"{"nextKey":"l"}"#));
    let progress = Progress::new();
    let list = client(&mock)
        .endpoint()
        .list()
        .with_totals()
        .max_pages(2)
        .report_to(&progress);
    let pages: Vec<_> = list.pages().try_collect().await.unwrap();
    assert_eq!(
        pages
            .iter()
            .map(|page| page.items.len())
            .collect::<Vec<_>>(),
        [2, 2]
    );
    assert_eq!(
        (progress.pages(), progress.items(), progress.total_items()),
        (2, 4, Some(5))
    );
    assert!(pages[1].next.is_some());
    assert_eq!(lines(&mock)[1].matches("pageTotal").count(), 0);

    let mock = tenant().json(200, page(&["a", "b", "c"], r#"{"nextKey":"k"}"#));
    let items: Vec<_> = client(&mock)
        .endpoint()
        .list()
        .max_items(2)
        .items()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items.len(), 2);
    assert!(lines(&mock)[0].contains("pageSize=2"), "{:?}", lines(&mock));
}

#[tokio::test]
async fn a_list_starts_from_the_beginning_each_time() {
    let mock = tenant()
        .json(200, page(&["a"], r#"{"nextKey":"k"}"#))
        .json(200, page(&["a"], r#"{"nextKey":"k"}"#));
    let list = client(&mock).endpoint().list();
    list.clone().items().next().await.unwrap().unwrap();
    list.items().next().await.unwrap().unwrap();
    assert_eq!(
        lines(&mock),
        [
            format!("{LIST}?pageSize=500"),
            format!("{LIST}?pageSize=500")
        ]
    );
}

/// A clock that stands still at a calendar date.
struct Stopped;

impl restkit::Clock for Stopped {
    fn now(&self) -> std::time::Instant {
        tokio::time::Instant::now().into_std()
    }

    fn sleep(&self, duration: std::time::Duration) -> restkit::BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn calendar(&self) -> std::time::SystemTime {
        // 2025-02-03T07:00:00Z
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_738_566_000)
    }
}

#[tokio::test]
async fn relative_times_of_alerts_are_resolved_by_the_clients_clock() {
    let mock = tenant()
        .json(200, page(&[], "{}"))
        .json(200, page(&[], "{}"));
    let client = Client::new(config(&mock).clock(Stopped)).unwrap();
    let day: When = "1d".parse().unwrap();
    client
        .alerts()
        .list()
        .from(day.clone())
        .send()
        .await
        .unwrap();
    client
        .endpoint()
        .list()
        .last_seen_after(day)
        .send()
        .await
        .unwrap();
    let calls = calls(&mock);
    assert_eq!(
        calls[0].query("from").as_deref(),
        Some("2025-02-02T07:00:00.000Z")
    );
    assert_eq!(calls[1].query("lastSeenAfter").as_deref(), Some("-P1D"));
}

#[tokio::test]
async fn a_long_part_of_a_host_name_is_compared_as_a_whole() {
    let body = r#"{"items":[{"id":"a","hostname":"WS-BERLIN-01"},{"id":"b","hostname":"ws-berlin-02"},{"id":"c"},{"id":"d","hostname":"x-ws-berlin-02"}],"pages":{}}"#;
    let mock = (0..3).fold(tenant(), |mock, _| mock.json(200, body));
    let list = client(&mock)
        .endpoint()
        .list()
        .hostname_contains("WS-Berlin-02");
    let items: Vec<_> = list.clone().items().try_collect().await.unwrap();
    let ids: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["b", "c", "d"]);
    let raw: Vec<_> = list
        .clone()
        .max_items(2)
        .raw()
        .items()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(raw.len(), 2);
    let page = list.max_items(1).send().await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert!(lines(&mock)[0].contains("hostnameContains=WS-Berlin-02"));
}
