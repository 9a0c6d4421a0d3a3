use std::collections::HashSet;

use serde_json::Value;
use sophos_sandbox::Sandbox;

use crate::client::{Session, encoded, text};

const LIST: &str = "/endpoint/v1/endpoints";

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| text(&item["id"])).collect()
}

#[test]
fn a_walk_gives_every_device_once() {
    let sandbox = Sandbox::builder().endpoints(141).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let items = session.walk(LIST);
    assert_eq!(items.len(), 141);
    assert_eq!(ids(&items).iter().collect::<HashSet<_>>().len(), 141);
}

#[test]
fn pages_tell_their_size_and_the_total_only_when_asked() {
    let sandbox = Sandbox::builder().endpoints(141).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let first = session.get(&format!("{LIST}?pageSize=2&pageTotal=true"));
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let pages = &first["pages"];
    assert_eq!(
        (
            &pages["size"],
            &pages["total"],
            &pages["items"],
            &pages["maxSize"]
        ),
        (&2.into(), &71.into(), &141.into(), &500.into())
    );
    assert!(pages.get("fromKey").is_none());
    let key = text(&pages["nextKey"]);
    assert_ne!(key, encoded(&key), "a key needs percent-encoding");

    let second = session.get(&format!("{LIST}?pageSize=2&pageFromKey={}", encoded(&key)));
    assert_eq!(second["pages"]["fromKey"], key);
    assert!(second["pages"].get("total").is_none());
    assert_eq!(
        session.get(LIST)["items"].as_array().unwrap().len(),
        50,
        "the default size"
    );
}

#[test]
fn a_key_belongs_to_its_listing() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let key = text(&session.get(&format!("{LIST}?type=computer&pageSize=2"))["pages"]["nextKey"]);
    let key = encoded(&key);
    let same = session.send(
        "GET",
        &format!("{LIST}?type=computer&pageFromKey={key}"),
        None,
    );
    assert_eq!(same.status, 200, "the size may change on the way");
    let other = session.send(
        "GET",
        &format!("{LIST}?type=server&pageFromKey={key}"),
        None,
    );
    assert_eq!(other.status, 400);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |seed| {
        let sandbox = Sandbox::builder()
            .seed(seed)
            .split_hosts(false)
            .start()
            .unwrap();
        let session = Session::new(&sandbox, "tenant");
        session
            .send("GET", &format!("{LIST}?pageSize=500&view=full"), None)
            .body
    };
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}

