//! Changes of many, and clients that change nothing.

use std::sync::{Arc, Mutex};

use restkit::transport::MockTransport;
use sophos_central::EndpointId;

use crate::support::{ENDPOINT, answer, calls, client, tenant, token, whoami_tenant};

fn ids(count: usize) -> Vec<EndpointId> {
    (0..count)
        .map(|index| EndpointId::from(format!("id-{index}")))
        .collect()
}

/// Answers changes of isolation; the chunk that holds `refuse` is refused, `forget` is left out.
fn isolating(
    refuse: &'static str,
    forget: &'static str,
) -> (MockTransport, Arc<Mutex<Vec<usize>>>) {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let mock = MockTransport::new().json(200, token()).json(200, whoami_tenant()).respond_with(
        move |request| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).expect("a JSON body");
            assert_eq!((&body["enabled"], &body["comment"]), (&true.into(), &"why".into()));
            let ids: Vec<&str> =
                body["ids"].as_array().expect("a list").iter().filter_map(|id| id.as_str()).collect();
            seen.lock().expect("never poisoned").push(ids.len());
            if ids.contains(&refuse) {
                return answer(409, r#"{"error":"resourceConflict","message":"in progress"}"#);
            }
            let items: Vec<_> = ids
                .iter()
                .filter(|id| **id != forget)
                .map(|id| serde_json::json!({"id": id.to_uppercase(), "isolation": {"enabled": true}}))
                .rev()
                .collect();
            answer(202, serde_json::json!({ "items": items }).to_string())
        },
    );
    (mock, sizes)
}

#[tokio::test]
async fn many_are_changed_in_chunks_of_50_and_results_keep_the_order() {
    let uuid = |index: usize| EndpointId::from(format!("5b0c8f1e-4d3a-4b6c-8f21-{index:012x}"));
    let ids: Vec<_> = (0..120).map(uuid).collect();
    let (mock, sizes) = isolating("", "");
    let results = client(&mock)
        .endpoint()
        .isolate_many(ids.clone(), Some("why"))
        .await
        .unwrap();
    let mut sizes = sizes.lock().unwrap().clone();
    sizes.sort_unstable();
    assert_eq!(sizes, [20, 50, 50]);
    let answered: Vec<_> = results
        .into_iter()
        .map(|result| result.unwrap().id.clone())
        .collect();
    assert_eq!(answered, ids);
    assert!(
        calls(&mock)
            .iter()
            .all(|call| call.target() == "/endpoint/v1/endpoints/isolation")
    );
}

#[tokio::test]
async fn a_refused_chunk_fails_its_ids_only_and_an_id_without_answer_is_unclear() {
    let uuid = |index: usize| EndpointId::from(format!("5b0c8f1e-4d3a-4b6c-8f21-{index:012x}"));
    let ids: Vec<_> = (0..70).map(uuid).collect();
    let (mock, _) = isolating(
        "5b0c8f1e-4d3a-4b6c-8f21-000000000003",
        "5b0c8f1e-4d3a-4b6c-8f21-00000000003f",
    );
    let results = client(&mock)
        .endpoint()
        .isolate_many(ids, Some("why"))
        .await
        .unwrap();
    assert_eq!(results.len(), 70);
    assert!(
        results[..50]
            .iter()
            .all(|result| result.as_ref().unwrap_err().is_conflict())
    );
    for (index, result) in results.iter().enumerate().skip(50) {
        match result {
            Err(error) => assert!(index == 63 && error.is_unclear_write(), "{index} {error}"),
            Ok(_) => assert_ne!(index, 63),
        }
    }
}

#[tokio::test]
async fn an_id_given_twice_is_sent_once_and_answered_twice() {
    let id = EndpointId::from(ENDPOINT);
    let again = EndpointId::from(ENDPOINT.to_uppercase());
    let (mock, sizes) = isolating("", "");
    let results = client(&mock)
        .endpoint()
        .isolate_many(vec![id.clone(), again, id], Some("why"))
        .await
        .unwrap();
    assert_eq!(*sizes.lock().unwrap(), [1]);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
}

