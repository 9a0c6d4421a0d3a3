//! From requests to what the drivers take, and from their outcomes to errors.

use std::collections::HashSet;

use super::CommandBus;
use crate::batch::{Batch, BatchType, CreatedBatch, NewBatch};
use crate::command::{Command, Sent, SentBatch};
use crate::envelope;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{BatchId, CommandId, CorrelationId};
use crate::names::Domain;
use crate::storage::On;
use crate::storage::batches::NewBatchRow;
use crate::storage::operate::Operated;
use crate::storage::send::{CreateBatch, Outgoing, OutgoingCommand, SendOutcome};

impl CommandBus {
    pub(super) async fn send_one(&self, on: On<'_>, command: Command) -> Result<Sent> {
        let domain = command.check()?.domain;
        let batch = command.batch_id;
        let delay = delay_seconds(&command)?;
        let id = command.command_id;
        let command_type = command.command_type.clone();
        let outgoing = self.outgoing(command)?;
        let correlation_id = outgoing.correlation_id;
        let group = Outgoing {
            domain: domain.clone(),
            commands: vec![outgoing],
            batch,
            delay,
        };
        let outcome = self.database.driver().send(on, vec![group]).await?;
        let msg_ids = sent(outcome, &domain, batch)?;
        let msg_id = first(&msg_ids)?;
        tracing::info!(%domain, command_type, command_id = %id, msg_id, %correlation_id, "command sent");
        Ok(Sent {
            command_id: id,
            msg_id,
        })
    }

    pub(super) async fn send_chunks(
        &self,
        commands: Vec<Command>,
        chunk_size: usize,
    ) -> Result<SentBatch> {
        if chunk_size == 0 {
            return Err(Error::invalid("chunk_size", "must be at least 1"));
        }
        let mut sent = SentBatch {
            results: Vec::with_capacity(commands.len()),
            chunks_processed: 0,
            total_commands: 0,
        };
        let mut rest = commands.into_iter().peekable();
        while rest.peek().is_some() {
            let chunk: Vec<Command> = rest.by_ref().take(chunk_size).collect();
            let done = self
                .send_all(On::Own, chunk)
                .await
                .map_err(|error| error.committed_before(sent.total_commands))?;
            sent.total_commands += done.total_commands;
            sent.results.extend(done.results);
            sent.chunks_processed += 1;
        }
        Ok(sent)
    }

    /// Sends commands in one transaction, grouped by domain; results in the order of the requests.
    pub(super) async fn send_all(&self, on: On<'_>, commands: Vec<Command>) -> Result<SentBatch> {
        let total = commands.len();
        let mut results = vec![
            Sent {
                command_id: CommandId::from(uuid::Uuid::nil()),
                msg_id: 0
            };
            total
        ];
        if total == 0 {
            return Ok(SentBatch {
                results,
                chunks_processed: 0,
                total_commands: 0,
            });
        }
        let mut groups: Vec<(Outgoing, Vec<usize>)> = Vec::new();
        let mut seen: HashSet<(Domain, CommandId)> = HashSet::with_capacity(total);
        for (place, command) in commands.into_iter().enumerate() {
            let domain = command.check()?.domain;
            if command.batch_id.is_some() {
                return Err(Error::invalid(
                    "batch_id",
                    "send_batch adds to no batch: use send, or create_batch",
                ));
            }
            let delay = delay_seconds(&command)?;
            let id = command.command_id;
            if !seen.insert((domain.clone(), id)) {
                return Err(Error::duplicate(domain.as_str(), id));
            }
            let outgoing = self.outgoing(command)?;
            let found = groups
                .iter_mut()
                .find(|(group, _)| group.domain == domain && group.delay == delay);
            match found {
                Some((group, places)) => {
                    group.commands.push(outgoing);
                    places.push(place);
                }
                None => groups.push((
                    Outgoing {
                        domain,
                        commands: vec![outgoing],
                        batch: None,
                        delay,
                    },
                    vec![place],
                )),
            }
            if let Some(slot) = results.get_mut(place) {
                slot.command_id = id;
            }
        }
        // Groups lock in one order, whatever the order of the requests.
        groups.sort_by(|(a, _), (b, _)| (&a.domain, a.delay).cmp(&(&b.domain, b.delay)));
        let (groups, places): (Vec<Outgoing>, Vec<Vec<usize>>) = groups.into_iter().unzip();
        let outcome = self.database.driver().send(on, groups).await?;
        let SendOutcome::Sent(msg_ids) = outcome else {
            return Err(refusal(outcome, None, None));
        };
        for (place, msg_id) in places.into_iter().flatten().zip(msg_ids) {
            if let Some(slot) = results.get_mut(place) {
                slot.msg_id = msg_id;
            }
        }
        tracing::info!(commands = total, "commands sent");
        Ok(SentBatch {
            results,
            chunks_processed: 1,
            total_commands: total,
        })
    }

