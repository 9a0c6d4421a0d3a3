use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use proptest::prelude::*;
use restkit::rate_limit::{Quota, RateLimiter, RateLimits};
use restkit::transport::MockTransport;
use restkit::{Client, ErrorKind, Request};
use tokio::time::Instant;

use crate::support::{answer, builder, policy, seconds};

/// When requests started, after the first moment of the test.
#[derive(Clone)]
struct Starts {
    begin: Instant,
    seen: Arc<Mutex<Vec<(Duration, String)>>>,
}

impl Starts {
    fn new() -> Self {
        Self {
            begin: Instant::now(),
            seen: Arc::default(),
        }
    }

    fn transport(&self) -> MockTransport {
        let starts = self.clone();
        MockTransport::new().respond_with(move |request| {
            let at = starts.begin.elapsed();
            starts
                .seen
                .lock()
                .unwrap()
                .push((at, request.target().to_owned()));
            answer(200, "{}")
        })
    }

    fn times(&self) -> Vec<Duration> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|(at, _)| *at)
            .collect()
    }

    fn targets(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|(_, target)| target.clone())
            .collect()
    }
}

fn limited(mock: &MockTransport, limits: RateLimits) -> Client {
    builder(mock).rate_limits(limits).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn all_quotas_hold_at_the_same_time() {
    let starts = Starts::new();
    let limits = RateLimits::new()
        .quota(Quota::per_second(2))
        .quota(Quota::per_minute(6).burst(4));
    let client = limited(&starts.transport(), limits);
    join_all((0..6).map(|_| client.send(Request::get("/x")))).await;
    let millis: Vec<u128> = starts.times().iter().map(Duration::as_millis).collect();
    // Two at once, two more by the second's quota, then one per ten seconds by the minute's.
    assert_eq!(millis, [0, 0, 500, 1000, 10_000, 20_000]);
}

#[tokio::test(start_paused = true)]
async fn requests_start_in_the_order_in_which_they_came() {
    let starts = Starts::new();
    let client = limited(
        &starts.transport(),
        RateLimits::new().quota(Quota::per_second(1)),
    );
    join_all((0..5).map(|index| client.send(Request::get(format!("/{index}"))))).await;
    assert_eq!(
        starts.targets(),
        ["/v1/0", "/v1/1", "/v1/2", "/v1/3", "/v1/4"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_gives_its_turn_to_those_behind_it() {
    let starts = Starts::new();
    let client = limited(
        &starts.transport(),
        RateLimits::new().quota(Quota::per_second(1)),
    );
    client.send(Request::get("/first")).await.unwrap();
    let mut cancelled = Box::pin(client.send(Request::get("/cancelled")));
    assert!((&mut cancelled).now_or_never().is_none());
    let behind = tokio::spawn({
        let client = client.clone();
        async move { client.send(Request::get("/behind")).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(cancelled);
    behind.await.unwrap().unwrap();
    assert_eq!(starts.times(), [Duration::ZERO, seconds(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_nobody_polls_holds_nobody_up() {
    let starts = Starts::new();
    let client = limited(
        &starts.transport(),
        RateLimits::new().quota(Quota::per_second(1)),
    );
    client.send(Request::get("/first")).await.unwrap();
    let mut asleep = Box::pin(client.send(Request::get("/asleep")));
    assert!((&mut asleep).now_or_never().is_none());
    client.send(Request::get("/awake")).await.unwrap();
    assert_eq!(starts.times(), [Duration::ZERO, seconds(2)]);
    asleep.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_came_but_was_never_used_is_given_back() {
    let starts = Starts::new();
    let client = limited(
        &starts.transport(),
        RateLimits::new().quota(Quota::per_second(1)),
    );
    client.send(Request::get("/first")).await.unwrap();
    let mut unused = Box::pin(client.send(Request::get("/unused")));
    assert!((&mut unused).now_or_never().is_none());
    let mut behind = Box::pin(client.send(Request::get("/behind")));
    assert!((&mut behind).now_or_never().is_none());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // The unused turn came at 1 s, as this poll of another request finds out.
    assert!((&mut behind).now_or_never().is_none());
    drop(unused);
    behind.await.unwrap();
    assert_eq!(
        starts.times(),
        [Duration::ZERO, Duration::from_millis(1500)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_429_holds_back_all_calls_of_all_views() {
    let begin = Instant::now();
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = times.clone();
    let mock = MockTransport::new()
        .respond(429, &[("retry-after", "30")], "")
        .respond_with(move |_| {
            seen.lock().unwrap().push(begin.elapsed());
            answer(200, "{}")
        });
    let client = builder(&mock).build().unwrap();
    let view = client.with_header("x-tenant", "b").unwrap();
    let refused = tokio::spawn(async move { client.send(Request::get("/a")).await });
    tokio::time::sleep(seconds(1)).await;
    view.send(Request::get("/b")).await.unwrap();
    refused.await.unwrap().unwrap();
    assert_eq!(*times.lock().unwrap(), [seconds(30), seconds(30)]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let mock = MockTransport::new()
        .status(200)
        .respond(429, &[("retry-after", "60")], "")
        .status(200);
    let client = builder(&mock)
        .retry(policy().max_retries(0))
        .rate_limits(RateLimits::new().quota(Quota::per_minute(1).burst(2)))
        .build()
        .unwrap();
    client.send(Request::get("/x")).await.unwrap();
    client.send(Request::get("/x")).await.unwrap_err();
    let begin = Instant::now();
    let request = || Request::post("/x").with_timeout(seconds(10));
    let error = client.send(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    tokio::time::sleep(seconds(60)).await;
    // One turn has come back by now, and after it there is only our own quota to wait for.
    let mut turn = Box::pin(client.send(Request::get("/x")));
    assert!((&mut turn).now_or_never().unwrap().is_ok());
    let error = client.send(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(begin.elapsed(), seconds(60));
    assert_eq!(mock.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn clients_made_apart_can_share_quotas() {
    let starts = Starts::new();
    let mock = starts.transport();
    let limiter = RateLimiter::new(&RateLimits::new().quota(Quota::per_second(1)));
    for _ in 0..3 {
        let client = builder(&mock)
            .rate_limiter(limiter.clone())
            .build()
            .unwrap();
        client.send(Request::get("/x")).await.unwrap();
    }
    assert_eq!(starts.times(), [seconds(0), seconds(1), seconds(2)]);
}

#[tokio::test(start_paused = true)]
async fn loopback_is_not_limited_unless_asked_for() {
    for (asked, expected) in [(false, seconds(0)), (true, seconds(9))] {
        let starts = Starts::new();
        let client = Client::builder()
            .transport(starts.transport())
            .base_url("http://127.0.0.1:8080")
            .rate_limits(
                RateLimits::new()
                    .quota(Quota::per_second(1))
                    .on_loopback(asked),
            )
            .build()
            .unwrap();
        join_all((0..10).map(|_| client.send(Request::get("/x")))).await;
        assert_eq!(starts.begin.elapsed(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// However requests arrive and are cancelled, no window sees more of them than each quota allows.
    #[test]
    fn no_window_holds_more_than_its_quota(
        quotas in prop::collection::vec((1_u32..8, 1_u64..5, 1_u32..8), 1..3),
        arrivals in prop::collection::vec((0_u64..900, any::<bool>()), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let mut limits = RateLimits::new();
        for (requests, period, burst) in &quotas {
            limits = limits.quota(Quota::new(*requests, seconds(*period)).burst(*burst));
        }
        let kept = arrivals.iter().filter(|(_, cancelled)| !cancelled).count();
        let (times, finished) = runtime.block_on(async {
            let starts = Starts::new();
            let client = limited(&starts.transport(), limits);
            let mut calls = Vec::new();
            for (gap, cancelled) in arrivals {
                tokio::time::sleep(Duration::from_millis(gap)).await;
                let client = client.clone();
                calls.push(tokio::spawn(async move {
                    let call = client.send(Request::get("/x"));
                    if cancelled {
                        tokio::time::timeout(Duration::from_millis(gap), call).await.is_ok()
                    } else {
                        call.await.is_ok()
                    }
                }));
            }
            let mut finished = 0;
            for call in calls {
                finished += usize::from(call.await.unwrap());
            }
            (starts.times(), finished)
        });
        prop_assert!(finished >= kept);
        for (requests, period, burst) in quotas {
            let interval = Duration::from_secs(period) / requests;
            for (index, first) in times.iter().enumerate() {
                for (count, last) in times[index..].iter().enumerate() {
                    // Between the first and this one, so many more may have started. The runtime's
                    // timers are exact to a millisecond.
                    let window = *last - *first + Duration::from_millis(2);
                    let allowed = u128::from(burst) + window.as_nanos() / interval.as_nanos();
                    prop_assert!((count as u128) < allowed, "{times:?}");
                }
            }
        }
    }
}
