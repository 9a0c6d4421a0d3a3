//! The parity check, on source trees under `tests/parity` and on this binary's own client.

use bifrons::parity::{Check, Entry, Kind, Manifest};

use crate::dual::fixture::blocking;

const fn entry(name: &'static str, kind: Kind) -> Entry {
    Entry::new(name, kind, None)
}

fn tree(name: &str) -> String {
    format!("{}/tests/parity/{name}", env!("CARGO_MANIFEST_DIR"))
}

const LIB: &str = "crates/example/src/lib.rs";

const CLIENT: &[Entry] = &[
    entry("get", Kind::Async),
    entry("list", Kind::Stream),
    entry("pages", Kind::Sync),
    entry("events", Kind::Stream),
    Entry::new("visit", Kind::Async, Some("async callback")),
    entry("name", Kind::Sync),
];

fn covered(client: &'static [Entry]) -> Check {
    const READS: &[Entry] = &[entry("read", Kind::Async)];
    Check::new(tree("covered"))
        .manifest(Manifest::new("Client", "", LIB, client))
        .manifest(Manifest::new(
            "Api",
            "reads",
            "crates/example/src/area/mod.rs",
            READS,
        ))
        .by_hand("free", "blocking::free")
}

fn differences(check: &Check) -> Vec<String> {
    check
        .run()
        .expect_err("there are differences")
        .iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_covered_crate_passes_and_its_exceptions_are_reported() {
    let report = covered(CLIENT).assert();
    let names = [
        "Api::read",
        "Client::get",
        "Client::list",
        "Client::pages",
        "Client::events",
    ];
    assert_eq!(report.covered[..5], names);
    assert_eq!(report.covered[5..], ["Client::name"]);
    let mut skipped: Vec<_> = report
        .skipped
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    skipped.sort_unstable();
    assert_eq!(skipped, ["Client::visit", "Only::wait", "free"]);
}

#[test]
fn a_conditional_method_may_be_in_the_manifest_and_may_be_missing() {
    const WITH_EXTRA: &[Entry] = &[
        entry("get", Kind::Async),
        entry("list", Kind::Stream),
        entry("pages", Kind::Sync),
        entry("events", Kind::Stream),
        entry("extra", Kind::Async),
        Entry::new("visit", Kind::Async, Some("async callback")),
        entry("name", Kind::Sync),
    ];
    covered(WITH_EXTRA).assert();
    const EXTRA: &[Entry] = &[entry("more", Kind::Async)];
    covered(CLIENT)
        .manifest(Manifest::new(
            "Extra",
            "",
            "crates/example/src/extra.rs",
            EXTRA,
        ))
        .assert();
}

#[test]
fn each_deliberate_gap_is_found() {
    const PARTIAL: &[Entry] = &[entry("get", Kind::Async)];
    let found =
        differences(&Check::new(tree("gaps")).manifest(Manifest::new("Client", "", LIB, PARTIAL)));
    let expected = [
        "`Client::unlisted` is not in the manifest",
        "the manifest of `Other` was not given to the check: add `.manifest(blocking::Other::__DUAL)`",
        "`Client::forgotten` has no blocking form",
        "`Client::forgotten_stream` has no blocking form",
        "`Client::forgotten_future` has no blocking form",
        "`forgotten_function` has no blocking form",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.starts_with("src/lib.rs: ") && found.contains(expected),
            "{found}"
        );
    }
}

#[test]
fn a_manifest_that_says_something_else_is_a_difference() {
    const OTHER: &[Entry] = &[
        entry("get", Kind::Sync),
        entry("list", Kind::Stream),
        entry("pages", Kind::Sync),
        entry("events", Kind::Stream),
        Entry::new("visit", Kind::Async, Some("another reason")),
        entry("name", Kind::Sync),
        entry("gone", Kind::Async),
    ];
    let found = differences(&covered(OTHER));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].contains("`Client::get` is Async (None) in the source and Sync"),
        "{found:#?}"
    );
    assert!(found[1].contains("`Client::visit`"), "{found:#?}");
    assert!(
        found[2].contains("`Client::gone` is in the manifest and not in"),
        "{found:#?}"
    );
}

#[test]
fn exceptions_and_manifests_without_source_are_differences() {
    let check = covered(CLIENT)
        .by_hand("Client::get", "is covered")
        .manifest(Manifest::new("Nobody", "", LIB, &[]));
    let found = differences(&check);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].contains("the manifest of `Nobody` has no #[dual] block"),
        "{found:#?}"
    );
    assert!(
        found[1].contains("`Client::get` is declared as written by hand"),
        "{found:#?}"
    );
}

#[test]
fn a_walk_that_finds_nothing_fails() {
    let found = differences(&Check::new(tree("covered")).entry("src/extra/none.rs"));
    assert!(found[0].contains("cannot be read"), "{found:#?}");
    let found = differences(&Check::new(tree("covered")).entry("src/area/../area/mod.rs"));
    assert!(!found.is_empty());
}

#[test]
fn what_the_attribute_writes_down_is_what_the_walk_finds() {
    let report = Check::new(env!("CARGO_MANIFEST_DIR"))
        .entry("tests/it/dual/fixture.rs")
        .manifest(blocking::Client::__DUAL)
        .manifest(blocking::Client::__DUAL_EXTRA)
        .manifest(blocking::Builder::__DUAL)
        .manifest(blocking::Paginator::<u32>::__DUAL)
        .assert();
    assert!(
        report.covered.contains(&"Client::echo".to_owned()),
        "{report:?}"
    );
    assert!(
        report
            .covered
            .contains(&"Paginator::collect_all".to_owned()),
        "{report:?}"
    );
    assert_eq!(report.skipped.len(), 1, "{report:?}");
}

#[test]
#[should_panic(expected = "the blocking face differs from the async one in")]
fn assert_panics_with_the_list() {
    Check::new(tree("gaps")).assert();
}
