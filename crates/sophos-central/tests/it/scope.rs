//! Whose data is asked for, and where it is.

use futures_util::TryStreamExt as _;
use restkit::transport::MockTransport;
use sophos_central::{Client, EndpointId, TenantId};

use crate::support::{TENANT, calls, client, config, lines, partner, tenant, token};

#[tokio::test]
async fn a_tenants_credential_with_another_tenant_is_refused_before_any_call() {
    let mock = tenant();
    let client = client(&mock).for_tenant("someone-else");
    let error = client.endpoint().list().send().await.unwrap_err();
    assert!(error.is_configuration());
    assert!(error.to_string().contains("someone-else"), "{error}");
    let error = client
        .tenants()
        .get(&TenantId::from("someone-else"))
        .await
        .unwrap_err();
    assert!(error.is_configuration());
    assert!(calls(&mock).is_empty());
}

#[tokio::test]
async fn a_tenants_credential_with_its_own_tenant_in_any_case_is_fine() {
    let mock = tenant().json(200, r#"{"items":[]}"#);
    let client = Client::new(config(&mock).tenant_id(TENANT.to_uppercase())).unwrap();
    client.endpoint().list().send().await.unwrap();
    assert_eq!(calls(&mock)[0].header("x-tenant-id"), Some(TENANT));
}

#[tokio::test]
async fn a_partners_credential_without_a_tenant_is_refused_and_the_option_named() {
    let mock = partner();
    let error = client(&mock)
        .endpoint()
        .get(&EndpointId::from("x"))
        .await
        .unwrap_err();
    assert!(error.is_configuration());
    for name in [
        "for_tenant",
        "api.tenant_id",
        "SOPHOS_TENANT_ID",
        "--tenant",
    ] {
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(calls(&mock).is_empty());
}

#[tokio::test]
async fn a_partners_call_for_a_tenant_asks_for_its_host_once() {
    let mock = partner()
        .json(
            200,
            r#"{"id":"t1","name":"One","apiHost":"https://us.example"}"#,
        )
        .json(200, r#"{"items":[]}"#)
        .json(200, r#"{"items":[]}"#);
    let client = client(&mock);
    client
        .for_tenant("t1")
        .endpoint()
        .list()
        .send()
        .await
        .unwrap();
    client
        .for_tenant("t1")
        .alerts()
        .list()
        .send()
        .await
        .unwrap();
    assert_eq!(
        lines(&mock),
        [
            "GET https://partners.example/partner/v1/tenants/t1",
            "GET https://us.example/endpoint/v1/endpoints",
            "GET https://us.example/common/v1/alerts",
        ]
    );
    let call = &calls(&mock)[1];
    assert_eq!(call.header("x-tenant-id"), Some("t1"));
    assert_eq!(call.header("x-partner-id"), None);
}

#[tokio::test]
async fn a_tenants_id_is_sent_as_the_service_writes_it() {
    let mock = partner()
        .json(
            200,
            format!(r#"{{"id":"{TENANT}","name":"One","apiHost":"https://us.example"}}"#),
        )
        .json(200, r#"{"items":[]}"#)
        .json(200, r#"{"items":[]}"#);
    let client = client(&mock).for_tenant(TENANT.to_uppercase());
    client.endpoint().list().send().await.unwrap();
    client.endpoint().list().send().await.unwrap();
    for call in &calls(&mock)[1..] {
        assert_eq!(call.header("x-tenant-id"), Some(TENANT));
    }
}

#[tokio::test]
async fn a_tenant_without_a_host_is_a_configuration_error_that_names_it() {
    let mock = partner().json(200, r#"{"id":"t1","apiHost":null}"#);
    let error = client(&mock)
        .for_tenant("t1")
        .endpoint()
        .list()
        .send()
        .await
        .unwrap_err();
    assert!(error.is_configuration());
    assert!(
        error.to_string().contains("tenant t1 has no API host"),
        "{error}"
    );
}

#[tokio::test]
async fn an_unknown_tenant_is_not_found() {
    let mock = partner().status(404);
    let error = client(&mock)
        .for_tenant("t1")
        .endpoint()
        .list()
        .send()
        .await
        .unwrap_err();
    assert!(error.is_not_found());
}

#[tokio::test]
async fn a_target_needs_no_further_call_for_its_host() {
    let mock = partner()
        .json(
            200,
            r#"{"items":[{"id":"t1","name":"One","apiHost":"https://us.example/"},{"id":"t2","name":"Two"}],"pages":{"current":1,"size":100}}"#,
        )
        .json(200, r#"{"items":[]}"#);
    let client = client(&mock);
    let targets = client.targets().await.unwrap();
    assert_eq!(
        targets
            .iter()
            .map(|target| target.is_ready())
            .collect::<Vec<_>>(),
        [true, false]
    );
    client
        .for_target(&targets[0])
        .endpoint()
        .list()
        .send()
        .await
        .unwrap();
    assert_eq!(
        lines(&mock),
        [
            "GET https://partners.example/partner/v1/tenants?pageSize=100",
            "GET https://us.example/endpoint/v1/endpoints",
        ]
    );
}

#[tokio::test]
async fn a_tenants_credential_lists_itself_as_one_row() {
    let mock = tenant();
    let client = client(&mock);
    let tenants: Vec<_> = client.tenants().list().items().try_collect().await.unwrap();
    assert_eq!(tenants.len(), 1);
    assert_eq!(
        serde_json::to_value(&tenants[0]).unwrap(),
        serde_json::json!({"id": TENANT, "apiHost": "https://eu.example/"})
    );
    let page = client.tenants().list().raw().send().await.unwrap();
    assert_eq!(page.items.len(), 1);
    let targets = client.targets().await.unwrap();
    assert_eq!((targets.len(), targets[0].id.as_str()), (1, TENANT));
    assert_eq!(
        client
            .tenants()
            .get(&TENANT.into())
            .await
            .unwrap()
            .id
            .as_str(),
        TENANT
    );
    assert!(calls(&mock).is_empty());
}

#[tokio::test]
async fn an_organization_uses_its_own_routes() {
    let mock = MockTransport::new()
        .json(200, token())
        .json(
            200,
            r#"{"id":"org-1","idType":"organization","apiHosts":{"global":"https://g.example"}}"#,
        )
        .json(200, r#"{"items":[]}"#)
        .json(200, r#"{"id":"t1"}"#);
    let client = client(&mock);
    client.tenants().list().send().await.unwrap();
    client.tenants().get(&"t1".into()).await.unwrap();
    assert_eq!(
        lines(&mock),
        [
            "GET https://g.example/organization/v1/tenants",
            "GET https://g.example/organization/v1/tenants/t1",
        ]
    );
    assert_eq!(calls(&mock)[0].header("x-organization-id"), Some("org-1"));
}

#[tokio::test]
async fn whoami_is_asked_once_also_by_many_at_the_same_time() {
    let mock = MockTransport::new()
        .json(200, token())
        .respond_with(|request| {
            crate::support::answer(
                200,
                if request.target() == "/whoami/v1" {
                    crate::support::whoami_tenant()
                } else {
                    r#"{"items":[]}"#.to_owned()
                },
            )
        });
    let client = client(&mock);
    let calls = (0..8).map(|_| async { client.endpoint().list().send().await });
    for page in futures_util::future::join_all(calls).await {
        page.unwrap();
    }
    let whoami = mock
        .requests()
        .iter()
        .filter(|request| request.target() == "/whoami/v1")
        .count();
    assert_eq!(whoami, 1);
}
