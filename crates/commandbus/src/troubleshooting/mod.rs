//! The troubleshooting queue: commands that wait for the decision of a person.
//!
//! A command comes here when it failed in a way that no further attempt mends, or when its attempts
//! are used up. It stays until an operator sends it again, cancels it, or completes it by other
//! means. Each action is one transaction that locks the command first: of two operators one wins, and
//! the other gets [`ErrorKind::InvalidOperation`](crate::ErrorKind::InvalidOperation).

use crate::database::Database;
use crate::error::{Error, Result};
use crate::ids::CommandId;
use crate::names::Domain;
use crate::payload::Payload;
use crate::storage::On;
use crate::storage::operate::{Action, Operated, Selection, TsqQuery};
use crate::transaction::TransactionRef;

mod bulk;
mod model;

pub use self::bulk::{OperatorOutcome, OperatorResult, Selected};
pub use self::model::{TroubleshootingFilter, TroubleshootingItem, TroubleshootingPage};

/// Looks at the commands in the troubleshooting queue, and decides about them.
///
/// It is made by [`Database::troubleshooting`], and cheap to clone.
#[derive(Clone, Debug)]
pub struct TroubleshootingQueue {
    database: Database,
    operator: Option<String>,
}

impl TroubleshootingQueue {
    pub(crate) fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            operator: None,
        }
    }
}

#[bifrons::dual(blocking = crate::blocking::TroubleshootingQueue)]
impl TroubleshootingQueue {
    /// Names the operator who acts, for the audit trail; none by default.
    #[must_use]
    pub fn with_operator(mut self, operator: impl Into<String>) -> Self {
        self.operator = Some(operator.into());
        self
    }

    /// Returns the items of a domain that a filter chooses, last updated first. A domain that does
    /// not exist has none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name that no domain
    /// can have, [`ErrorKind::SchemaMissing`](crate::ErrorKind::SchemaMissing),
    /// [`ErrorKind::Database`](crate::ErrorKind::Database).
    pub async fn list_troubleshooting(
        &self,
        domain: impl AsRef<str> + Send,
        filter: TroubleshootingFilter,
    ) -> Result<Vec<TroubleshootingItem>> {
        let query = filter.query(Some(Domain::new(domain)?));
        self.database.driver().tsq_list(query).await
    }

    /// Counts the items of a domain that a filter chooses; its limit and offset do not matter.
    ///
    /// # Errors
    ///
    /// As [`list_troubleshooting`](Self::list_troubleshooting).
    pub async fn count_troubleshooting(
        &self,
        domain: impl AsRef<str> + Send,
        filter: TroubleshootingFilter,
    ) -> Result<u64> {
        let selection = filter.query(Some(Domain::new(domain)?)).selection;
        self.database.driver().tsq_count(selection).await
    }

    /// Returns the item of a command.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CommandNotFound`](crate::ErrorKind::CommandNotFound) if there is no such
    /// command, [`ErrorKind::InvalidOperation`](crate::ErrorKind::InvalidOperation) if it is not in
    /// the troubleshooting queue.
    pub async fn get_item(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
    ) -> Result<TroubleshootingItem> {
        self.item(Domain::new(domain)?, id.into()).await
    }

    /// Returns the domains that have items, sorted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SchemaMissing`](crate::ErrorKind::SchemaMissing),
    /// [`ErrorKind::Database`](crate::ErrorKind::Database).
    pub async fn list_domains(&self) -> Result<Vec<String>> {
        self.database.driver().tsq_domains().await
    }

    /// Returns a page of the items of all domains, or of one, with the number and the ids of all
    /// items that the filter chooses.
    ///
    /// # Errors
    ///
    /// As [`list_troubleshooting`](Self::list_troubleshooting).
    pub async fn list_all_troubleshooting(
        &self,
        domain: Option<&str>,
        filter: TroubleshootingFilter,
    ) -> Result<TroubleshootingPage> {
        let query = filter.query(domain.map(Domain::new).transpose()?);
        let driver = self.database.driver();
        let ids = driver.tsq_ids(query.selection.clone(), None).await?;
        let items = driver.tsq_list(query).await?;
        let ids: Vec<CommandId> = ids.into_iter().map(|(_, id)| id).collect();
        Ok(TroubleshootingPage {
            items,
            total: ids.len(),
            ids,
        })
    }

