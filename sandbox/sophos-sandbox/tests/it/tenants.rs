use serde_json::Value;
use sophos_sandbox::Sandbox;

use crate::client::{Session, send, text};

fn all_tenants(session: &Session<'_>, kind: &str) -> Vec<Value> {
    (1..=2)
        .flat_map(|page| {
            let body = session.get(&format!(
                "/{kind}/v1/tenants?pageSize=100&pageTotal=true&page={page}"
            ));
            assert_eq!(body["pages"]["current"], page);
            assert_eq!(body["pages"]["total"], 2);
            assert_eq!(body["pages"]["items"], 120);
            assert_eq!(body["pages"]["maxSize"], 100);
            body["items"].as_array().expect("items").clone()
        })
        .collect()
}

#[test]
fn a_partner_and_an_organization_have_two_pages_of_tenants() {
    let sandbox = Sandbox::builder().start().unwrap();
    for kind in ["partner", "organization"] {
        let session = Session::new(&sandbox, kind);
        let tenants = all_tenants(&session, kind);
        assert_eq!(tenants.len(), 120);
        let homeless: Vec<_> = tenants
            .iter()
            .filter(|tenant| !tenant["apiHost"].is_string())
            .collect();
        assert_eq!(homeless.len(), 1);
        let id = text(&tenants[0]["id"]);
        assert_eq!(session.get(&format!("/{kind}/v1/tenants/{id}")), tenants[0]);
    }
}

#[test]
fn a_page_past_the_end_is_empty() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "partner");
    let page = session.get("/partner/v1/tenants?page=9");
    assert_eq!(page["items"], serde_json::json!([]));
    assert!(page["pages"].get("total").is_none());
    assert_eq!(
        session
            .send("GET", "/partner/v1/tenants?pageSize=101", None)
            .status,
        400
    );
    assert_eq!(
        session
            .send("GET", "/partner/v1/tenants?page=0", None)
            .status,
        400
    );
}

#[test]
fn each_tenant_has_a_fleet_of_its_own_and_one_refuses() {
    let sandbox = Sandbox::builder().start().unwrap();
    let partner = Session::new(&sandbox, "partner");
    let mut seen = Vec::new();
    let mut refused = 0;
    for tenant in all_tenants(&partner, "partner") {
        if !tenant["apiHost"].is_string() {
            continue;
        }
        let session = partner.for_tenant(&text(&tenant["id"]));
        let answer = session.send("GET", "/endpoint/v1/endpoints", None);
        if answer.status == 403 {
            refused += 1;
            assert!(
                answer.json().get("message").is_none(),
                "as terse as the service"
            );
            continue;
        }
        let items = answer.json()["items"].as_array().unwrap().clone();
        assert!(items.len() == 8 || items.is_empty());
        for item in items {
            seen.push(text(&item["id"]).to_lowercase());
        }
    }
    assert_eq!(refused, 1);
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "no device belongs to two tenants");
}

#[test]
fn the_scope_header_decides_and_must_be_ones_own() {
    let sandbox = Sandbox::builder().start().unwrap();
    let tenant = Session::new(&sandbox, "tenant");
    let partner = Session::new(&sandbox, "partner");
    let organization = Session::new(&sandbox, "organization");
    let some_tenant = text(&partner.get("/partner/v1/tenants")["items"][0]["id"]);
    let list = "/endpoint/v1/endpoints";

    let bearer = format!("Bearer {}", tenant.token);
    let missing = send(
        sandbox.url(),
        "GET",
        list,
        &[("authorization", &bearer)],
        None,
    )
    .unwrap();
    assert_eq!(missing.status, 400);
    assert_eq!(
        tenant
            .for_tenant(&some_tenant)
            .send("GET", list, None)
            .status,
        403
    );
    assert_eq!(
        organization
            .for_tenant(&some_tenant)
            .send("GET", list, None)
            .status,
        403
    );
    assert_eq!(
        partner
            .for_tenant(&some_tenant)
            .send("GET", list, None)
            .status,
        200
    );
    assert_eq!(
        partner
            .for_tenant(&some_tenant.to_uppercase())
            .send("GET", list, None)
            .status,
        403,
        "the id must be sent as it was received"
    );
    assert_eq!(
        partner.send("GET", list, None).status,
        400,
        "a partner is no tenant"
    );
    assert_eq!(
        organization.send("GET", "/partner/v1/tenants", None).status,
        403
    );
    assert_eq!(
        tenant.send("GET", "/organization/v1/tenants", None).status,
        403
    );
    let both = [
        ("authorization", format!("Bearer {}", partner.token)),
        ("X-Tenant-ID", some_tenant),
        ("X-Partner-ID", partner.scope.1),
    ];
    let both: Vec<(&str, &str)> = both.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(
        send(sandbox.url(), "GET", list, &both, None)
            .unwrap()
            .status,
        400
    );
}

#[test]
fn split_hosts_serve_only_what_is_theirs() {
    let sandbox = Sandbox::builder().split_hosts(true).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let list = "/endpoint/v1/endpoints";
    assert_eq!(
        session.send("GET", list, None).status,
        404,
        "not on the global host"
    );
    let bearer = format!("Bearer {}", session.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("X-Tenant-ID", &session.scope.1),
    ];
    let [home, other] = sandbox.region_urls() else {
        panic!("there are two regions")
    };
    assert_eq!(send(home, "GET", list, &headers, None).unwrap().status, 200);
    assert_eq!(
        send(other, "GET", list, &headers, None).unwrap().status,
        403
    );
    assert_eq!(
        send(home, "GET", "/whoami/v1", &headers, None)
            .unwrap()
            .status,
        404
    );
    assert_eq!(sandbox.requests().len(), 6, "one log for all hosts");
}