    pub(super) async fn create_batch_on(
        &self,
        on: On<'_>,
        batch: NewBatch,
    ) -> Result<CreatedBatch> {
        let NewBatch {
            domain,
            batch_id,
            name,
            custom_data,
            commands,
            on_complete,
        } = batch;
        let domain = Domain::new(domain)?;
        if commands.is_empty() {
            return Err(Error::batch(
                ErrorKind::EmptyBatch,
                domain.as_str(),
                batch_id,
            ));
        }
        let mut seen = HashSet::with_capacity(commands.len());
        let mut outgoing = Vec::with_capacity(commands.len());
        for command in commands {
            let mut command = command.0;
            domain.as_str().clone_into(&mut command.domain);
            command.check()?;
            if !seen.insert(command.command_id) {
                return Err(Error::duplicate(domain.as_str(), command.command_id));
            }
            outgoing.push(self.outgoing(command)?);
        }
        let ids: Vec<CommandId> = outgoing.iter().map(|command| command.id).collect();
        let total = u32::try_from(ids.len())
            .ok()
            .filter(|&total| i32::try_from(total).is_ok())
            .ok_or_else(|| Error::invalid("commands", "are more than a batch can count"))?;
        let row = NewBatchRow {
            domain: domain.clone(),
            id: batch_id,
            name,
            custom_data,
            batch_type: BatchType::Command,
            total,
        };
        let create = CreateBatch {
            row,
            commands: outgoing,
        };
        let outcome = self.database.driver().create_batch(on, create).await?;
        let msg_ids = sent(outcome, &domain, Some(batch_id))?;
        tracing::info!(%domain, %batch_id, commands = ids.len(), "batch created");
        if let Some(callback) = on_complete {
            self.database.watch_batch(domain, batch_id, callback);
        }
        let total_commands = ids.len();
        let results = ids
            .into_iter()
            .zip(msg_ids)
            .map(|(command_id, msg_id)| Sent { command_id, msg_id })
            .collect();
        Ok(CreatedBatch {
            batch_id,
            results,
            total_commands,
        })
    }

    pub(super) async fn withdraw(
        &self,
        domain: Domain,
        id: CommandId,
        reason: String,
    ) -> Result<()> {
        let driver = self.database.driver();
        let report = driver
            .cancel_pending(On::Own, domain.clone(), vec![id], reason, None)
            .await?;
        match report.results.first() {
            Some(Operated::Done(_)) => Ok(()),
            Some(Operated::WrongStatus(status)) => {
                Err(Error::not_pending(domain.as_str(), id, *status))
            }
            _ => Err(Error::command_not_found(Some(domain.as_str()), id)),
        }
    }

    pub(super) async fn refresh(&self, domain: Domain, id: BatchId) -> Result<Option<Batch>> {
        let stored = self
            .database
            .driver()
            .refresh_batch(domain.clone(), id)
            .await?;
        if stored.as_ref().is_some_and(|stored| stored.finished_now) {
            self.database.batches_finished(&domain, &[id]).await;
        }
        Ok(stored.map(|stored| stored.batch))
    }

    /// Makes what a driver sends of a checked command.
    fn outgoing(&self, command: Command) -> Result<OutgoingCommand> {
        let reply_to = command.check()?.reply_to;
        let correlation_id = command.correlation_id.unwrap_or_else(CorrelationId::random);
        Ok(OutgoingCommand {
            id: command.command_id,
            correlation_id,
            reply_to,
            max_attempts: command.max_attempts.unwrap_or(self.default_max_attempts),
            message: envelope::command(&command, correlation_id),
            command_type: command.command_type,
        })
    }
}

/// The ids of the messages, or why nothing was sent.
fn sent(outcome: SendOutcome, domain: &Domain, batch: Option<BatchId>) -> Result<Vec<i64>> {
    match outcome {
        SendOutcome::Sent(msg_ids) => Ok(msg_ids),
        refused => Err(refusal(refused, Some(domain), batch)),
    }
}

fn refusal(outcome: SendOutcome, domain: Option<&Domain>, batch: Option<BatchId>) -> Error {
    let name = domain.map_or("", Domain::as_str);
    let batch = batch.unwrap_or_else(|| BatchId::from(uuid::Uuid::nil()));
    match outcome {
        SendOutcome::Sent(_) => Error::encoding("a driver refused what it did"),
        SendOutcome::Duplicate(domain, id) => Error::duplicate(domain.as_str(), id),
        SendOutcome::QueueNotFound(queue) => Error::queue_not_found(&queue),
        SendOutcome::BatchNotFound => Error::batch(ErrorKind::BatchNotFound, name, batch),
        SendOutcome::BatchClosed(_) => Error::batch(ErrorKind::InvalidOperation, name, batch),
        SendOutcome::BatchExists => Error::batch(ErrorKind::BatchExists, name, batch),
    }
}

fn first(msg_ids: &[i64]) -> Result<i64> {
    msg_ids
        .first()
        .copied()
        .ok_or_else(|| Error::encoding("the database told no message id"))
}

/// The delay in whole seconds, rounded up.
fn delay_seconds(command: &Command) -> Result<u32> {
    let whole = command.delay.as_secs() + u64::from(command.delay.subsec_nanos() > 0);
    u32::try_from(whole)
        .ok()
        .filter(|&seconds| i32::try_from(seconds).is_ok())
        .ok_or_else(|| Error::invalid("delay", "is at most 2147483647 seconds"))
}
