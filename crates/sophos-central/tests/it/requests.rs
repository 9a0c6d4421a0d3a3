//! What is sent: method, URL, headers, body.

use sophos_central::endpoint::{Health, TamperChange};
use sophos_central::{EndpointId, View};

use crate::support::{
    ENDPOINT, SECRET, TENANT, TOKEN, calls, client, config, lines, partner, tenant,
};

fn id() -> EndpointId {
    EndpointId::from(ENDPOINT)
}

#[tokio::test]
async fn a_call_is_preceded_by_one_token_request_and_one_whoami() {
    let mock = tenant()
        .json(200, r#"{"items":[]}"#)
        .json(200, r#"{"items":[]}"#);
    let client = client(&mock);
    client.endpoint().list().send().await.unwrap();
    client.alerts().list().send().await.unwrap();

    let requests = mock.requests();
    let shown: Vec<_> = requests
        .iter()
        .map(|request| format!("{} {}", request.method, request.url))
        .collect();
    assert_eq!(
        shown,
        [
            "POST https://id.example/api/v2/oauth2/token",
            "GET https://api.central.sophos.com/whoami/v1",
            "GET https://eu.example/endpoint/v1/endpoints",
            "GET https://eu.example/common/v1/alerts",
        ]
    );
    let token = &requests[0];
    assert_eq!(
        token.text(),
        format!(
            "grant_type=client_credentials&client_id=the-client&client_secret={SECRET}&scope=token"
        )
    );
    assert_eq!(
        token.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(token.header("authorization"), None);
    let whoami = &requests[1];
    assert_eq!(
        whoami.header("authorization"),
        Some(&*format!("Bearer {TOKEN}"))
    );
    assert_eq!(whoami.header("x-tenant-id"), None);
}

#[tokio::test]
async fn a_call_carries_the_token_the_tenant_and_what_is_accepted() {
    let mock = tenant().json(200, r#"{"items":[]}"#);
    let page = client(&mock)
        .endpoint()
        .list()
        .health(Health::Bad)
        .page_size(100)
        .send()
        .await;
    assert!(page.unwrap().items.is_empty());

    let [call] = &calls(&mock)[..] else {
        panic!("one call")
    };
    assert_eq!(call.method, http::Method::GET);
    assert_eq!(
        call.url,
        "https://eu.example/endpoint/v1/endpoints?healthStatus=bad&pageSize=100"
    );
    assert_eq!(
        call.header("authorization"),
        Some(&*format!("Bearer {TOKEN}"))
    );
    assert_eq!(call.header("x-tenant-id"), Some(TENANT));
    assert_eq!(call.header("accept"), Some("application/json"));
    let agent = call.header("user-agent").unwrap_or_default();
    assert!(agent.starts_with("sophos-central/"), "{agent}");
    assert_eq!(call.header("content-type"), None);
    assert!(call.body.is_empty());
}

#[tokio::test]
async fn every_endpoint_call_sends_its_method_path_and_body() {
    let mock = tenant();
    let mock = (0..12).fold(mock, |mock, _| {
        mock.json(200, format!(r#"{{"id":"{ENDPOINT}"}}"#))
    });
    let endpoint = client(&mock).endpoint();
    let id = id();
    endpoint.get(&id).await.unwrap();
    endpoint.get_view(&id, View::Basic).await.unwrap();
    endpoint
        .get_fields(&id, vec!["hostname".to_owned()])
        .await
        .unwrap();
    endpoint.isolation(&id).await.unwrap();
    endpoint
        .isolate(&id, Some(" ticket \"4711\" "))
        .await
        .unwrap();
    endpoint.unisolate(&id, None).await.unwrap();
    endpoint.scan(&id).await.unwrap();
    endpoint.update_check(&id).await.unwrap();
    endpoint.tamper_protection(&id).await.unwrap();
    endpoint
        .update_tamper_protection(&id, TamperChange::new().enable())
        .await
        .unwrap();
    endpoint
        .update_tamper_protection(&id, TamperChange::new().regenerate_password())
        .await
        .unwrap();

    let sent: Vec<_> = calls(&mock)
        .iter()
        .map(|call| {
            let path = call.target().replace(ENDPOINT, "{id}");
            let path = path.replace("/endpoint/v1/endpoints", "…");
            if call.body.is_empty() {
                assert_eq!(call.header("content-type"), None);
            } else {
                assert_eq!(call.header("content-type"), Some("application/json"));
            }
            format!("{} {path} {}", call.method, call.text())
        })
        .collect();
    assert_eq!(
        sent,
        [
            "GET …/{id}?view=full ",
            "GET …/{id}?view=basic ",
            "GET …/{id}?fields=id,hostname ",
            "GET …/{id}/isolation ",
            r#"PATCH …/{id}/isolation {"comment":"ticket \"4711\"","enabled":true}"#,
            r#"PATCH …/{id}/isolation {"enabled":false}"#,
            "POST …/{id}/scans {}",
            "POST …/{id}/update-checks {}",
            "GET …/{id}/tamper-protection ",
            r#"POST …/{id}/tamper-protection {"enabled":true}"#,
            r#"POST …/{id}/tamper-protection {"regeneratePassword":true}"#,
        ]
    );
}

#[tokio::test]
async fn a_partner_asks_for_tenants_with_its_own_header_at_the_host_that_whoami_names() {
    let mock = partner().json(200, r#"{"items":[],"pages":{"current":1,"total":1}}"#);
    client(&mock)
        .tenants()
        .list()
        .with_totals()
        .send()
        .await
        .unwrap();
    let [call] = &calls(&mock)[..] else {
        panic!("one call")
    };
    assert_eq!(
        call.url,
        "https://partners.example/partner/v1/tenants?pageTotal=true"
    );
    assert_eq!(
        call.header("x-partner-id"),
        Some("B3A9F0C2-55D1-4E77-A1B2-C3D4E5F60718")
    );
    assert_eq!(call.header("x-tenant-id"), None);
}

#[tokio::test]
async fn configured_hosts_win_over_what_the_service_says() {
    let mock = tenant().json(200, r#"{"items":[]}"#);
    let config = config(&mock)
        .global_url("http://127.0.0.1:1/")
        .base_url("http://127.0.0.1:2/");
    let client = sophos_central::Client::new(config).unwrap();
    client.endpoint().list().send().await.unwrap();
    assert_eq!(mock.requests()[1].url, "http://127.0.0.1:1/whoami/v1");
    assert_eq!(
        lines(&mock),
        ["GET http://127.0.0.1:2/endpoint/v1/endpoints"]
    );
}

#[tokio::test]
async fn an_odd_id_stays_in_its_place() {
    let mock = tenant().json(200, r#"{"id":"x"}"#);
    let endpoint = client(&mock).endpoint();
    endpoint
        .isolation(&EndpointId::from("a/../b?c"))
        .await
        .unwrap();
    assert_eq!(
        lines(&mock),
        ["GET https://eu.example/endpoint/v1/endpoints/a%2F..%2Fb%3Fc/isolation"]
    );
    for id in ["", "..", "."] {
        assert!(
            endpoint.scan(&EndpointId::from(id)).await.is_err(),
            "{id:?}"
        );
    }
    assert_eq!(calls(&mock).len(), 1);
}
