//! Operator actions on many commands.

use crate::command::CommandStatus;
use crate::error::{Error, Result};
use crate::ids::CommandId;
use crate::names::Domain;
use crate::storage::On;
use crate::storage::operate::{Action, Operated, Operation};
use crate::troubleshooting::{TroubleshootingFilter, TroubleshootingQueue};

/// How many commands share a transaction.
const CHUNK: usize = 100;
/// How many commands one call takes at most.
const MOST: usize = 100_000;

/// Chooses the commands of an action on many.
#[derive(Clone, Debug)]
pub struct Selected(Choice);

#[derive(Clone, Debug)]
enum Choice {
    Ids {
        domain: String,
        ids: Vec<CommandId>,
    },
    Filter {
        domain: Option<String>,
        filter: TroubleshootingFilter,
    },
}

impl Selected {
    /// Chooses commands of one domain by their ids, at most 100,000.
    pub fn ids(domain: impl Into<String>, ids: impl IntoIterator<Item = CommandId>) -> Self {
        Self(Choice::Ids {
            domain: domain.into(),
            ids: ids.into_iter().collect(),
        })
    }

    /// Chooses what a filter chooses in one domain, newest created first, up to its limit.
    pub fn filter(domain: impl Into<String>, filter: TroubleshootingFilter) -> Self {
        Self(Choice::Filter {
            domain: Some(domain.into()),
            filter,
        })
    }

    /// Chooses what a filter chooses in all domains, newest created first, up to its limit.
    pub fn filter_all(filter: TroubleshootingFilter) -> Self {
        Self(Choice::Filter {
            domain: None,
            filter,
        })
    }
}

/// What an action on many did to one command.
#[derive(Debug)]
#[non_exhaustive]
pub struct OperatorResult {
    /// The domain.
    pub domain: String,
    /// The command.
    pub command_id: CommandId,
    /// What became of it.
    pub outcome: OperatorOutcome,
}

/// What became of a command.
#[derive(Debug)]
#[non_exhaustive]
pub enum OperatorOutcome {
    /// The action took effect; the new message id of a retry.
    Done(Option<i64>),
    /// There is no such command.
    NotFound,
    /// The command is not in the troubleshooting queue.
    WrongStatus(CommandStatus),
    /// The archive has no message to send again.
    NoPayload,
    /// The database failed.
    Failed(Error),
}

impl OperatorOutcome {
    /// Returns true if the action took effect.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

impl From<Operated> for OperatorOutcome {
    fn from(operated: Operated) -> Self {
        match operated {
            Operated::Done(msg_id) => Self::Done(msg_id),
            Operated::NotFound => Self::NotFound,
            Operated::WrongStatus(status) => Self::WrongStatus(status),
            Operated::NoPayload => Self::NoPayload,
        }
    }
}

impl TroubleshootingQueue {
    pub(super) fn operation(&self, action: Action) -> Operation {
        Operation {
            action,
            operator: self.operator.clone(),
        }
    }

    pub(super) async fn act_on_many(
        &self,
        selected: Selected,
        action: Action,
    ) -> Result<Vec<OperatorResult>> {
        let chosen = self.choose(selected).await?;
        let mut results: Vec<Option<OperatorOutcome>> = Vec::new();
        results.resize_with(chosen.len(), || None);
        // Places of the results by domain, in the order they came.
        let mut domains: Vec<(&Domain, Vec<usize>)> = Vec::new();
        for (place, (domain, _)) in chosen.iter().enumerate() {
            match domains.iter_mut().find(|(known, _)| *known == domain) {
                Some((_, places)) => places.push(place),
                None => domains.push((domain, vec![place])),
            }
        }
        for (domain, places) in domains {
            for places in places.chunks(CHUNK) {
                let ids: Vec<CommandId> = places
                    .iter()
                    .filter_map(|&place| chosen.get(place))
                    .map(|(_, id)| *id)
                    .collect();
                let outcomes = self.act_on_chunk(domain, &ids, &action).await;
                for (&place, outcome) in places.iter().zip(outcomes) {
                    if let Some(slot) = results.get_mut(place) {
                        *slot = Some(outcome);
                    }
                }
            }
        }
        let done = results
            .iter()
            .flatten()
            .filter(|outcome| outcome.is_done())
            .count();
        let operator = self.operator.as_deref();
        tracing::info!(
            action = action.name(),
            operator,
            chosen = chosen.len(),
            done,
            "operator decided about many"
        );
        Ok(chosen
            .into_iter()
            .zip(results)
            .map(|((domain, command_id), outcome)| OperatorResult {
                domain: domain.as_str().to_owned(),
                command_id,
                outcome: outcome.unwrap_or(OperatorOutcome::NotFound),
            })
            .collect())
    }

    async fn choose(&self, selected: Selected) -> Result<Vec<(Domain, CommandId)>> {
        match selected.0 {
            Choice::Ids { domain, ids } => {
                if ids.len() > MOST {
                    return Err(Error::invalid(
                        "ids",
                        format_args!("are at most {MOST} for one call"),
                    ));
                }
                let domain = Domain::new(domain)?;
                Ok(ids.into_iter().map(|id| (domain.clone(), id)).collect())
            }
            Choice::Filter { domain, filter } => {
                let query = filter.query(domain.map(Domain::new).transpose()?);
                let ids = self
                    .database
                    .driver()
                    .tsq_ids(query.selection, Some(query.limit))
                    .await?;
                ids.into_iter()
                    .map(|(domain, id)| Ok((Domain::new(domain)?, id)))
                    .collect()
            }
        }
    }

    /// Decides about commands of one domain in one transaction; if that fails as a whole, in one for
    /// each, so that one that cannot be decided does not keep the others from it.
    async fn act_on_chunk(
        &self,
        domain: &Domain,
        ids: &[CommandId],
        action: &Action,
    ) -> Vec<OperatorOutcome> {
        match self.act_together(domain, ids.to_vec(), action).await {
            Ok(outcomes) => outcomes,
            Err(error) if ids.len() == 1 => vec![OperatorOutcome::Failed(error)],
            Err(error) => {
                tracing::warn!(%domain, %error, "an operator action on many failed and is done one by one");
                let mut outcomes = Vec::with_capacity(ids.len());
                for &id in ids {
                    outcomes.push(match self.act_together(domain, vec![id], action).await {
                        Ok(mut outcome) => outcome.pop().unwrap_or(OperatorOutcome::NotFound),
                        Err(error) => OperatorOutcome::Failed(error),
                    });
                }
                outcomes
            }
        }
    }

    async fn act_together(
        &self,
        domain: &Domain,
        ids: Vec<CommandId>,
        action: &Action,
    ) -> Result<Vec<OperatorOutcome>> {
        let operation = self.operation(action.clone());
        let driver = self.database.driver();
        let report = driver
            .operate(On::Own, domain.clone(), ids, operation)
            .await?;
        self.database
            .batches_finished(domain, &report.finished_batches)
            .await;
        Ok(report
            .results
            .into_iter()
            .map(OperatorOutcome::from)
            .collect())
    }
}

/// The result of an action on one command.
pub(super) fn check(domain: &Domain, id: CommandId, outcome: Operated) -> Result<Option<i64>> {
    match outcome {
        Operated::Done(msg_id) => Ok(msg_id),
        Operated::NotFound => Err(Error::command_not_found(Some(domain.as_str()), id)),
        Operated::WrongStatus(status) => Err(Error::wrong_status(domain.as_str(), id, status)),
        Operated::NoPayload => Err(Error::invalid_operation(format!(
            "command {id} of domain {domain} cannot be sent again: the archive has no message of it"
        ))),
    }
}
