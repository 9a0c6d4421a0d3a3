//! Both faces have the same methods.

use sophos_central::blocking;

#[test]
fn both_faces_have_the_same_methods() {
    bifrons::parity::Check::new(env!("CARGO_MANIFEST_DIR"))
        .manifest(blocking::Client::__DUAL)
        .manifest(blocking::EndpointApi::__DUAL)
        .manifest(blocking::EndpointList::__DUAL)
        .manifest(blocking::EndpointList::__DUAL_LIST)
        .manifest(blocking::AlertApi::__DUAL)
        .manifest(blocking::AlertList::__DUAL)
        .manifest(blocking::TenantApi::__DUAL)
        .manifest(blocking::TenantList::__DUAL)
        .manifest(blocking::RawList::__DUAL)
        .assert();
}