#[tokio::test]
async fn arguments_that_cannot_be_right_are_refused_before_anything_is_sent() {
    let mock = tenant();
    let endpoint = client(&mock).endpoint();
    assert!(
        endpoint
            .isolate_many(vec![], None)
            .await
            .unwrap_err()
            .is_invalid_argument()
    );
    let long = "é".repeat(401);
    let error = endpoint
        .isolate_many(ids(2), Some(&long))
        .await
        .unwrap_err();
    assert!(error.is_invalid_argument());
    let error = endpoint.isolate(&ids(1)[0], Some(&long)).await.unwrap_err();
    assert!(error.to_string().contains("401 characters"), "{error}");
    let error = endpoint
        .isolate_many(vec![" ".into()], None)
        .await
        .unwrap_err();
    assert!(error.is_invalid_argument());
    assert!(mock.requests().is_empty());
}

#[tokio::test]
async fn many_scans_give_one_result_each() {
    let mock = MockTransport::new()
        .json(200, token())
        .json(200, whoami_tenant())
        .respond_with(|request| match request.target() {
            "/endpoint/v1/endpoints/id-1/scans" => answer(404, "{}"),
            _ => answer(201, r#"{"id":"task","status":"requested"}"#),
        });
    let results = client(&mock).endpoint().scan_many(ids(20)).await.unwrap();
    let failed: Vec<_> = results
        .iter()
        .enumerate()
        .filter(|(_, result)| result.is_err())
        .map(|(at, _)| at)
        .collect();
    assert_eq!(failed, [1]);
    assert_eq!(calls(&mock).len(), 20);
    assert!(mock.most_running() <= 8);
}

#[tokio::test]
async fn without_writes_reads_go_on_and_changes_are_shown_instead_of_sent() {
    let mock = tenant().json(200, format!(r#"{{"id":"{ENDPOINT}"}}"#));
    let client = client(&mock).without_writes();
    let id = EndpointId::from(ENDPOINT);
    client.endpoint().get(&id).await.unwrap();
    let error = client
        .endpoint()
        .isolate(&id, Some("why"))
        .await
        .unwrap_err();
    let shown = error.not_sent().expect("the request that was not sent");
    assert_eq!(shown.method, "PATCH");
    assert_eq!(
        shown.url,
        format!("https://eu.example/endpoint/v1/endpoints/{ENDPOINT}/isolation")
    );
    assert_eq!(
        shown.body.as_deref(),
        Some(r#"{"comment":"why","enabled":true}"#)
    );
    let text = shown.to_string();
    assert!(
        text.contains("x-tenant-id") && text.contains("********"),
        "{text}"
    );
    let results = client.endpoint().scan_many(vec![id]).await.unwrap();
    assert!(results[0].as_ref().unwrap_err().not_sent().is_some());
    assert_eq!(calls(&mock).len(), 1);
}

#[tokio::test]
async fn an_empty_answer_to_a_change_is_a_success() {
    let mock = tenant().status(204).status(202).status(201).status(200);
    let endpoint = client(&mock).endpoint();
    let id = EndpointId::from(ENDPOINT);
    assert_eq!(endpoint.isolate(&id, None).await.unwrap().enabled, None);
    let results = endpoint.isolate_many(ids(3), None).await.unwrap();
    let answered: Vec<_> = results
        .into_iter()
        .map(|result| result.unwrap().id.clone())
        .collect();
    assert_eq!(answered, ids(3));
    assert_eq!(endpoint.scan(&id).await.unwrap().status, None);
    let change = sophos_central::endpoint::TamperChange::new().disable();
    assert_eq!(
        endpoint
            .update_tamper_protection(&id, change)
            .await
            .unwrap()
            .enabled,
        None
    );
}
