//! Finishing attempts.

use postgres_types::Type;
use uuid::Uuid;

use crate::error::Result;
use crate::ids::BatchId;
use crate::names::Domain;
use crate::storage::On;
use crate::storage::finish::{AttemptError, FinishItem, FinishReport, Finished, Outcome};
use crate::storage::postgres::lease::columns;
use crate::storage::postgres::values::{JsonText, get, int};
use crate::storage::postgres::{Postgres, answer};

const FINISH: &str = "select results, finished, unsent from \
     commandbus.cb_finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

impl Postgres {
    pub(super) async fn finish_now(
        &self,
        domain: Domain,
        items: Vec<FinishItem>,
    ) -> Result<FinishReport> {
        if items.is_empty() {
            return Ok(FinishReport::default());
        }
        let (msgs, ids, attempts) = columns(items.iter().map(|item| &item.held));
        let parts: Vec<Parts<'_>> = items.iter().map(|item| Parts::of(&item.outcome)).collect();
        let kinds: Vec<i32> = parts.iter().map(|part| part.kind).collect();
        let has_results: Vec<bool> = parts.iter().map(|part| part.has_result).collect();
        let failed = parts.iter().any(|part| part.error.is_some());
        // What no item needs is null, and costs nothing.
        let error = |read: fn(&AttemptError) -> &str| {
            failed.then(|| {
                parts
                    .iter()
                    .map(|part| part.error.map(read))
                    .collect::<Vec<_>>()
            })
        };
        let codes = error(|error| &error.code);
        let messages = error(|error| &error.message);
        let details = failed.then(|| {
            parts
                .iter()
                .map(|part| part.error.map(|error| JsonText(&error.details)))
                .collect::<Vec<_>>()
        });
        let numbers = failed.then(|| {
            parts
                .iter()
                .map(|part| part.number)
                .collect::<Vec<Option<i32>>>()
        });
        let replied = items.iter().any(|item| item.reply.is_some());
        let queues = replied.then(|| {
            items
                .iter()
                .map(|item| Some(item.reply.as_ref()?.0.as_str()))
                .collect::<Vec<_>>()
        });
        let replies = replied.then(|| {
            items
                .iter()
                .map(|item| Some(JsonText(&item.reply.as_ref()?.1)))
                .collect::<Vec<_>>()
        });
        let queue = domain.command_queue();
        let row = self
            .query_one(
                On::Own,
                FINISH,
                &[
                    (&domain.as_str(), Type::TEXT),
                    (&queue.as_str(), Type::TEXT),
                    (&msgs, Type::INT8_ARRAY),
                    (&ids, Type::UUID_ARRAY),
                    (&attempts, Type::INT4_ARRAY),
                    (&kinds, Type::INT4_ARRAY),
                    (&has_results, Type::BOOL_ARRAY),
                    (&codes, Type::TEXT_ARRAY),
                    (&messages, Type::TEXT_ARRAY),
                    (&details, Type::JSONB_ARRAY),
                    (&numbers, Type::INT4_ARRAY),
                    (&queues, Type::TEXT_ARRAY),
                    (&replies, Type::JSONB_ARRAY),
                ],
            )
            .await?;
        let unsent: Vec<&str> = get(&row, "unsent")?;
        let results: Vec<i32> = get(&row, "results")?;
        let finished: Vec<Uuid> = get(&row, "finished")?;
        if results.len() != items.len() {
            return Err(answer("gave another number of results"));
        }
        let results = items
            .iter()
            .zip(results)
            .map(|(item, result)| {
                let lost = item
                    .reply
                    .as_ref()
                    .is_some_and(|(queue, _)| unsent.contains(&&**queue));
                match result {
                    0 if lost => Ok(Finished::AppliedWithoutReply),
                    0 => Ok(Finished::Applied),
                    2 => Ok(Finished::AppliedLate),
                    3 => Ok(Finished::Stale),
                    other => Err(answer(format_args!("gave the unknown result {other}"))),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        let finished_batches = finished.into_iter().map(BatchId::from).collect();
        Ok(FinishReport {
            results,
            finished_batches,
        })
    }
}

/// An outcome as the function takes it.
struct Parts<'a> {
    kind: i32,
    has_result: bool,
    error: Option<&'a AttemptError>,
    number: Option<i32>,
}

impl<'a> Parts<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let failed = |kind, error, number| Self {
            kind,
            has_result: false,
            error: Some(error),
            number,
        };
        match outcome {
            Outcome::Completed { has_result } => Self {
                kind: 0,
                has_result: *has_result,
                error: None,
                number: None,
            },
            Outcome::Retry { error, delay } => failed(1, error, Some(int(*delay))),
            Outcome::Exhausted { error, limit } => failed(2, error, Some(int(*limit))),
            Outcome::Permanent { error } => failed(3, error, None),
            Outcome::BusinessRule { error } => failed(4, error, None),
        }
    }
}
