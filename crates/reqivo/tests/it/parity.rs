//! Both faces have the same methods.

use reqivo::blocking;

const MIDDLEWARE: &str = "middleware is async code that serves both faces";

fn check() -> bifrons::parity::Check {
    bifrons::parity::Check::new(env!("CARGO_MANIFEST_DIR"))
        .manifest(blocking::Session::__DUAL)
        .manifest(blocking::SessionBuilder::__DUAL)
        .manifest(blocking::RequestBuilder::__DUAL)
        .manifest(blocking::Reqivo::__DUAL)
        .manifest(blocking::ReqivoBuilder::__DUAL)
        .manifest(blocking::Connection::__DUAL)
        .manifest(blocking::ConnectionPool::__DUAL)
        .by_hand("HopRequest::read_body", MIDDLEWARE)
        .by_hand("HopResponse::bytes", MIDDLEWARE)
        .by_hand("HopResponse::close", MIDDLEWARE)
        .by_hand("Next::run", MIDDLEWARE)
}

#[test]
fn every_public_async_method_has_a_blocking_form() {
    check()
        .manifest(blocking::ResponseBody::__DUAL)
        .manifest(blocking::Response::__DUAL)
        .manifest(blocking::Response::__DUAL_READING)
        .manifest(blocking::Response::__DUAL_COPYING)
        .assert();
}

#[test]
fn a_missing_manifest_is_noticed() {
    assert!(check().run().is_err());
}
