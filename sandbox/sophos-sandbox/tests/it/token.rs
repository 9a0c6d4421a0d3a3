use std::time::Duration;

use sophos_sandbox::Sandbox;

use crate::client::{Session, request_token, send, send_form, text};

#[test]
fn a_token_comes_in_the_form_of_the_service() {
    let sandbox = Sandbox::builder()
        .token_lifetime(Duration::from_secs(90))
        .start()
        .unwrap();
    assert_eq!(
        sandbox.token_url(),
        format!("{}/api/v2/oauth2/token", sandbox.url())
    );
    let body = request_token(&sandbox, "tenant", "sandbox").json();
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 90);
    assert_eq!(body["errorCode"], "success");
    assert_eq!(text(&body["access_token"]).split('.').count(), 3);
    let again = request_token(&sandbox, "tenant", "sandbox").json();
    assert_ne!(body["access_token"], again["access_token"]);
}

#[test]
fn a_wrong_secret_is_refused_in_the_form_of_the_token_service() {
    let sandbox = Sandbox::builder().start().unwrap();
    let answer = request_token(&sandbox, "tenant", "wrong");
    assert_eq!(answer.status, 401);
    let body = answer.json();
    assert_eq!(body["errorCode"], "oauth.invalid_client_secret");
    assert_eq!(body["message"], "Unauthorized");
    assert_eq!(request_token(&sandbox, "nobody", "sandbox").status, 401);
}

#[test]
fn every_field_of_the_form_is_checked() {
    let sandbox = Sandbox::builder().start().unwrap();
    for form in [
        "client_id=tenant&client_secret=sandbox&scope=token",
        "grant_type=password&client_id=tenant&client_secret=sandbox&scope=token",
        "grant_type=client_credentials&client_id=tenant&client_secret=sandbox",
        "grant_type=client_credentials&client_secret=sandbox&scope=token",
        "grant_type=client_credentials&client_id=tenant&scope=token",
    ] {
        assert_eq!(send_form(&sandbox, form).status, 400, "{form}");
    }
    let form = "grant_type=client_credentials&client_id=tenant&client_secret=sandbox&scope=token";
    let json = [("content-type", "application/json")];
    let answer = send(
        sandbox.url(),
        "POST",
        "/api/v2/oauth2/token",
        &json,
        Some(form),
    )
    .unwrap();
    assert_eq!(answer.status, 400, "a form needs its content type");
}

#[test]
fn a_secret_may_need_percent_encoding() {
    let sandbox = Sandbox::builder().secret("a+b&c=d %").start().unwrap();
    assert_eq!(
        request_token(&sandbox, "tenant", "a%2Bb%26c%3Dd%20%25").status,
        200
    );
    assert_eq!(request_token(&sandbox, "tenant", "a+b").status, 401);
}

#[test]
fn whoami_tells_hosts_by_kind() {
    let sandbox = Sandbox::builder().start().unwrap();
    let tenant = Session::new(&sandbox, "tenant").get("/whoami/v1");
    assert_eq!(tenant["idType"], "tenant");
    assert_eq!(tenant["apiHosts"]["global"], sandbox.url());
    assert_eq!(
        tenant["apiHosts"]["dataRegion"],
        sandbox.region_urls()[0].as_str()
    );

    let partner = Session::new(&sandbox, "partner").get("/whoami/v1");
    assert_eq!(partner["idType"], "partner");
    assert_eq!(
        partner["id"],
        text(&partner["id"]).to_uppercase(),
        "partner ids are upper case"
    );
    assert_eq!(partner["apiHosts"]["global"], format!("{}/", sandbox.url()));
    assert!(partner["apiHosts"].get("dataRegion").is_none());

    let organization = Session::new(&sandbox, "organization").get("/whoami/v1");
    assert_eq!(organization["idType"], "organization");
    assert!(organization["apiHosts"].get("dataRegion").is_none());
    assert_eq!(
        sandbox.identity("organization"),
        organization["id"].as_str().map(str::to_owned)
    );
}

#[test]
fn only_a_valid_bearer_token_passes() {
    let sandbox = Sandbox::builder().start().unwrap();
    let none = send(sandbox.url(), "GET", "/whoami/v1", &[], None).unwrap();
    assert_eq!(none.status, 401);
    assert_eq!(none.json()["error"], "Unauthorized");
    let headers = [("authorization", "Bearer made-up")];
    assert_eq!(
        send(sandbox.url(), "GET", "/whoami/v1", &headers, None)
            .unwrap()
            .status,
        401
    );

    let session = Session::new(&sandbox, "tenant");
    assert_eq!(session.send("GET", "/whoami/v1", None).status, 200);
    sandbox.expire_tokens();
    assert_eq!(session.send("GET", "/whoami/v1", None).status, 401);
}

#[test]
fn a_token_of_no_life_is_expired_at_once() {
    let sandbox = Sandbox::builder()
        .token_lifetime(Duration::ZERO)
        .start()
        .unwrap();
    let token = text(&request_token(&sandbox, "tenant", "sandbox").json()["access_token"]);
    let bearer = format!("Bearer {token}");
    let answer = send(
        sandbox.url(),
        "GET",
        "/whoami/v1",
        &[("authorization", &bearer)],
        None,
    )
    .unwrap();
    assert_eq!(answer.status, 401);
}