    /// Returns the ids of the items of all domains, or of one, newest created first.
    ///
    /// # Errors
    ///
    /// As [`list_troubleshooting`](Self::list_troubleshooting).
    pub async fn list_command_ids(&self, domain: Option<&str>) -> Result<Vec<CommandId>> {
        let domain = domain.map(Domain::new).transpose()?;
        let selection = Selection {
            domain,
            ..Selection::default()
        };
        let ids = self.database.driver().tsq_ids(selection, None).await?;
        Ok(ids.into_iter().map(|(_, id)| id).collect())
    }

    /// Returns the domain of a command. Of several domains that know its id, that one is returned in
    /// which it waits for an operator, and else the first by name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CommandNotFound`](crate::ErrorKind::CommandNotFound).
    pub async fn get_command_domain(&self, id: impl Into<CommandId> + Send) -> Result<String> {
        self.domain_of(id.into()).await
    }

    /// Sends a command again, with no attempts counted; returns the id of its new message.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CommandNotFound`](crate::ErrorKind::CommandNotFound);
    /// [`ErrorKind::InvalidOperation`](crate::ErrorKind::InvalidOperation) if it is not in the
    /// troubleshooting queue, or the archive has no message to send again.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the action may or may not take effect, as a whole.
    pub async fn operator_retry(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
    ) -> Result<i64> {
        let (domain, id) = (Domain::new(domain)?, id.into());
        let new = self.act(On::Own, domain, id, Action::Retry).await?;
        new.ok_or_else(|| Error::encoding("the database told no message id"))
    }

    /// Cancels a command; its sender gets a reply with the reason.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CommandNotFound`](crate::ErrorKind::CommandNotFound);
    /// [`ErrorKind::InvalidOperation`](crate::ErrorKind::InvalidOperation) if it is not in the
    /// troubleshooting queue; [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for
    /// an empty reason.
    ///
    /// # Cancel safety
    ///
    /// As [`operator_retry`](Self::operator_retry).
    pub async fn operator_cancel(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
        reason: impl Into<String> + Send,
    ) -> Result<()> {
        let (domain, id, action) = (Domain::new(domain)?, id.into(), cancel(reason.into())?);
        self.act(On::Own, domain, id, action).await.map(drop)
    }

    /// Completes a command that was done by other means; its sender gets a reply with the result.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CommandNotFound`](crate::ErrorKind::CommandNotFound);
    /// [`ErrorKind::InvalidOperation`](crate::ErrorKind::InvalidOperation) if it is not in the
    /// troubleshooting queue.
    ///
    /// # Cancel safety
    ///
    /// As [`operator_retry`](Self::operator_retry).
    pub async fn operator_complete(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
        result: Option<Payload>,
    ) -> Result<()> {
        let (domain, id) = (Domain::new(domain)?, id.into());
        self.act(On::Own, domain, id, Action::Complete { result })
            .await
            .map(drop)
    }

