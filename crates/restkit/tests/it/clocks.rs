//! All waiting goes through the injected clock.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use restkit::credentials::Oauth2ClientCredentials;
use restkit::rate_limit::{Quota, RateLimits};
use restkit::transport::MockTransport;
use restkit::{BoxFuture, Clock, ErrorKind, Request};

use crate::support::{TOKEN_URL, answer, builder, seconds, service, token_requests};

/// A clock that jumps to the end of each wait.
#[derive(Clone)]
struct Jumping {
    state: Arc<Mutex<(Instant, Vec<Duration>)>>,
}

impl Jumping {
    fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new((Instant::now(), Vec::new()))),
        }
    }

    fn waits(&self) -> Vec<Duration> {
        self.state.lock().unwrap().1.clone()
    }
}

impl Clock for Jumping {
    fn now(&self) -> Instant {
        self.state.lock().unwrap().0
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            let mut state = clock.state.lock().unwrap();
            state.0 += duration;
            state.1.push(duration);
        })
    }

    fn calendar(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }
}

#[test]
fn a_call_needs_no_runtime_and_waits_by_the_clock_alone() {
    let clock = Jumping::new();
    let mock = MockTransport::new()
        .status(503)
        .respond(429, &[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")], "")
        .status(200);
    let client = builder(&mock).clock(clock.clone()).build().unwrap();
    let response = client
        .send(Request::get("/x"))
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(clock.waits(), [seconds(1), seconds(10)]);
    assert_eq!(response.elapsed(), seconds(11));
}

#[test]
fn quotas_and_tokens_go_by_the_clock() {
    let clock = Jumping::new();
    let mock = service(|_| answer(200, "{}"));
    let client = builder(&mock)
        .clock(clock.clone())
        .credentials(Oauth2ClientCredentials::new(TOKEN_URL, "id", "secret"))
        .rate_limits(RateLimits::new().quota(Quota::per_hour(1)))
        .build()
        .unwrap();
    for _ in 0..3 {
        client
            .send(Request::get("/x"))
            .now_or_never()
            .unwrap()
            .unwrap();
    }
    assert_eq!(clock.waits(), [seconds(3600), seconds(3600)]);
    // After an hour's wait for a turn the token of before is not used any more.
    assert_eq!(token_requests(&mock), 3);
    let requests = mock.requests();
    let last = requests.last().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer token-3"));
}

#[test]
fn a_stalled_attempt_ends_by_the_clock() {
    let clock = Jumping::new();
    let mock = MockTransport::new().stall();
    let client = builder(&mock).clock(clock.clone()).build().unwrap();
    let request = Request::post("/x").with_attempt_timeout(seconds(7));
    let error = client.send(request).now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnclearWrite);
    assert_eq!(clock.waits(), [seconds(7)]);
}
