//! Both faces have the same methods.

use commandbus::blocking;

fn check() -> bifrons::parity::Check {
    bifrons::parity::Check::new(env!("CARGO_MANIFEST_DIR"))
        .manifest(blocking::Database::__DUAL)
        .manifest(blocking::DatabaseBuilder::__DUAL)
        .manifest(blocking::Transaction::__DUAL)
        .manifest(blocking::TroubleshootingQueue::__DUAL)
}

#[test]
fn every_public_async_method_has_a_blocking_form() {
    check().manifest(blocking::CommandBus::__DUAL).assert();
}

#[test]
fn a_missing_manifest_is_noticed() {
    assert!(check().run().is_err());
}
