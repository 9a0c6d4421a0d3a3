//! Every accepted shape gives on the blocking face what it gives on the async one.

use std::sync::Arc;

use bifrons::{BlockingRuntime, CallOptions};

use super::fixture::{self, Error, blocking};

fn client() -> blocking::Client {
    blocking::Client::new("echo")
}

fn runtime() -> BlockingRuntime {
    BlockingRuntime::builder()
        .build()
        .expect("a runtime can be built")
}

#[test]
fn async_methods_return_their_value_and_their_error() {
    let client = client();
    assert_eq!(client.echo("hello").unwrap(), "echo: hello");
    assert!(matches!(client.fail(), Err(Error::Said("on purpose"))));
    assert_eq!(client.count(), 4);
    assert_eq!(client.r#type().unwrap(), "client");
}

#[test]
fn constructors_run_on_the_shared_runtime_or_on_a_given_one() {
    let shared = BlockingRuntime::shared().unwrap().enter(fixture::here);
    let own = runtime();
    let here = own.enter(fixture::here);
    assert_ne!(shared, here);

    assert_eq!(blocking::Client::connect("a").unwrap().made_on(), shared);
    assert_eq!(
        blocking::Client::connect_on(own.clone(), "a")
            .unwrap()
            .made_on(),
        here
    );
    assert_eq!(blocking::Client::new("a").made_on(), shared);
    assert_eq!(blocking::Client::new_on(own.clone(), "a").made_on(), here);
    assert_eq!(blocking::Client::find("a").unwrap().made_on(), shared);
    assert!(blocking::Client::find_on(own.clone(), "").is_none());
    assert!(matches!(
        blocking::Client::connect(""),
        Err(Error::Said("no name"))
    ));
    let clash = blocking::Client::clash_on(own.clone(), "a", 1, 2, 3, 4).unwrap();
    assert_eq!((clash.name(), clash.made_on()), ("a10", here));
    assert_eq!(
        blocking::Client::clash("a", 1, 2, 3, 4).unwrap().name(),
        "a10"
    );
    assert_eq!(blocking::Client::version().unwrap(), 7);
    assert_eq!(blocking::Client::version_on(own).unwrap(), 7);
    assert_eq!(blocking::Client::default_name(), "client");
}

#[test]
fn builder_steps_keep_their_runtime() {
    let own = runtime();
    let here = own.enter(fixture::here);
    let mut builder = blocking::Client::builder_on(own).name("one");
    builder.shout().shout();
    assert_eq!(builder.build().made_on(), here);
    let client = builder.checked().unwrap().connect().unwrap();
    assert_eq!((client.name(), client.made_on()), ("ONE", here));
    assert!(matches!(
        blocking::Builder::new().checked(),
        Err(Error::Said("no name"))
    ));
}

#[test]
fn plain_methods_run_in_the_context_of_the_runtime() {
    let own = runtime();
    let client = blocking::Client::new_on(own.clone(), "plain");
    assert_eq!(client.entered(), own.enter(fixture::here));
    assert_eq!(fixture::here(), None);
}

#[test]
fn receivers_of_every_kind_are_passed_on() {
    let mut client = client();
    client.rename("new".to_owned());
    assert_eq!(client.name(), "new!");
    assert_eq!(client.borrow("other").unwrap(), "new!");
    assert_eq!(Arc::new(client.clone()).share().unwrap(), 4);
    assert_eq!(Box::new(client.clone()).unbox().unwrap(), "new!");
    assert_eq!(client.close().unwrap(), "new!");
}

#[test]
fn arguments_of_the_own_type_are_blocking_values() {
    let (one, two, three) = (
        client(),
        client().with_name("two"),
        client().with_name("three"),
    );
    assert_eq!(one.merge(&two, three, (4, 5)).unwrap(), "echotwothree45");
}

#[test]
fn own_type_inside_result_option_and_vec_is_wrapped() {
    let names: Vec<_> = client()
        .again()
        .unwrap()
        .iter()
        .map(|c| c.name().to_owned())
        .collect();
    assert_eq!(names, ["echo", "second"]);
    assert!(client().maybe(false).unwrap().is_none());
    assert_eq!(
        client().maybe(true).unwrap().unwrap().echo("x").unwrap(),
        "echo: x"
    );
    assert_eq!(client().friends().len(), 2);
}

#[test]
fn generics_are_kept() {
    let number = client().with_name("42");
    assert_eq!(number.parse::<u16>().unwrap(), 42);
    assert!(number.parse::<std::net::Ipv4Addr>().is_err());
    assert_eq!(number.phantom::<u32, 3>(1_u8).unwrap(), 8);
}

#[test]
fn streams_of_every_form_are_iterators() {
    let client = client();
    let three = [0, 1, 2];
    assert_eq!(client.numbers(3).collect::<Vec<_>>(), three);
    assert_eq!(client.boxed(3).collect::<Vec<_>>(), three);
    assert_eq!(
        client.borrowed(3).collect::<Result<Vec<_>, _>>().unwrap(),
        three
    );
    assert_eq!(
        client.alias(3).collect::<Result<Vec<_>, _>>().unwrap(),
        three
    );
    assert_eq!(
        client.concrete(3).collect::<Result<Vec<_>, _>>().unwrap(),
        three
    );
    assert_eq!(client.checked(3).unwrap().collect::<Vec<_>>(), three);
    assert!(matches!(client.checked(101), Err(Error::Said("too many"))));
    assert_eq!(client.open(3).unwrap().collect::<Vec<_>>(), three);
}

#[test]
fn an_iterator_outlives_its_client_where_the_stream_does() {
    let numbers = {
        let client = client();
        client.numbers(2)
    };
    assert_eq!(numbers.count(), 2);
}

#[test]
fn a_wrapped_paginator_is_an_iterator_with_methods() {
    let mut pages = client().pages(2);
    assert_eq!(pages.pages(), 0);
    assert_eq!(pages.next().unwrap().unwrap(), 0);
    assert_eq!((pages.pages(), pages.size_hint().0), (1, 2));
    assert_eq!(
        pages.by_ref().map(Result::unwrap).collect::<Vec<_>>(),
        [1, 2, 0, 1, 2]
    );
    assert_eq!(pages.pages(), 2);
    assert!(pages.next().is_none());
    assert_eq!(
        blocking::Paginator::<u32>::new(1).collect_all().unwrap(),
        [0, 1, 2]
    );
}

#[test]
fn wrapped_values_inherit_runtime_and_options() {
    let own = runtime();
    let here = own.enter(fixture::here);
    let limit = std::time::Duration::from_millis(20);
    let client = blocking::Client::new_on(own, "a").with_timeout(limit);
    let friend = client.friends().remove(0);
    assert_eq!(friend.runtime().enter(fixture::here), here);
    assert!(friend.stall().is_err());
    let plain = friend.with_options(CallOptions::default());
    assert_eq!(plain.echo("x").unwrap(), "a: x");
}

#[test]
fn attributes_of_the_async_method_are_kept() {
    let client = client();
    #[expect(deprecated, reason = "the test is that it is")]
    let old = client.old_name();
    assert_eq!(old, "echo");
    #[expect(unused_must_use, reason = "the test is that it warns")]
    {
        client.is_named();
    }
}

#[test]
fn the_manifest_lists_every_method_once_with_its_kind() {
    use bifrons::__private::Kind;
    let manifest = blocking::Client::__DUAL;
    assert_eq!((manifest.target, manifest.part), ("Client", ""));
    let find = |name: &str| {
        let mut found = manifest.entries.iter().filter(|entry| entry.name == name);
        (
            found.next().map(|entry| (entry.kind, entry.skip_reason)),
            found.count(),
        )
    };
    assert_eq!(find("echo"), (Some((Kind::Async, None)), 0));
    assert_eq!(find("name"), (Some((Kind::Sync, None)), 0));
    assert_eq!(find("open"), (Some((Kind::Stream, None)), 0));
    assert_eq!(find("type"), (Some((Kind::Async, None)), 0));
    assert_eq!(
        find("visit"),
        (Some((Kind::Async, Some("takes an async callback"))), 0)
    );
    assert_eq!(find("absent"), (None, 0));
    assert_eq!(blocking::Client::__DUAL_EXTRA.part, "extra");
}

#[tokio::test]
async fn the_async_face_is_what_was_written() {
    let client = fixture::Client::connect("async").await.unwrap();
    assert_eq!(client.echo("x").await.unwrap(), "async: x");
    client
        .visit(async |client| assert_eq!(client.name(), "async"))
        .await;
}
