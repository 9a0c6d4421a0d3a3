use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream;
use futures_util::{FutureExt as _, StreamExt as _};
use restkit::batch::{Batch, Outcome, batch, merge};
use restkit::pagination::PageStyle;
use restkit::transport::MockTransport;
use restkit::{Error, Request};
use tokio::time::Instant;

use crate::support::{answer, builder, client, seconds};

#[tokio::test(start_paused = true)]
async fn results_come_in_the_order_of_the_inputs_and_a_failure_hides_none() {
    let results = batch(0..6_u64, 3, |input| async move {
        tokio::time::sleep(seconds(10 - input)).await;
        if input % 2 == 1 {
            Err(input)
        } else {
            Ok(input)
        }
    })
    .await;
    assert_eq!(results, [Ok(0), Err(1), Ok(2), Err(3), Ok(4), Err(5)]);
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_allowed_and_a_slow_one_holds_up_nobody() {
    let running = AtomicUsize::new(0);
    let most = AtomicUsize::new(0);
    let start = Instant::now();
    batch(0..21_u64, 3, |input| {
        let (running, most) = (&running, &most);
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(if input == 0 { seconds(10) } else { seconds(1) }).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, ()>(())
        }
    })
    .await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
    // Two places do the twenty short ones while the third is busy with the long one.
    assert_eq!(start.elapsed(), seconds(10));
}

#[tokio::test(start_paused = true)]
async fn stopping_at_an_error_finishes_what_is_under_way_and_starts_nothing_new() {
    let mut seen = Vec::new();
    let outcomes = Batch::new(2)
        .stop_on_error(true)
        .on_progress(|counts| seen.push((counts.started, counts.succeeded, counts.failed)))
        .run(0..5_u64, |input| async move {
            tokio::time::sleep(seconds(input + 1)).await;
            if input == 0 { Err("no") } else { Ok(input) }
        })
        .await;
    assert_eq!(
        outcomes,
        [
            Outcome::Failed("no"),
            Outcome::Done(1),
            Outcome::NotStarted,
            Outcome::NotStarted,
            Outcome::NotStarted
        ]
    );
    assert_eq!(seen, [(2, 0, 1), (2, 1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_batch_drops_what_is_under_way() {
    let mock = MockTransport::new().stall().stall().stall();
    let client = client(&mock);
    let requests = (0..3).map(|_| Request::get("/x")).collect();
    let all = client.send_all(requests, 2);
    assert!(tokio::time::timeout(seconds(1), all).await.is_err());
    assert_eq!((mock.requests().len(), mock.cancelled()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_concurrency_of_a_client_wait() {
    let mut mock = MockTransport::new();
    for _ in 0..9 {
        mock = mock.status(200).after(seconds(1));
    }
    let client = builder(&mock).concurrency(3).build().unwrap();
    let start = Instant::now();
    let view = client.with_header("x-tenant", "b").unwrap();
    let calls = (0..9).map(|index| if index % 2 == 0 { &client } else { &view });
    join_all(calls.map(|client| client.send(Request::get("/x")))).await;
    assert_eq!((mock.most_running(), start.elapsed()), (3, seconds(3)));
}

#[tokio::test]
async fn send_all_gives_one_result_per_request() {
    let mock = MockTransport::new().respond_with(|request| match request.target() {
        "/v1/1" => answer(404, "{}"),
        other => answer(200, format!("\"{other}\"")),
    });
    let requests = (0..3)
        .map(|index| Request::get(format!("/{index}")))
        .collect();
    let results = client(&mock).send_all(requests, 8).await.unwrap();
    let texts: Vec<Option<String>> = results
        .into_iter()
        .map(|result| result.ok().map(|response| response.json().unwrap()))
        .collect();
    assert_eq!(
        texts,
        [Some("/v1/0".to_owned()), None, Some("/v1/2".to_owned())]
    );
}

#[tokio::test]
async fn merged_lists_carry_their_source_and_a_failing_one_stops_no_other() {
    let mock = MockTransport::new().respond_with(|request| {
        let tenant = request.header("x-tenant").unwrap();
        if tenant == "b" {
            return answer(403, "{}");
        }
        match request.query("pageFromKey") {
            None => answer(
                200,
                format!(r#"{{"items":["{tenant}1","{tenant}2"],"pages":{{"nextKey":"k"}}}}"#),
            ),
            Some(_) => answer(200, format!(r#"{{"items":["{tenant}3"],"pages":{{}}}}"#)),
        }
    });
    let client = client(&mock);
    let lists = ["a", "b", "c"].map(|tenant| {
        let view = client.with_header("x-tenant", tenant).unwrap();
        (
            tenant,
            view.paginate::<String>(Request::get("/x"), PageStyle::key()),
        )
    });
    let all: Vec<(&str, Result<String, Error>)> = merge(lists, 2).collect().await;
    let of = |tenant: &str| -> Vec<String> {
        all.iter()
            .filter(|(source, _)| *source == tenant)
            .map(|(_, item)| {
                item.as_ref()
                    .map_or_else(|error| error.kind_text(), Clone::clone)
            })
            .collect()
    };
    assert_eq!(of("a"), ["a1", "a2", "a3"]);
    assert_eq!(of("b"), ["Permission"]);
    assert_eq!(of("c"), ["c1", "c2", "c3"]);
}

trait KindText {
    fn kind_text(&self) -> String;
}

impl KindText for Error {
    fn kind_text(&self) -> String {
        format!("{:?}", self.kind())
    }
}

#[tokio::test(start_paused = true)]
async fn sources_begin_as_places_get_free() {
    let begun = AtomicUsize::new(0);
    let sources = (0..4_usize).map(|index| {
        let begun = &begun;
        let stream = stream::once(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
        (index, Box::pin(stream))
    });
    let mut merged = merge(sources, 2);
    assert!(merged.next().now_or_never().is_none());
    assert_eq!(begun.load(Ordering::SeqCst), 2);
    merged.next().await.unwrap();
    merged.next().await.unwrap();
    merged.next().await.unwrap();
    assert_eq!(begun.load(Ordering::SeqCst), 4);
    merged.next().await.unwrap();
    assert!(merged.next().await.is_none());
}

#[tokio::test]
async fn empty_sources_make_way_for_others() {
    let sources = (0..10).map(|index| {
        let items = if index == 9 { vec![1] } else { Vec::new() };
        (index, stream::iter(items))
    });
    let all: Vec<(i32, i32)> = merge(sources, 1).collect().await;
    assert_eq!(all, [(9, 1)]);
}
