use serde_json::Value;
use sophos_sandbox::Sandbox;

use crate::client::{Session, text};

const LIST: &str = "/endpoint/v1/endpoints";

#[test]
fn bad_values_are_400_with_a_full_error_body() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let mut ids = Vec::new();
    for query in [
        "lastSeenBefore=2024-05-06T07:08:09",
        "lastSeenAfter=2024-05-06",
        "lastSeenAfter=-p90d",
        "lastSeenAfter=90d",
        "pageSize=501",
        "pageSize=0",
        "pageSize=many",
        "pageTotal=yes",
        "pageFromKey=nonsense",
        "healthStatus=excellent",
        "healthStatus=",
        "healthStatus=good,",
        "type=phone",
        "lockdownStatus=open",
        "overallEncryptionStatus=some",
        "isolationStatus=isolated,notIsolated",
        "tamperProtectionEnabled=True",
        "online=1",
        "ipAddresses=10.0.0",
        "macAddresses=12:34",
        "cloud=aws:",
        "view=everything",
        "fields=colour",
        "sort=colour",
        "sort=hostname:up",
        "searchFields=colour",
        "limit=5",
        "pageToken=x",
        "hostname__contains=x",
        "page=1",
    ] {
        let answer = session.send("GET", &format!("{LIST}?{query}"), None);
        assert_eq!(answer.status, 400, "{query}");
        let body = answer.json();
        assert_eq!(body["error"], "badRequest");
        assert!(body["message"].is_string());
        assert_eq!(body["createdAt"], "2025-02-03T07:00:00.000Z");
        ids.push(text(&body["correlationId"]));
        assert_ne!(body["correlationId"], body["requestId"]);
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "every refusal has an id of its own");
}

#[test]
fn what_the_vendor_switched_off_is_read_and_has_no_effect() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let page = session.get(&format!("{LIST}?groupNameContains=nothing&pageTotal=true"));
    assert_eq!(page["pages"]["items"], 300);
}

#[test]
fn routes_that_do_not_exist_are_404_in_json() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let id = text(&session.get(LIST)["items"][0]["id"]);
    for (method, path) in [
        ("POST", format!("{LIST}/{id}/isolation")),
        ("DELETE", format!("{LIST}/{id}/isolation")),
        ("PATCH", format!("{LIST}/{id}")),
        ("GET", format!("{LIST}/scans")),
        ("GET", format!("{LIST}/{id}/scans")),
        ("DELETE", format!("{LIST}/{id}/scans")),
        ("GET", format!("{LIST}/{id}/tamper-protection/password")),
        (
            "PATCH",
            "/endpoint/v1/settings/tamper-protection".to_owned(),
        ),
        ("GET", "/endpoint/v1/settings".to_owned()),
        ("GET", "/endpoint/v1/settings/update-policies".to_owned()),
        ("GET", "/endpoint/v1/settings/exclusions".to_owned()),
        ("GET", "/endpoint/v1/settings/web-control".to_owned()),
        ("GET", "/endpoint/v1/settings/exploit-mitigation".to_owned()),
        ("GET", "/endpoint/v1/migrations/endpoints".to_owned()),
        ("GET", "/common/v1/tenants".to_owned()),
        ("GET", "/common/v1/users".to_owned()),
        ("GET", "/common/v1/directory/groups".to_owned()),
        ("GET", "/common/v1/endpoint-groups".to_owned()),
        ("GET", "/common/v1/account-health/x".to_owned()),
        ("GET", "/common/v1/settings".to_owned()),
        ("PATCH", "/common/v1/admins/x".to_owned()),
        ("DELETE", "/common/v1/alerts/x".to_owned()),
        ("POST", "/api/v2/oauth2/revoke".to_owned()),
        ("GET", "/".to_owned()),
    ] {
        let answer = session.send(method, &path, None);
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{method} {path}"
        );
        assert!(answer.json()["error"].is_string(), "{method} {path}");
    }
}

#[test]
fn ids_that_nobody_has_are_404_and_malformed_ones_400() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let unknown = "00000000-0000-4000-8000-000000000000";
    let answer = session.send("GET", &format!("{LIST}/{unknown}"), None);
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (404, &Value::from("notFound"))
    );
    assert_eq!(
        session
            .send("GET", &format!("{LIST}/bad%20id"), None)
            .status,
        400
    );
}

#[test]
fn bodies_are_read_strictly() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let id = text(&session.get(LIST)["items"][0]["id"]);
    let path = format!("{LIST}/{id}/isolation");
    for body in [
        r#"{"enabled":"true"}"#,
        r#"{"comment":"x"}"#,
        r#"{"enabled":true,"x":1}"#,
        "{",
        "",
    ] {
        assert_eq!(
            session.send("PATCH", &path, Some(body)).status,
            400,
            "{body}"
        );
    }
}
