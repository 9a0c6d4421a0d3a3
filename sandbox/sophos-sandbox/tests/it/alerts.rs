use serde_json::{Value, json};
use sophos_sandbox::Sandbox;

use crate::client::{Session, encoded, text};

const LIST: &str = "/common/v1/alerts";

#[test]
fn a_walk_gives_every_alert_newest_first() {
    let sandbox = Sandbox::builder().alerts(130).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let items = session.walk(&format!("{LIST}?pageSize=50"));
    assert_eq!(items.len(), 130);
    let times: Vec<&str> = items
        .iter()
        .filter_map(|item| item["raisedAt"].as_str())
        .map(|at| at.trim_end_matches('Z'))
        .collect();
    assert!(times.is_sorted_by(|a, b| a > b));
    assert!(items.iter().any(|item| item["managedAgent"] == json!({})));
    let zoned = |item: &&Value| {
        item["raisedAt"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    };
    assert!(items.iter().any(|item| zoned(&item)));
    assert!(items.iter().any(|item| !zoned(&item)));
}

#[test]
fn a_search_finds_what_the_list_finds() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let key = text(&session.walk(LIST)[0]["groupKey"]);
    assert_ne!(key, encoded(&key));
    for (query, body) in [
        (
            "severity=high,medium".to_owned(),
            json!({"severity": ["high", "medium"]}),
        ),
        (
            "product=firewall&category=connectivity".to_owned(),
            json!({"product": ["firewall"], "category": ["connectivity"]}),
        ),
        (
            "from=2025-01-25T00:00:00Z&to=2025-01-28T00:00:00.000Z".to_owned(),
            json!({"from": "2025-01-25T00:00:00Z", "to": "2025-01-28T00:00:00.000Z"}),
        ),
        (
            format!("groupKey={}", encoded(&key)),
            json!({"groupKey": key}),
        ),
        (
            "sort=severity:desc,raisedAt:asc".to_owned(),
            json!({"sort": ["severity:desc", "raisedAt:asc"]}),
        ),
    ] {
        let listed = session.get(&format!("{LIST}?pageSize=1000&pageTotal=true&{query}"));
        let mut body = body;
        body["pageSize"] = json!(1000);
        body["pageTotal"] = json!(true);
        let found = session.send("POST", &format!("{LIST}/search"), Some(&body.to_string()));
        assert_eq!(found.status, 200, "{}", found.body);
        let found = found.json();
        assert!(!found["items"].as_array().unwrap().is_empty(), "{query}");
        assert_eq!(found["items"], listed["items"], "{query}");
        assert_eq!(found["pages"]["items"], listed["pages"]["items"]);
    }
}

#[test]
fn a_search_pages_by_key_too() {
    let sandbox = Sandbox::builder().alerts(25).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let mut seen = Vec::new();
    let mut body = json!({"pageSize": 10});
    for _ in 0..3 {
        let page = session
            .send("POST", &format!("{LIST}/search"), Some(&body.to_string()))
            .json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| text(&item["id"])),
        );
        body["pageFromKey"] = page["pages"]["nextKey"].clone();
    }
    let listed: Vec<String> = session
        .walk(LIST)
        .iter()
        .map(|item| text(&item["id"]))
        .collect();
    assert_eq!(seen, listed);
}

#[test]
fn only_allowed_actions_succeed_and_an_acknowledged_alert_leaves() {
    let sandbox = Sandbox::builder().odd_records(false).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let pua = session
        .walk(LIST)
        .into_iter()
        .find(|item| item["category"] == "pua")
        .expect("there is a PUA alert");
    let id = text(&pua["id"]);
    let act = |action: &str| {
        let body = json!({"action": action, "message": "hello"}).to_string();
        session.send("POST", &format!("{LIST}/{id}/actions"), Some(&body))
    };
    assert_eq!(act("clearPua").status, 400, "there is no such action");
    assert_eq!(act("clearHmpa").status, 400, "this alert does not allow it");
    let done = act("cleanPua");
    assert_eq!(done.status, 201);
    let result = done.json();
    assert_eq!(result["alertId"], id.as_str());
    assert_eq!(result["completedAt"], Value::Null);
    assert_eq!(session.get(&format!("{LIST}/{id}"))["id"], id.as_str());

    let before = session.walk(LIST).len();
    assert_eq!(act("acknowledge").status, 201);
    assert_eq!(session.walk(LIST).len(), before - 1);
    assert_eq!(
        session.send("GET", &format!("{LIST}/{id}"), None).status,
        404
    );
    assert_eq!(act("acknowledge").status, 404);
}

#[test]
fn the_device_behind_an_alert_can_be_fetched() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let mut found = 0;
    for alert in session.walk(LIST) {
        let agent = &alert["managedAgent"];
        if agent["type"] != "server" && agent["type"] != "computer" {
            continue;
        }
        let id = text(&agent["id"]);
        let device = session.get(&format!("/endpoint/v1/endpoints/{id}"));
        assert_eq!(device["id"], id.as_str());
        found += 1;
    }
    assert!(found > 50, "{found}");
}

#[test]
fn values_that_do_not_exist_are_refused() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    for query in [
        "severity=critical",
        "severity=info",
        "product=email",
        "category=spam",
        "from=-P1D",
        "to=2025-01-01",
        "pageSize=1001",
        "limit=5",
        "sort=nothing",
        "fields=nothing",
    ] {
        assert_eq!(
            session.send("GET", &format!("{LIST}?{query}"), None).status,
            400,
            "{query}"
        );
    }
    for body in [
        r#"{"severity":"high"}"#,
        r#"{"pageTotal":"true"}"#,
        r#"{"limit":5}"#,
        "[]",
        "{",
    ] {
        let answer = session.send("POST", &format!("{LIST}/search"), Some(body));
        assert_eq!(answer.status, 400, "{body}");
    }
}
