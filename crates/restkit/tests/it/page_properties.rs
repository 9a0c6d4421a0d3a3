//! Whatever a service does within the rules, every item comes exactly once and in order.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use proptest::prelude::*;
use restkit::pagination::{PageStyle, Position};
use restkit::retry::RetryPolicy;
use restkit::transport::{
    MockTransport, RecordedRequest, Sent, TransportError, TransportErrorKind,
};
use restkit::{Client, Request};
use serde_json::json;

use crate::support::{BASE, answer};

/// A service with numbers from 0.
#[derive(Clone, Debug)]
struct Service {
    items: usize,
    max_size: usize,
    default_size: usize,
    /// Sizes above the maximum are answered with 400 instead of being cut.
    strict: bool,
    tells_total: bool,
    tells_max: bool,
    /// Pages by key come shorter than asked for, by these numbers in turn; they may come empty.
    shortages: Vec<usize>,
    /// Every n-th request fails.
    fails_every: u32,
}

fn services() -> impl Strategy<Value = Service> {
    (
        0_usize..120,
        1_usize..120,
        1_usize..60,
        any::<(bool, bool, bool)>(),
        prop::collection::vec(0_usize..70, 1..5),
        2_u32..6,
    )
        .prop_map(
            |(items, max_size, default_size, flags, shortages, fails_every)| Service {
                items,
                max_size,
                default_size: default_size.min(max_size),
                strict: flags.0,
                tells_total: flags.1,
                tells_max: flags.2,
                shortages,
                fails_every,
            },
        )
}

type Answer = Result<http::Response<Bytes>, TransportError>;

impl Service {
    fn mock(self, by_key: bool, faulty: bool) -> MockTransport {
        let count = AtomicU32::new(0);
        MockTransport::new().respond_with(move |request| {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            if faulty && number.is_multiple_of(self.fails_every) {
                return Err(TransportError::new(TransportErrorKind::Closed, Sent::Maybe));
            }
            let wanted = request
                .query("pageSize")
                .map(|size| size.parse::<usize>().unwrap());
            if self.strict && wanted.is_some_and(|size| size > self.max_size) {
                return answer(400, r#"{"error":"badRequest"}"#);
            }
            let size = wanted.unwrap_or(self.default_size).min(self.max_size);
            if by_key {
                self.by_key(request, size, number)
            } else {
                self.by_number(request, size)
            }
        })
    }

    fn by_key(&self, request: &RecordedRequest, size: usize, number: u32) -> Answer {
        // The key says where the page starts; one after an empty page ends with an `e`, and such a
        // page is not empty again.
        let key = request
            .query("pageFromKey")
            .unwrap_or_else(|| "0-0".to_owned());
        let start: usize = key.split('-').next().unwrap().parse().unwrap();
        let most = if key.ends_with('e') { size - 1 } else { size };
        let short = self.shortages[number as usize % self.shortages.len()].min(most);
        let end = (start + size - short).min(self.items);
        let mut pages = json!({"size": size});
        if end < self.items {
            let mark = if end == start { "e" } else { "" };
            pages["nextKey"] = format!("{end}-{number}{mark}").into();
        }
        self.tell(&mut pages, size);
        let items: Vec<usize> = (start..end).collect();
        answer(200, json!({"items": items, "pages": pages}).to_string())
    }

    fn by_number(&self, request: &RecordedRequest, size: usize) -> Answer {
        let page: usize = request
            .query("page")
            .map_or(1, |page| page.parse().unwrap());
        let start = ((page - 1) * size).min(self.items);
        let end = (start + size).min(self.items);
        let mut pages = json!({"current": page, "size": size});
        self.tell(&mut pages, size);
        let items: Vec<usize> = (start..end).collect();
        answer(200, json!({"items": items, "pages": pages}).to_string())
    }

    fn tell(&self, pages: &mut serde_json::Value, size: usize) {
        if self.tells_total {
            pages["total"] = self.items.div_ceil(size).into();
            pages["items"] = self.items.into();
        }
        if self.tells_max {
            pages["maxSize"] = self.max_size.into();
        }
    }
}

fn client(mock: MockTransport) -> Client {
    Client::builder()
        .transport(mock)
        .base_url(BASE)
        .retry(RetryPolicy::none())
        .build()
        .unwrap()
}

fn style(by_key: bool) -> PageStyle {
    if by_key {
        PageStyle::key()
    } else {
        PageStyle::number()
    }
}

/// Reads a list to its end and starts again from its position after each failure.
fn read(client: &Client, by_key: bool, size: Option<u32>, patience: usize) -> Vec<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut got = Vec::new();
        let mut position: Option<Position> = None;
        for _ in 0..patience {
            let mut list = client.paginate::<usize>(Request::get("/list"), style(by_key));
            if let Some(size) = size {
                list = list.page_size(size);
            }
            if let Some(position) = position.take() {
                // As a program would that was restarted in between.
                let kept = serde_json::to_string(&position).unwrap();
                list = list.resume_from(serde_json::from_str(&kept).unwrap());
            }
            let mut failed = false;
            while let Some(item) = list.next().await {
                match item {
                    Ok(item) => got.push(item),
                    Err(_) => failed = true,
                }
            }
            if !failed {
                assert!(!list.progress().stop().unwrap().is_warning());
                return got;
            }
            position = Some(list.position());
        }
        panic!("the list did not end");
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn every_item_comes_exactly_once(
        service in services(),
        by_key: bool,
        size in prop::option::of(1_u32..200),
    ) {
        // The fallback size must be one that the service takes.
        let service = Service { max_size: service.max_size.max(50), ..service };
        let expected: Vec<usize> = (0..service.items).collect();
        let client = client(service.mock(by_key, false));
        prop_assert_eq!(read(&client, by_key, size, 1), expected);
    }

