//! Leasing, extending and releasing.

use postgres_types::Type;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::ids::CorrelationId;
use crate::names::Domain;
use crate::storage::On;
use crate::storage::finish::Held;
use crate::storage::lease::{
    DiscardReason, Discarded, Exhausted, LeaseRequest, Leased, LeasedCommand,
};
use crate::storage::postgres::values::{count, get, id, id_opt, int, json};
use crate::storage::postgres::{Postgres, answer};

const LEASE: &str = "select kind, msg_id, command_id, attempt, attempt_limit, command_type, data, correlation, reply_to, \
     batch_id, created_at, lease_end from commandbus.cb_lease($1, $2, $3, $4, $5, $6)";

impl Postgres {
    pub(super) async fn lease_now(&self, request: LeaseRequest) -> Result<Leased> {
        let queue = request.domain.command_queue();
        let rows = self
            .query(
                On::Own,
                LEASE,
                &[
                    (&request.domain.as_str(), Type::TEXT),
                    (&queue.as_str(), Type::TEXT),
                    (&int(request.visibility), Type::INT4),
                    (&int(request.limit), Type::INT4),
                    (&int(request.max_attempts), Type::INT4),
                    (&request.running, Type::INT8_ARRAY),
                ],
            )
            .await?;
        let mut leased = Leased {
            deliveries: Vec::with_capacity(rows.len()),
            ..Leased::default()
        };
        for row in &rows {
            let kind: i32 = get(row, "kind")?;
            if kind == -1 {
                return Err(Error::queue_not_found(queue.as_str()));
            }
            let msg_id: i64 = get(row, "msg_id")?;
            let reason = match kind {
                0 => {
                    let correlation: Option<&str> = get(row, "correlation")?;
                    leased.deliveries.push(LeasedCommand {
                        msg_id,
                        command_id: id(row, "command_id")?,
                        command_type: get(row, "command_type")?,
                        data: json(row, "data")?.unwrap_or_default(),
                        correlation_id: correlation
                            .and_then(|text| text.parse::<CorrelationId>().ok()),
                        reply_to: get(row, "reply_to")?,
                        attempt: count(row, "attempt")?,
                        max_attempts: count(row, "attempt_limit")?,
                        batch_id: id_opt(row, "batch_id")?,
                        created_at: get(row, "created_at")?,
                        lease_expires_at: get(row, "lease_end")?,
                    });
                    continue;
                }
                5 => {
                    leased.exhausted.push(Exhausted {
                        msg_id,
                        command_id: id(row, "command_id")?,
                        attempt: count(row, "attempt")?,
                    });
                    continue;
                }
                1 => DiscardReason::Malformed,
                2 => DiscardReason::NoCommand,
                3 => DiscardReason::NotOpen,
                4 => DiscardReason::OtherDomain,
                other => {
                    return Err(answer(format_args!(
                        "gave a row of the unknown kind {other}"
                    )));
                }
            };
            leased.discarded.push(Discarded { msg_id, reason });
        }
        Ok(leased)
    }

    pub(super) async fn extend_now(
        &self,
        domain: Domain,
        held: Vec<Held>,
        seconds: u32,
    ) -> Result<Vec<bool>> {
        let (msgs, ids, attempts) = columns(&held);
        let queue = domain.command_queue();
        let row = self
            .query_one(
                On::Own,
                "select commandbus.cb_extend($1, $2, $3, $4, $5, $6) as held",
                &[
                    (&domain.as_str(), Type::TEXT),
                    (&queue.as_str(), Type::TEXT),
                    (&msgs, Type::INT8_ARRAY),
                    (&ids, Type::UUID_ARRAY),
                    (&attempts, Type::INT4_ARRAY),
                    (&int(seconds), Type::INT4),
                ],
            )
            .await?;
        get(&row, "held")
    }

    pub(super) async fn release_now(&self, domain: Domain, held: Vec<Held>) -> Result<()> {
        let (msgs, ids, attempts) = columns(&held);
        let queue = domain.command_queue();
        self.query(
            On::Own,
            "select from commandbus.cb_release($1, $2, $3, $4, $5)",
            &[
                (&domain.as_str(), Type::TEXT),
                (&queue.as_str(), Type::TEXT),
                (&msgs, Type::INT8_ARRAY),
                (&ids, Type::UUID_ARRAY),
                (&attempts, Type::INT4_ARRAY),
            ],
        )
        .await?;
        Ok(())
    }
}

pub(super) fn columns<'a>(
    held: impl IntoIterator<Item = &'a Held>,
) -> (Vec<i64>, Vec<Uuid>, Vec<i32>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for held in held {
        columns.0.push(held.msg_id);
        columns.1.push(held.command_id.into());
        columns.2.push(int(held.attempt));
    }
    columns
}