    /// Sends a command again inside a transaction of the caller. A refusal leaves the transaction
    /// usable.
    ///
    /// # Errors
    ///
    /// As [`operator_retry`](Self::operator_retry).
    pub async fn operator_retry_in<'t>(
        &self,
        transaction: impl Into<TransactionRef<'t>> + Send,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
    ) -> Result<i64> {
        let transaction: TransactionRef<'_> = transaction.into();
        let (domain, id) = (Domain::new(domain)?, id.into());
        let new = self
            .act(transaction.on()?, domain, id, Action::Retry)
            .await?;
        new.ok_or_else(|| Error::encoding("the database told no message id"))
    }

    /// Cancels a command inside a transaction of the caller. If that finishes a batch, callbacks
    /// given to this process learn of it by looking, within seconds of the commit.
    ///
    /// # Errors
    ///
    /// As [`operator_cancel`](Self::operator_cancel).
    pub async fn operator_cancel_in<'t>(
        &self,
        transaction: impl Into<TransactionRef<'t>> + Send,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
        reason: impl Into<String> + Send,
    ) -> Result<()> {
        let transaction: TransactionRef<'_> = transaction.into();
        let (domain, id, action) = (Domain::new(domain)?, id.into(), cancel(reason.into())?);
        self.act(transaction.on()?, domain, id, action)
            .await
            .map(drop)
    }

    /// Completes a command inside a transaction of the caller. If that finishes a batch, callbacks
    /// given to this process learn of it by looking, within seconds of the commit.
    ///
    /// # Errors
    ///
    /// As [`operator_complete`](Self::operator_complete).
    pub async fn operator_complete_in<'t>(
        &self,
        transaction: impl Into<TransactionRef<'t>> + Send,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
        result: Option<Payload>,
    ) -> Result<()> {
        let transaction: TransactionRef<'_> = transaction.into();
        let (domain, id) = (Domain::new(domain)?, id.into());
        self.act(transaction.on()?, domain, id, Action::Complete { result })
            .await
            .map(drop)
    }

    /// Sends commands again: those of a list, or those that a filter chooses.
    ///
    /// One transaction takes a hundred of them; each command has a result of its own, in the order
    /// of the list, or newest first for a filter. A command that somebody else decides meanwhile is
    /// reported and disturbs no other.
    ///
    /// # Errors
    ///
    /// Errors of the selection itself: [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument),
    /// [`ErrorKind::Database`](crate::ErrorKind::Database) if it cannot be read. What fails later is
    /// in the results.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, some of the commands are decided and others are not.
    pub async fn retry_many(&self, selected: Selected) -> Result<Vec<OperatorResult>> {
        self.act_on_many(selected, Action::Retry).await
    }

    /// Cancels commands: those of a list, or those that a filter chooses.
    ///
    /// # Errors
    ///
    /// As [`retry_many`](Self::retry_many).
    pub async fn cancel_many(
        &self,
        selected: Selected,
        reason: impl Into<String> + Send,
    ) -> Result<Vec<OperatorResult>> {
        let action = cancel(reason.into())?;
        self.act_on_many(selected, action).await
    }

    /// Completes commands with one result: those of a list, or those that a filter chooses.
    ///
    /// # Errors
    ///
    /// As [`retry_many`](Self::retry_many).
    pub async fn complete_many(
        &self,
        selected: Selected,
        result: Option<Payload>,
    ) -> Result<Vec<OperatorResult>> {
        self.act_on_many(selected, Action::Complete { result })
            .await
    }
}

impl TroubleshootingQueue {
    /// Decides about one command.
    async fn act(
        &self,
        on: On<'_>,
        domain: Domain,
        id: CommandId,
        action: Action,
    ) -> Result<Option<i64>> {
        let is_own = on.is_own();
        let name = action.name();
        let report = self
            .database
            .driver()
            .operate(on, domain.clone(), vec![id], self.operation(action))
            .await?;
        if is_own {
            self.database
                .batches_finished(&domain, &report.finished_batches)
                .await;
        }
        let outcome = report
            .results
            .first()
            .copied()
            .unwrap_or(Operated::NotFound);
        if let Operated::Done(msg_id) = outcome {
            let operator = self.operator.as_deref();
            tracing::info!(%domain, command_id = %id, action = name, operator, msg_id, "operator decided");
        }
        bulk::check(&domain, id, outcome)
    }

    async fn item(&self, domain: Domain, id: CommandId) -> Result<TroubleshootingItem> {
        let driver = self.database.driver();
        let found = driver.command(On::Own, domain.clone(), id).await?;
        let record = found.ok_or_else(|| Error::command_not_found(Some(domain.as_str()), id))?;
        let selection = Selection {
            domain: Some(domain.clone()),
            id: Some(id),
            ..Selection::default()
        };
        let query = TsqQuery {
            selection,
            limit: 1,
            offset: 0,
        };
        let item = driver.tsq_list(query).await?.into_iter().next();
        item.ok_or_else(|| Error::wrong_status(domain.as_str(), id, record.status))
    }

    async fn domain_of(&self, id: CommandId) -> Result<String> {
        let driver = self.database.driver();
        let domains = driver.command_domains(id).await?;
        if domains.len() > 1 {
            let selection = Selection {
                id: Some(id),
                ..Selection::default()
            };
            if let Some((domain, _)) = driver.tsq_ids(selection, Some(1)).await?.into_iter().next()
            {
                return Ok(domain);
            }
        }
        domains
            .into_iter()
            .next()
            .ok_or_else(|| Error::command_not_found(None, id))
    }
}

fn cancel(reason: String) -> Result<Action> {
    if reason.trim().is_empty() {
        return Err(Error::invalid("reason", "must not be empty"));
    }
    Ok(Action::Cancel { reason })
}