#[test]
fn every_filter_keeps_what_shows_the_value_and_nothing_else() {
    let sandbox = Sandbox::builder()
        .endpoints(400)
        .odd_records(false)
        .start()
        .unwrap();
    let session = Session::new(&sandbox, "tenant");
    let all = session.walk(&format!("{LIST}?pageSize=500"));
    let pick = |path: &str| -> Value {
        let found = all
            .iter()
            .find_map(|item| item.pointer(path).filter(|v| !v.is_null()));
        found
            .cloned()
            .unwrap_or_else(|| panic!("nobody has {path}"))
    };
    let hostname = text(&pick("/hostname"));
    let login = text(&pick("/associatedPerson/viaLogin"));
    let serial = text(&pick("/serialNumber"));
    let ip = text(&pick("/ipv4Addresses/0"));
    let mac = text(&pick("/macAddresses/0"));
    let id = text(&pick("/id"));
    let instance = text(&pick("/cloud/instanceId"));
    let seen = "2025-02-01T00:00:00.000Z";

    type Test<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let is = |path: &'static str, wanted: &'static [&'static str]| -> Test<'_> {
        Box::new(move |item| {
            item.pointer(path)
                .and_then(Value::as_str)
                .is_some_and(|v| wanted.contains(&v))
        })
    };
    let flag = |path: &'static str, wanted: bool| -> Test<'_> {
        Box::new(move |item| item.pointer(path) == Some(&Value::Bool(wanted)))
    };
    let has = |path: &'static str, part: String| -> Test<'_> {
        Box::new(move |item| {
            item.pointer(path)
                .and_then(Value::as_str)
                .is_some_and(|v| v.to_lowercase().contains(&part.to_lowercase()))
        })
    };
    let cases: Vec<(String, Test<'_>)> = vec![
        (
            "healthStatus=bad,suspicious".into(),
            is("/health/overall", &["bad", "suspicious"]),
        ),
        (
            "healthStatus=bad&healthStatus=good".into(),
            is("/health/overall", &["bad", "good"]),
        ),
        ("type=server".into(), is("/type", &["server"])),
        (
            "tamperProtectionEnabled=false".into(),
            flag("/tamperProtectionEnabled", false),
        ),
        (
            "tamperProtectionSupported=true".into(),
            flag("/tamperProtectionSupported", true),
        ),
        (
            "lockdownStatus=locked".into(),
            is("/lockdown/status", &["locked"]),
        ),
        (
            "lockdownStatus=stopping".into(),
            is("/lockdown/status", &["locked"]),
        ),
        (
            "overallEncryptionStatus=encrypting".into(),
            is("/encryption/overallStatus", &["encrypting"]),
        ),
        (
            format!("lastSeenBefore={seen}"),
            Box::new(|item| item["lastSeenAt"].as_str().is_some_and(|at| at < seen)),
        ),
        (
            "lastSeenAfter=-P2DT7H".into(),
            Box::new(|item| item["lastSeenAt"].as_str().is_some_and(|at| at >= seen)),
        ),
        (
            "lastOsUpdateAfter=2025-01-20T02:00:00%2B02:00".into(),
            Box::new(|item| {
                item["lastOsUpdateAt"]
                    .as_str()
                    .is_some_and(|at| at >= "2025-01-20T00:00:00.000Z")
            }),
        ),
        (
            "lastAgentUpdateBefore=-P20D".into(),
            Box::new(|item| {
                item["lastAgentUpdateAt"]
                    .as_str()
                    .is_some_and(|at| at < "2025-01-14T07:00:00.000Z")
            }),
        ),
        (
            format!("ids={id}"),
            Box::new(|item| item["id"] == id.as_str()),
        ),
        (
            "isolationStatus=isolated".into(),
            is("/isolation/status", &["isolated"]),
        ),
        (
            format!("hostnameContains={}zzz", &hostname[..10]),
            has("/hostname", hostname[..10].to_owned()),
        ),
        (
            format!("serialNumberContains={}", &serial[..6]),
            has("/serialNumber", serial[..6].into()),
        ),
        (
            format!("associatedPersonContains={}", encoded(&login)),
            has("/associatedPerson/viaLogin", login),
        ),
        (
            "search=sonoma&searchFields=osName".into(),
            has("/os/name", "sonoma".into()),
        ),
        (
            format!("search={hostname}"),
            has("/hostname", hostname.clone()),
        ),
        (
            format!("ipAddresses={ip}"),
            Box::new(|item| item["ipv4Addresses"][0] == ip.as_str()),
        ),
        (
            format!("macAddresses={}", mac.replace(':', "").to_lowercase()),
            Box::new(|item| item["macAddresses"][0] == mac.as_str()),
        ),
        ("online=false".into(), flag("/online", false)),
        ("cloud=aws".into(), is("/cloud/provider", &["aws"])),
        (
            format!("cloud={instance}"),
            has("/cloud/instanceId", instance),
        ),
        (
            "type=computer&online=true&healthStatus=good".into(),
            Box::new(|item| {
                item["type"] == "computer"
                    && item["online"] == true
                    && item["health"]["overall"] == "good"
            }),
        ),
    ];
    for (query, test) in cases {
        let found = ids(&session.walk(&format!("{LIST}?pageSize=500&{query}")));
        let expected: Vec<String> = ids(&all)
            .into_iter()
            .zip(&all)
            .filter(|(_, item)| test(item))
            .map(|(id, _)| id)
            .collect();
        assert!(!expected.is_empty(), "{query} would prove nothing");
        assert!(expected.len() < all.len(), "{query} would prove nothing");
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn sorting_orders_the_whole_listing_over_its_pages() {
    let sandbox = Sandbox::builder().endpoints(120).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let sorted = session.walk(&format!(
        "{LIST}?sort=lastSeenAt:desc&pageSize=50&view=full"
    ));
    assert_eq!(sorted.len(), 120);
    let times: Vec<&str> = sorted
        .iter()
        .filter_map(|item| item["lastSeenAt"].as_str())
        // The one odd form is sorted as if it were absent.
        .filter(|at| at.contains('T'))
        .map(|at| at.trim_end_matches('Z'))
        .collect();
    assert!(times.is_sorted_by(|a, b| a >= b));
    let names = session.walk(&format!("{LIST}?sort=type,hostname:asc&pageSize=500"));
    let keys: Vec<_> = names
        .iter()
        .filter_map(|item| Some((item["type"].as_str()?, item["hostname"].as_str()?)))
        .collect();
    assert!(keys.is_sorted());
}

#[test]
fn views_and_fields_choose_the_members() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let members = |query: &str| -> Vec<String> {
        let page = session.get(&format!("{LIST}?pageSize=1&{query}"));
        page["items"][0]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(members("view=basic"), ["hostname", "id", "tenant", "type"]);
    assert!(members("view=summary").contains(&"health".to_owned()));
    assert!(!members("view=summary").contains(&"packages".to_owned()));
    assert!(members("view=full").contains(&"packages".to_owned()));
    assert_eq!(
        members("fields=hostname,health.overall"),
        ["health", "hostname"]
    );

    let id = text(&session.get(&format!("{LIST}?pageSize=1"))["items"][0]["id"]);
    let one = session.get(&format!("{LIST}/{id}?fields=id,os.name"));
    assert_eq!(one["id"], id.as_str());
    assert!(one["os"]["name"].is_string());
    assert_eq!(one["os"].as_object().unwrap().len(), 1);
}

#[test]
fn one_device_is_found_by_its_id_in_any_case() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    for item in session.walk(&format!("{LIST}?pageSize=500")) {
        let id = text(&item["id"]);
        assert_eq!(
            session.get(&format!("{LIST}/{}", id.to_uppercase()))["id"],
            item["id"]
        );
    }
}

#[test]
fn a_large_fleet_starts_at_once_and_is_not_stored() {
    let sandbox = Sandbox::builder().endpoints(1_000_000).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let page = session.get(&format!("{LIST}?pageSize=500&pageTotal=true"));
    assert_eq!(page["items"].as_array().unwrap().len(), 500);
    assert_eq!(page["pages"]["total"], 2000);
}
