use serde_json::Value;
use sophos_sandbox::Sandbox;

use crate::client::Session;

type Test = fn(&Value) -> bool;

#[test]
fn every_oddity_is_in_a_fleet_of_300() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let items = session.walk("/endpoint/v1/endpoints?pageSize=500");
    let oddities: [(&str, Test); 12] = [
        ("only an id", |item| {
            item.as_object().is_some_and(|object| object.len() == 1)
        }),
        ("sparse", |item| {
            item.as_object().is_some_and(|object| object.len() == 4)
        }),
        ("unknown members", |item| item["futureField"]["x"] == 1),
        ("unknown type", |item| item["type"] == "thinClient"),
        ("boolean as text", |item| {
            item["tamperProtectionSupported"].is_string()
        }),
        ("number as text", |item| {
            item["os"]["majorVersion"].is_string()
        }),
        ("time without zone", |item| {
            item["lastSeenAt"]
                .as_str()
                .is_some_and(|at| at.contains('T') && !at.ends_with('Z'))
        }),
        ("time of another form", |item| {
            item["lastSeenAt"]
                .as_str()
                .is_some_and(|at| at.ends_with("GMT"))
        }),
        ("null members", |item| {
            item.get("health").is_some_and(Value::is_null)
        }),
        ("null items", |item| {
            item["tags"]
                .as_array()
                .is_some_and(|tags| tags.iter().any(Value::is_null))
        }),
        ("upper-case id", |item| {
            item["id"]
                .as_str()
                .is_some_and(|id| id.contains('-') && id.to_lowercase() != id)
        }),
        ("long id", |item| {
            item["id"].as_str().is_some_and(|id| id.len() == 64)
        }),
    ];
    for (name, test) in oddities {
        assert!(items.iter().any(test), "{name}");
    }
    let first = &items[0];
    assert!(
        oddities.iter().all(|(_, test)| !test(first)),
        "the first device is an ordinary one"
    );
}

#[test]
fn oddities_can_be_left_out() {
    let sandbox = Sandbox::builder().odd_records(false).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    for item in session.walk("/endpoint/v1/endpoints?pageSize=500") {
        assert!(item["health"]["overall"].is_string(), "{item}");
        assert!(
            item["lastSeenAt"].as_str().unwrap().ends_with('Z'),
            "{item}"
        );
        assert_eq!(item["id"].as_str().unwrap().len(), 36);
    }
    let partner = Session::new(&sandbox, "partner");
    for tenant in partner.get("/partner/v1/tenants?pageSize=100")["items"]
        .as_array()
        .unwrap()
    {
        assert!(tenant["apiHost"].is_string());
    }
}
