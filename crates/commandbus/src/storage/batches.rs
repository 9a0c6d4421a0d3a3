//! Arguments and results of batches.

use crate::batch::{Batch, BatchStatus, BatchType};
use crate::command::CommandStatus;
use crate::ids::BatchId;
use crate::names::Domain;
use crate::payload::Payload;

/// The row of a new batch.
#[derive(Clone, Debug)]
pub(crate) struct NewBatchRow {
    pub(crate) domain: Domain,
    pub(crate) id: BatchId,
    pub(crate) name: Option<String>,
    pub(crate) custom_data: Option<Payload>,
    pub(crate) batch_type: BatchType,
    pub(crate) total: u32,
}

/// A batch, and whether the call that returned it finished it.
#[derive(Clone, Debug)]
pub(crate) struct StoredBatch {
    pub(crate) batch: Batch,
    pub(crate) finished_now: bool,
}

/// Which batches to list.
#[derive(Clone, Debug)]
pub(crate) struct BatchQuery {
    pub(crate) domain: Domain,
    pub(crate) status: Option<BatchStatus>,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}

/// Which members of a batch to list.
#[derive(Clone, Debug)]
pub(crate) struct MemberQuery {
    pub(crate) domain: Domain,
    pub(crate) id: BatchId,
    pub(crate) status: Option<CommandStatus>,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}