    #[test]
    fn every_item_comes_exactly_once_in_spite_of_faults_and_resumes(
        service in services(),
        by_key: bool,
        size in prop::option::of(1_u32..200),
    ) {
        let service = Service { max_size: service.max_size.max(50), ..service };
        let expected: Vec<usize> = (0..service.items).collect();
        let client = client(service.mock(by_key, true));
        prop_assert_eq!(read(&client, by_key, size, 2000), expected);
    }

    #[test]
    fn bounds_give_a_prefix(
        service in services(),
        by_key: bool,
        size in prop::option::of(1_u32..200),
        max_items in 0_u64..150,
    ) {
        let service = Service { max_size: service.max_size.max(50), ..service };
        let expected: Vec<usize> = (0..service.items.min(usize::try_from(max_items).unwrap())).collect();
        let client = client(service.mock(by_key, false));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let got: Vec<usize> = runtime.block_on(async {
            let mut list = client.paginate::<usize>(Request::get("/list"), style(by_key)).max_items(max_items);
            if let Some(size) = size {
                list = list.page_size(size);
            }
            list.map(Result::unwrap).collect().await
        });
        prop_assert_eq!(got, expected);
    }

    /// A service that always names a next key, from a few, never keeps the client forever.
    #[test]
    fn a_circle_of_keys_ends(keys in prop::collection::vec(0_u8..4, 1..6)) {
        let count = AtomicU32::new(0);
        let distinct = keys.iter().collect::<std::collections::BTreeSet<_>>().len();
        let mock = MockTransport::new().respond_with(move |_| {
            let number = count.fetch_add(1, Ordering::SeqCst) as usize;
            let key = keys[number % keys.len()];
            answer(200, format!(r#"{{"items":[{number}],"pages":{{"nextKey":"{key}"}}}}"#))
        });
        let client = client(mock);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (items, progress) = runtime.block_on(async {
            let list = client.paginate::<usize>(Request::get("/list"), PageStyle::key());
            let progress = list.progress();
            (list.count().await, progress)
        });
        prop_assert!(items <= distinct + 1);
        prop_assert!(progress.stop().unwrap().is_warning());
    }
}
