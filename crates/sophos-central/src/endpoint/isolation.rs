//! Changing the isolation of one or of many endpoints.

use std::collections::{HashMap, HashSet};

use restkit::Record;
use serde_json::json;

use super::EndpointApi;
use super::model::{Isolation, IsolationResult};
use crate::client::nothing_but;
use crate::error::Error;
use crate::id::EndpointId;
use crate::route;

/// How many endpoints one change of isolation may name.
const ISOLATION_CHUNK: usize = 50;
/// How long the comment of a change of isolation may be.
const COMMENT_LENGTH: usize = 400;

impl EndpointApi {
    pub(super) async fn change_isolation(
        &self,
        id: &EndpointId,
        enabled: bool,
        comment: Option<&str>,
    ) -> Result<Record<Isolation>, Error> {
        let mut body = json!({ "enabled": enabled });
        add_comment(&mut body, comment)?;
        let request = route::ENDPOINT_ISOLATE
            .request(&[id.as_str()])
            .json(&body)?;
        self.client
            .send(&route::ENDPOINT_ISOLATE, request)
            .await?
            .json_or_nothing()
    }

    /// Changes many, in chunks. An id that is given twice is sent once.
    pub(super) async fn change_isolation_of_many(
        &self,
        ids: Vec<EndpointId>,
        enabled: bool,
        comment: Option<&str>,
    ) -> Result<Vec<Result<Record<IsolationResult>, Error>>, Error> {
        if ids.is_empty() {
            return Err(Error::invalid_argument("`ids` must name at least one id"));
        }
        if let Some(bad) = ids.iter().find(|id| id.as_str().trim().is_empty()) {
            return Err(Error::invalid_argument(format!(
                "`{bad}` is not the id of an endpoint"
            )));
        }
        let mut body = json!({ "enabled": enabled });
        add_comment(&mut body, comment)?;
        let mut seen = HashSet::new();
        let unique: Vec<EndpointId> = ids
            .iter()
            .filter(|id| seen.insert((*id).clone()))
            .cloned()
            .collect();
        let chunks: Vec<Vec<EndpointId>> = unique
            .chunks(ISOLATION_CHUNK)
            .map(<[EndpointId]>::to_vec)
            .collect();
        let outcomes = restkit::batch::batch(chunks.clone(), self.client.concurrency(), |chunk| {
            let this = self.clone();
            let body = body.clone();
            async move { this.change_chunk(chunk, body).await }
        })
        .await;
        let mut results: HashMap<EndpointId, Result<Record<IsolationResult>, Error>> =
            HashMap::new();
        for (chunk, outcome) in chunks.into_iter().zip(outcomes) {
            match outcome {
                Ok(items) => {
                    results.extend(items.into_iter().map(|item| (item.id.clone(), Ok(item))));
                }
                Err(error) => {
                    results.extend(chunk.into_iter().map(|id| (id, Err(error.clone()))));
                }
            }
        }
        Ok(ids
            .into_iter()
            .map(|id| {
                results.get(&id).cloned().unwrap_or_else(|| {
                    Err(Error::unclear(format!(
                        "change isolation of endpoint {id}: the answer does not mention it, so the change may or may not have been applied"
                    )))
                })
            })
            .collect())
    }

    async fn change_chunk(
        &self,
        ids: Vec<EndpointId>,
        mut body: serde_json::Value,
    ) -> Result<Vec<Record<IsolationResult>>, Error> {
        /// The answer to a change of many.
        #[derive(serde::Deserialize)]
        struct Envelope {
            items: Vec<Record<IsolationResult>>,
        }

        body["ids"] = json!(ids);
        let request = route::ENDPOINT_ISOLATE_MANY.request(&[]).json(&body)?;
        let answer = self
            .client
            .send(&route::ENDPOINT_ISOLATE_MANY, request)
            .await?;
        if answer.is_empty() {
            // A success that says nothing is one for all of them.
            return ids
                .iter()
                .map(|id| nothing_but(&json!({ "id": id })))
                .collect();
        }
        // Lists were seen without their envelope.
        if answer.body().trim_ascii_start().starts_with(b"[") {
            return answer.json();
        }
        let envelope: Envelope = answer.json()?;
        Ok(envelope.items)
    }
}

fn add_comment(body: &mut serde_json::Value, comment: Option<&str>) -> Result<(), Error> {
    let Some(comment) = comment.map(str::trim).filter(|comment| !comment.is_empty()) else {
        return Ok(());
    };
    let length = comment.chars().count();
    if length > COMMENT_LENGTH {
        return Err(Error::invalid_argument(format!(
            "the comment has {length} characters, and {COMMENT_LENGTH} are allowed"
        )));
    }
    body["comment"] = comment.into();
    Ok(())
}
