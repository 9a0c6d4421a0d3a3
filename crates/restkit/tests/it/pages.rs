use futures_util::{Stream as _, StreamExt as _, TryStreamExt as _};
use restkit::pagination::{PageStyle, Position, Stop};
use restkit::transport::{MockTransport, Sent, TransportErrorKind};
use restkit::{Paginator, Record, Request};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::support::{builder, client, policy};

fn list(mock: &MockTransport, style: PageStyle) -> Paginator<u32> {
    client(mock).paginate(Request::get("/list").query("filter", "a b"), style)
}

fn targets(mock: &MockTransport) -> Vec<String> {
    mock.requests()
        .iter()
        .map(|request| request.target().replace("/v1/list?filter=a%20b", "?"))
        .collect()
}

#[tokio::test]
async fn keys_are_followed_and_other_parameters_stay_the_same() {
    let mock = MockTransport::new()
        .json(200, r#"{"items":[1,2],"pages":{"nextKey":"a/b+c","size":2,"maxSize":500,"total":2,"items":3}}"#)
        .json(200, r#"{"pages":{"fromKey":"a/b+c","nextKey":""},"items":[3]}"#);
    let list = list(&mock, PageStyle::key()).page_size(2).with_total(true);
    let progress = list.progress();
    let items: Vec<u32> = list.try_collect().await.unwrap();
    assert_eq!(items, [1, 2, 3]);
    assert_eq!(
        targets(&mock),
        [
            "?&pageSize=2&pageTotal=true",
            "?&pageSize=2&pageFromKey=a%2Fb%2Bc"
        ]
    );
    assert_eq!((progress.pages(), progress.items()), (2, 3));
    assert_eq!(progress.stop(), Some(Stop::End));
    assert_eq!(
        progress.last_info().unwrap().from_key.as_deref(),
        Some("a/b+c")
    );
    assert!(progress.position().is_end());
}

#[tokio::test]
async fn an_empty_page_with_a_next_key_goes_on() {
    let mock = MockTransport::new()
        .json(200, r#"{"items":[],"pages":{"nextKey":"a"}}"#)
        .json(200, r#"{"items":null,"pages":{"nextKey":"b"}}"#)
        .json(200, r#"{"items":[7],"pages":{}}"#);
    let items: Vec<u32> = list(&mock, PageStyle::key()).try_collect().await.unwrap();
    assert_eq!(items, [7]);
}

#[tokio::test]
async fn a_repeated_key_ends_the_list_with_a_warning_and_keeps_its_items() {
    let mock = MockTransport::new()
        .json(200, r#"{"items":[1],"pages":{"nextKey":"a"}}"#)
        .json(200, r#"{"items":[2],"pages":{"nextKey":"b"}}"#)
        .json(200, r#"{"items":[3],"pages":{"nextKey":"a"}}"#);
    let list = list(&mock, PageStyle::key());
    let progress = list.progress();
    let items: Vec<u32> = list.try_collect().await.unwrap();
    assert_eq!(items, [1, 2, 3]);
    assert!(progress.stop().unwrap().is_warning());
    assert_eq!(mock.remaining(), 0);
}

#[tokio::test]
async fn page_numbers_end_by_total_by_a_short_page_or_by_an_empty_one() {
    let endings: [&[&str]; 4] = [
        // A total that is known wins over a short page.
        &[
            r#"{"items":[1],"pages":{"current":1,"size":2,"total":2}}"#,
            r#"{"items":[2,3],"pages":{"current":2,"size":2}}"#,
        ],
        &[
            r#"{"items":[1,2],"pages":{"current":1,"size":2}}"#,
            r#"{"items":[3],"pages":{"current":2,"size":2}}"#,
        ],
        &[
            r#"{"items":[1,2,3],"pages":{"current":1,"size":3}}"#,
            r#"{"items":[],"pages":{"current":2,"size":3}}"#,
        ],
        &[r#"{"items":[1,2,3]}"#],
    ];
    for bodies in endings {
        let mut mock = MockTransport::new();
        for body in bodies {
            mock = mock.json(200, *body);
        }
        let items: Vec<u32> = list(&mock, PageStyle::number())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(items, [1, 2, 3]);
        assert_eq!(mock.remaining(), 0);
        let expected: &[&str] = if bodies.len() == 2 {
            &["?", "?&page=2"]
        } else {
            &["?"]
        };
        assert_eq!(targets(&mock), expected);
    }
}

#[tokio::test]
async fn a_service_that_ignores_the_page_number_is_not_followed_in_circles() {
    for pages in [r#"{"current":1,"size":2}"#, r#"{"size":2}"#] {
        let body = format!(r#"{{"items":[1,2],"pages":{pages}}}"#);
        let mock = MockTransport::new().json(200, body.clone()).json(200, body);
        let list = list(&mock, PageStyle::number());
        let progress = list.progress();
        let items: Vec<u32> = list.try_collect().await.unwrap();
        assert_eq!(items, [1, 2], "the repetition is not handed out");
        assert_eq!(progress.stop(), Some(Stop::Repeated));
    }
}

#[tokio::test]
async fn offsets_count_items_and_end_at_the_total() {
    let mock = MockTransport::new()
        .json(200, r#"{"@odata.count":3,"value":[1,2]}"#)
        .json(200, r#"{"@odata.count":3,"value":[3]}"#);
    let list = list(&mock, PageStyle::offset())
        .page_size(2)
        .with_total(true);
    let items: Vec<u32> = list.try_collect().await.unwrap();
    assert_eq!(items, [1, 2, 3]);
    assert_eq!(targets(&mock), ["?&$top=2&$count=true", "?&$top=2&$skip=2"]);
}

#[tokio::test]
async fn bare_arrays_by_offset_go_on_until_an_empty_one() {
    let mock = MockTransport::new()
        .json(200, "[1,2]")
        .json(200, "[3]")
        .json(200, "[]");
    let items: Vec<u32> = list(&mock, PageStyle::offset())
        .page_size(2)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items, [1, 2, 3]);
    assert_eq!(
        targets(&mock),
        ["?&$top=2", "?&$top=2&$skip=2", "?&$top=2&$skip=3"]
    );
}

#[tokio::test]
async fn page_parameters_can_stand_in_the_body() {
    let mock = MockTransport::new()
        .json(200, r#"{"items":[1],"pages":{"nextKey":"k"}}"#)
        .json(200, r#"{"items":[2],"pages":{}}"#);
    let request = Request::post("/search")
        .json(&serde_json::json!({"severity": ["high"]}))
        .unwrap();
    let list: Paginator<u32> = client(&mock).paginate(request, PageStyle::key().in_body());
    let items: Vec<u32> = list.page_size(10).try_collect().await.unwrap();
    assert_eq!(items, [1, 2]);
    let bodies: Vec<String> = mock
        .requests()
        .iter()
        .map(|request| request.text())
        .collect();
    assert_eq!(
        bodies,
        [
            r#"{"pageSize":10,"severity":["high"]}"#,
            r#"{"pageFromKey":"k","pageSize":10,"severity":["high"]}"#
        ]
    );
}

#[tokio::test]
async fn nothing_is_fetched_before_it_is_needed() {
    let mock = MockTransport::new()
        .json(200, r#"{"items":[1,2],"pages":{"nextKey":"a"}}"#)
        .json(200, r#"{"items":[3,4],"pages":{"nextKey":"b"}}"#);
    let mut list = list(&mock, PageStyle::key());
    assert_eq!((mock.requests().len(), list.size_hint()), (0, (0, None)));
    list.next().await.unwrap().unwrap();
    assert_eq!((mock.requests().len(), list.size_hint()), (1, (1, None)));
    list.next().await.unwrap().unwrap();
    assert_eq!((mock.requests().len(), list.size_hint()), (1, (0, None)));
    list.next().await.unwrap().unwrap();
    assert_eq!(mock.requests().len(), 2);
}

#[tokio::test]
async fn bounds_on_items_and_pages_fetch_no_page_too_many() {
    let mock = MockTransport::new()
        .json(200, r#"{"items":[1,2],"pages":{"nextKey":"a"}}"#)
        .json(200, r#"{"items":[3,4],"pages":{"nextKey":"b"}}"#);
    let list_of_three = list(&mock, PageStyle::key()).page_size(2).max_items(3);
    let progress = list_of_three.progress();
    let items: Vec<u32> = list_of_three.try_collect().await.unwrap();
    assert_eq!(
        (items, progress.stop()),
        (vec![1, 2, 3], Some(Stop::MaxItems))
    );

    let mock = MockTransport::new().json(200, r#"{"items":[1,2],"pages":{"nextKey":"a"}}"#);
    let first_page = list(&mock, PageStyle::key()).max_pages(1);
    let progress = first_page.progress();
    let items: Vec<u32> = first_page.try_collect().await.unwrap();
    assert_eq!((items, progress.stop()), (vec![1, 2], Some(Stop::MaxPages)));

    let mock = MockTransport::new();
    let none: Vec<u32> = list(&mock, PageStyle::key())
        .max_items(0)
        .try_collect()
        .await
        .unwrap();
    assert!(none.is_empty() && mock.requests().is_empty());
}

#[tokio::test]
async fn a_small_bound_on_items_asks_for_a_small_page() {
    let mock = MockTransport::new().json(200, r#"{"items":[1,2,3],"pages":{"nextKey":"a"}}"#);
    let items: Vec<u32> = list(&mock, PageStyle::key().max_size(500))
        .page_size(100)
        .max_items(3)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(targets(&mock), ["?&pageSize=3"]);
}

#[tokio::test]
async fn page_sizes_are_cut_to_what_the_service_takes() {
    let mock = MockTransport::new()
        .json(
            200,
            r#"{"items":[1],"pages":{"nextKey":"a","maxSize":100}}"#,
        )
        .json(200, r#"{"items":[2],"pages":{}}"#);
    let items: Vec<u32> = list(&mock, PageStyle::key().max_size(500))
        .page_size(9999)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        targets(&mock),
        ["?&pageSize=500", "?&pageSize=100&pageFromKey=a"]
    );
    assert_eq!(items, [1, 2]);
}

#[tokio::test]
async fn a_page_size_that_is_refused_is_replaced_once() {
    let mock = MockTransport::new()
        .json(400, r#"{"error":"badRequest"}"#)
        .json(200, r#"{"items":[1],"pages":{"nextKey":"a"}}"#)
        .json(200, r#"{"items":[2],"pages":{}}"#);
    let items: Vec<u32> = list(&mock, PageStyle::key())
        .page_size(500)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items, [1, 2]);
    assert_eq!(
        targets(&mock),
        [
            "?&pageSize=500",
            "?&pageSize=50",
            "?&pageSize=50&pageFromKey=a"
        ]
    );

    let mock = MockTransport::new()
        .json(400, r#"{"error":"badFilter"}"#)
        .json(400, r#"{"error":"other"}"#);
    let error = list(&mock, PageStyle::key())
        .page_size(500)
        .try_collect::<Vec<_>>()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("badFilter"));
}

#[tokio::test]
async fn a_bare_array_is_the_whole_list() {
    let mock = MockTransport::new().json(200, " [1, 2]");
    let items: Vec<u32> = list(&mock, PageStyle::key()).try_collect().await.unwrap();
    assert_eq!(items, [1, 2]);
}

#[tokio::test]
async fn an_answer_without_items_is_an_error_and_not_an_empty_list() {
    for body in [
        r#"{"error":"odd"}"#,
        "null",
        "",
        r#"{"items":{}}"#,
        r#"{"items":[1,2"#,
    ] {
        let mock = MockTransport::new().json(200, body);
        let error = list(&mock, PageStyle::key())
            .try_collect::<Vec<_>>()
            .await
            .unwrap_err();
        assert!(error.is_decode(), "{body}: {error}");
    }
}

#[derive(Debug, Deserialize)]
struct Device {
    id: String,
    #[expect(dead_code, reason = "only decoding is under test")]
    health: Option<Health>,
}

#[derive(Debug, Deserialize)]
struct Health {
    #[expect(dead_code, reason = "only decoding is under test")]
    overall: String,
}

#[tokio::test]
async fn a_page_that_is_no_json_names_the_place_where_it_breaks() {
    for (body, path) in [
        (
            r#"{"items":[{"id":"a"},{"id":}],"pages":{}}"#,
            Some("items[1].id"),
        ),
        (r#"[1,2,x]"#, Some("[2]")),
        (r#"{"items":[1,2"#, Some("items")),
        ("<html>", None),
    ] {
        let mock = MockTransport::new().json(200, body);
        let mut list = std::pin::pin!(list(&mock, PageStyle::key()));
        let error = list.next().await.unwrap().unwrap_err();
        assert!(error.is_decode(), "{error}");
        assert_eq!(error.decode_path(), path, "{body}");
    }
}

#[tokio::test]
async fn a_malformed_item_names_its_path_and_hides_no_other() {
    let body = r#"{"items":[{"id":"a"},{"id":"b","health":{"overall":1}},{"id":"c"}],"pages":{}}"#;
    let mock = MockTransport::new().json(200, body).json(200, body);
    let client = client(&mock);
    let outcomes: Vec<_> = client
        .paginate::<Record<Device>>(Request::get("/x"), PageStyle::key())
        .collect()
        .await;
    let error = outcomes[1].as_ref().unwrap_err();
    assert_eq!(error.decode_path(), Some("items[1].health.overall"));
    assert_eq!(outcomes[0].as_ref().unwrap().id, "a");
    assert_eq!(outcomes[2].as_ref().unwrap().id, "c");

    let pages: Vec<_> = client
        .paginate::<Device>(Request::get("/x"), PageStyle::key())
        .pages()
        .collect()
        .await;
    assert_eq!(pages.len(), 1);
    assert_eq!(
        pages[0].as_ref().unwrap_err().decode_path(),
        Some("items[1].health.overall")
    );
}

#[tokio::test]
async fn raw_items_are_copied_byte_for_byte() {
    let mock = MockTransport::new().json(
        200,
        "{\"items\": [ {\"b\" :1.0,\"a\":\"\\u00e4\"} , 7 ] ,\"pages\":{}}",
    );
    let items: Vec<Box<RawValue>> = client(&mock)
        .paginate(Request::get("/x"), PageStyle::key())
        .try_collect()
        .await
        .unwrap();
    let texts: Vec<&str> = items.iter().map(|item| item.get()).collect();
    assert_eq!(texts, [r#"{"b" :1.0,"a":"\u00e4"}"#, "7"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_what_was_delivered_and_the_list_can_be_resumed() {
    let mock = MockTransport::new()
        .json(200, r#"{"items":[1,2],"pages":{"nextKey":"a"}}"#)
        .fail(TransportErrorKind::Closed, Sent::Maybe)
        .json(200, r#"{"items":[3],"pages":{}}"#);
    let client = builder(&mock)
        .retry(policy().max_retries(0))
        .build()
        .unwrap();
    let make = || {
        client
            .paginate::<u32>(Request::get("/x"), PageStyle::key())
            .page_size(2)
    };
    let mut list = make();
    let mut got = Vec::new();
    let error = loop {
        match list.next().await.unwrap() {
            Ok(item) => got.push(item),
            Err(error) => break error,
        }
    };
    assert!(error.is_connection());
    assert_eq!(got, [1, 2]);
    assert!(list.next().await.is_none(), "a failed list has ended");
    assert_eq!(list.progress().stop(), Some(Stop::Failed));

    let kept = serde_json::to_string(&list.position()).unwrap();
    assert_eq!(kept, r#"{"at":{"key":"a"},"size":2}"#);
    let position: Position = serde_json::from_str(&kept).unwrap();
    let rest: Vec<u32> = make().resume_from(position).try_collect().await.unwrap();
    assert_eq!(rest, [3]);
}

#[tokio::test]
async fn a_list_can_be_resumed_within_a_page() {
    let body = r#"{"items":[1,2,3],"pages":{"current":4,"size":9}}"#;
    let mock = MockTransport::new().json(200, body).json(200, body);
    let mut first = list(&mock, PageStyle::number());
    first.next().await.unwrap().unwrap();
    let position = first.position();
    let rest: Vec<u32> = list(&mock, PageStyle::number())
        .resume_from(position)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rest, [2, 3]);
}

#[tokio::test]
async fn pages_carry_their_info_and_the_place_behind_them() {
    let mock = MockTransport::new()
        .json(200, r#"{"items":[1,2],"pages":{"nextKey":"a","new":true}}"#)
        .json(200, r#"{"items":[3],"pages":{}}"#);
    let mut pages = list(&mock, PageStyle::key()).pages();
    let first = pages.next().await.unwrap().unwrap();
    assert_eq!(first.items, [1, 2]);
    assert!(!first.next.is_end());
    let info = first.info.unwrap();
    assert_eq!(info.raw.unwrap().get(), r#"{"nextKey":"a","new":true}"#);
    assert_eq!(mock.requests().len(), 1);
    let second = pages.next().await.unwrap().unwrap();
    assert!(second.next.is_end());
    assert!(pages.next().await.is_none());
    assert!(pages.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_for_the_next_item_loses_nothing() {
    let mock = MockTransport::new()
        .json(200, r#"{"items":[1],"pages":{}}"#)
        .after(std::time::Duration::from_secs(5));
    let mut list = list(&mock, PageStyle::key());
    let wait = tokio::time::timeout(std::time::Duration::from_secs(1), list.next());
    assert!(wait.await.is_err());
    assert_eq!(list.next().await.unwrap().unwrap(), 1);
    assert_eq!(mock.requests().len(), 1);
}
