use serde_json::{Value, json};
use sophos_sandbox::Sandbox;

use crate::client::{Session, text};

const LIST: &str = "/endpoint/v1/endpoints";

/// Returns ids of ordinary devices that nobody has isolated.
fn free_ids(session: &Session<'_>, count: usize) -> Vec<String> {
    session
        .walk(&format!(
            "{LIST}?isolationStatus=notIsolated&tamperProtectionEnabled=true&pageSize=500"
        ))
        .iter()
        .map(|item| text(&item["id"]))
        .take(count)
        .collect()
}

fn isolation_of(session: &Session<'_>, id: &str) -> Value {
    session.get(&format!("{LIST}/{id}"))["isolation"].clone()
}

#[test]
fn an_isolation_is_in_progress_until_it_has_been_read_twice() {
    let sandbox = Sandbox::builder().odd_records(false).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let id = free_ids(&session, 1).remove(0);
    let path = format!("{LIST}/{id}/isolation");
    assert_eq!(session.get(&path), json!({"enabled": false}));

    let body = r#"{"enabled":true,"comment":"Ticket 4711"}"#;
    let answer = session.send("PATCH", &path, Some(body));
    assert_eq!(answer.status, 200);
    let state = answer.json();
    assert_eq!(state["enabled"], true);
    assert_eq!(state["comment"], "Ticket 4711");
    assert_eq!(state["lastEnabledAt"], "2025-02-03T07:00:00.001Z");
    assert_eq!(state["lastEnabledBy"]["type"], "service");

    let busy = session.send("PATCH", &path, Some(r#"{"enabled":false}"#));
    assert_eq!(busy.status, 409);
    assert_eq!(busy.json()["error"], "resourceConflict");
    assert_eq!(
        isolation_of(&session, &id)["status"],
        "notIsolated",
        "the first read"
    );
    assert_eq!(
        isolation_of(&session, &id)["status"],
        "isolated",
        "the second read"
    );
    assert_eq!(isolation_of(&session, &id)["adminIsolated"], true);

    let off = session.send("PATCH", &path, Some(r#"{"enabled":false}"#));
    assert_eq!(off.status, 200);
    assert_eq!(off.json()["enabled"], false);
    session.get(&path);
    session.get(&path);
    assert_eq!(isolation_of(&session, &id)["status"], "notIsolated");
}

#[test]
fn a_bulk_isolation_is_for_all_or_none() {
    let sandbox = Sandbox::builder()
        .odd_records(false)
        .isolation_reads(0)
        .start()
        .unwrap();
    let session = Session::new(&sandbox, "tenant");
    let ids = free_ids(&session, 3);
    let path = format!("{LIST}/isolation");
    let body = json!({"enabled": true, "comment": "x", "ids": ids}).to_string();
    let answer = session.send("POST", &path, Some(&body));
    assert_eq!(answer.status, 202);
    assert_eq!(
        answer.json()["items"][0],
        json!({"id": ids[0], "isolation": {"enabled": true, "comment": "x"}})
    );
    for id in &ids {
        assert_eq!(isolation_of(&session, id)["adminIsolated"], true);
    }

    let unknown = "00000000-0000-4000-8000-000000000000";
    let body = json!({"enabled": false, "ids": [ids[0], unknown]}).to_string();
    assert_eq!(session.send("POST", &path, Some(&body)).status, 404);
    assert_eq!(
        isolation_of(&session, &ids[0])["adminIsolated"],
        true,
        "nothing was applied"
    );
    let many = vec![ids[0].clone(); 51];
    for ids in [json!([]), json!(many)] {
        let body = json!({"enabled": true, "ids": ids}).to_string();
        assert_eq!(session.send("POST", &path, Some(&body)).status, 400);
    }
}

#[test]
fn lifting_an_isolation_leaves_the_one_the_device_chose_itself() {
    let sandbox = Sandbox::builder()
        .endpoints(2000)
        .isolation_reads(0)
        .start()
        .unwrap();
    let session = Session::new(&sandbox, "tenant");
    let isolated = session.walk(&format!("{LIST}?isolationStatus=isolated&pageSize=500"));
    let by_itself = isolated
        .iter()
        .find(|item| item["isolation"]["selfIsolated"] == true)
        .expect("some device has isolated itself");
    let id = text(&by_itself["id"]);
    session.send(
        "PATCH",
        &format!("{LIST}/{id}/isolation"),
        Some(r#"{"enabled":false}"#),
    );
    let isolation = isolation_of(&session, &id);
    assert_eq!(isolation["status"], "isolated");
    assert_eq!(isolation["adminIsolated"], false);
}

#[test]
fn a_change_moves_devices_between_filtered_listings() {
    let sandbox = Sandbox::builder()
        .odd_records(false)
        .isolation_reads(0)
        .start()
        .unwrap();
    let session = Session::new(&sandbox, "tenant");
    let count = || {
        session
            .walk(&format!("{LIST}?isolationStatus=isolated&pageSize=500"))
            .len()
    };
    let before = count();
    let id = free_ids(&session, 1).remove(0);
    session.send(
        "PATCH",
        &format!("{LIST}/{id}/isolation"),
        Some(r#"{"enabled":true}"#),
    );
    assert_eq!(count(), before + 1);
}

#[test]
fn a_comment_may_have_400_characters() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let id = free_ids(&session, 1).remove(0);
    let path = format!("{LIST}/{id}/isolation");
    let body = |length| json!({"enabled": true, "comment": "ä".repeat(length)}).to_string();
    assert_eq!(session.send("PATCH", &path, Some(&body(401))).status, 400);
    assert_eq!(session.send("PATCH", &path, Some(&body(400))).status, 200);
}

#[test]
fn a_new_tamper_password_keeps_the_old_one_in_the_history() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let id = free_ids(&session, 1).remove(0);
    let path = format!("{LIST}/{id}/tamper-protection");
    let before = session.get(&path);
    assert_eq!(before["enabled"], true);
    assert_eq!(before["previousPasswords"], json!([]));

    let answer = session.send("POST", &path, Some(r#"{"regeneratePassword":true}"#));
    assert_eq!(answer.status, 201);
    let after = answer.json();
    assert_ne!(after["password"], before["password"]);
    assert_eq!(
        after["previousPasswords"][0]["password"],
        before["password"]
    );
    assert_eq!(after["enabled"], true, "what was not asked for stays");

    assert_eq!(
        session
            .send("POST", &path, Some(r#"{"enabled":false}"#))
            .status,
        201
    );
    assert_eq!(session.get(&path)["enabled"], false);
    assert_eq!(
        session.get(&format!("{LIST}/{id}"))["tamperProtectionEnabled"],
        false
    );
    assert_eq!(session.send("POST", &path, Some("{}")).status, 400);
}

#[test]
fn tamper_protection_cannot_be_turned_on_while_it_is_off_for_the_account() {
    let sandbox = Sandbox::builder().global_tamper(false).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    assert_eq!(
        session.get("/endpoint/v1/settings/tamper-protection")["enabled"],
        false
    );
    let id = free_ids(&session, 1).remove(0);
    let path = format!("{LIST}/{id}/tamper-protection");
    assert_eq!(
        session
            .send("POST", &path, Some(r#"{"enabled":true}"#))
            .status,
        403
    );
}

#[test]
fn scans_and_update_checks_are_accepted_with_an_empty_object() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let id = free_ids(&session, 1).remove(0);
    let mut ids = Vec::new();
    for what in ["scans", "update-checks"] {
        let path = format!("{LIST}/{id}/{what}");
        let answer = session.send("POST", &path, Some("{}"));
        assert_eq!(answer.status, 201);
        assert_eq!(answer.json()["status"], "requested");
        ids.push(text(&answer.json()["id"]));
        assert_eq!(
            session.send("POST", &path, None).status,
            400,
            "no body is not an empty object"
        );
        assert_eq!(
            session
                .send("POST", &path, Some(r#"{"comment":"x"}"#))
                .status,
            400
        );
        assert_eq!(session.send("GET", &path, None).status, 404);
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn deleted_devices_are_gone_and_the_walk_goes_on_without_them() {
    let sandbox = Sandbox::builder().endpoints(30).start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let all = session.walk(&format!("{LIST}?pageSize=10"));
    let ids: Vec<String> = all.iter().map(|item| text(&item["id"])).collect();
    let unknown = "00000000-0000-4000-8000-000000000000";
    let body = json!({"endpointIds": [ids[0], unknown, ids[5]]}).to_string();
    let answer = session.send("POST", &format!("{LIST}/delete"), Some(&body));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"endpointIds": [ids[0], ids[5]]}));
    assert_eq!(
        session
            .send("GET", &format!("{LIST}/{}", ids[0]), None)
            .status,
        404
    );

    for _ in 0..2 {
        let answer = session.send("DELETE", &format!("{LIST}/{}", ids[7]), None);
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"deleted": true}))
        );
    }
    let left = session.walk(&format!("{LIST}?pageSize=10"));
    assert_eq!(left.len(), 27);
}

#[test]
fn a_device_that_goes_between_two_pages_hides_no_other() {
    let sandbox = Sandbox::builder()
        .endpoints(30)
        .odd_records(false)
        .start()
        .unwrap();
    let session = Session::new(&sandbox, "tenant");
    let all = session.walk(&format!("{LIST}?pageSize=500"));
    let first = session.get(&format!("{LIST}?pageSize=10"));
    session.send("DELETE", &format!("{LIST}/{}", text(&all[0]["id"])), None);
    let key = crate::client::encoded(first["pages"]["nextKey"].as_str().unwrap());
    let second = session.get(&format!("{LIST}?pageSize=10&pageFromKey={key}"));
    assert_eq!(second["items"][0]["id"], all[10]["id"]);
}
