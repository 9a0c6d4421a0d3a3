//! Every value that a filter knows is one that the service knows.

use sophos_central::alerts::{Category, Product, Severity};
use sophos_central::endpoint::{
    EncryptionStatus, EndpointFilter, EndpointType, Health, IsolationStatus, LockdownStatus,
    SearchField,
};
use sophos_central::{Config, View, blocking};
use sophos_sandbox::Sandbox;

fn all<T: From<&'static str>>(known: &'static [&'static str]) -> Vec<T> {
    known.iter().map(|text| T::from(text)).collect()
}

#[test]
fn the_service_accepts_every_known_value_of_every_filter() {
    let sandbox = Sandbox::builder().endpoints(40).start().unwrap();
    let config = Config::new("tenant", "sandbox")
        .auth_url(sandbox.token_url())
        .global_url(sandbox.url());
    let client = blocking::Client::new(config).unwrap();

    let mut filter = EndpointFilter::default();
    filter.health = all::<Health>(Health::KNOWN);
    filter.kind = all::<EndpointType>(EndpointType::KNOWN);
    filter.lockdown_status = all::<LockdownStatus>(LockdownStatus::KNOWN);
    // `unmanaged` was seen in answers only.
    filter.encryption_status = all::<EncryptionStatus>(EncryptionStatus::KNOWN);
    filter.search = Some("a".to_owned());
    filter.search_fields = vec![
        SearchField::Hostname,
        SearchField::AssociatedPersonName,
        SearchField::IpAddresses,
    ];
    filter.sort = vec!["hostname".to_owned()];
    for when in ["2024-05-06", "90d", "-PT2H", "2024-05-06T07:08:09+02:00"] {
        let when: sophos_central::When = when.parse().unwrap();
        filter.last_seen_after = Some(when.clone());
        filter.last_agent_update_after = Some(when.clone());
        filter.last_os_update_after = Some(when);
        client
            .endpoint()
            .list()
            .filter(filter.clone())
            .send()
            .unwrap();
    }
    for status in all::<IsolationStatus>(IsolationStatus::KNOWN) {
        client
            .endpoint()
            .list()
            .isolation_status(status)
            .send()
            .unwrap();
    }
    for view in all::<View>(View::KNOWN) {
        client.endpoint().list().view(view).send().unwrap();
    }

    let mut list = client
        .alerts()
        .list()
        .from(std::time::Duration::from_secs(86_400));
    for severity in all::<Severity>(Severity::KNOWN) {
        list = list.severity(severity);
    }
    for product in all::<Product>(Product::KNOWN) {
        list = list.product(product);
    }
    for category in all::<Category>(Category::KNOWN) {
        list = list.category(category);
    }
    list.send().unwrap();
}

#[test]
fn handles_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<sophos_central::Client>();
    shared::<sophos_central::endpoint::EndpointList>();
    shared::<sophos_central::RawList>();
    shared::<sophos_central::Error>();
    shared::<sophos_central::Progress>();
    shared::<blocking::Client>();
    shared::<blocking::EndpointApi>();
}
