//! Batches: G1-G5 and G7.

use std::sync::mpsc;
use std::time::Duration;

use commandbus::batch::{Batch, BatchCommand, BatchFilter, BatchStatus, NewBatch};
use commandbus::{Command, CommandId, ErrorKind};

use super::*;
use crate::place::Settled;

const PATIENCE: Duration = Duration::from_secs(30);

fn members(count: usize) -> (NewBatch, Vec<CommandId>) {
    let ids: Vec<CommandId> = (0..count).map(|_| CommandId::random()).collect();
    let commands = ids.iter().map(|&id| BatchCommand::new("Do", id));
    (NewBatch::new("orders").commands(commands), ids)
}

/// Completed, failed, cancelled, in troubleshooting.
fn counts(batch: &Batch) -> [u32; 4] {
    [
        batch.completed_count,
        batch.failed_count,
        batch.canceled_count,
        batch.in_troubleshooting_count,
    ]
}

scenario! {
    /// G1, G2, G3: the sequence of a batch of three: done, refused, cancelled by an operator.
    only(postgres) async fn g1_a_batch_runs_through_its_states(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let (new, ids) = members(3);
        let id = new.id();
        wait!(bus.create_batch(new)).unwrap();
        macro_rules! look {
            () => {
                wait!(bus.get_batch("orders", id)).unwrap().unwrap()
            };
        }
        assert_eq!(look!().status, BatchStatus::Pending);

        place.lease("orders");
        let batch = look!();
        assert_eq!((batch.status, counts(&batch)), (BatchStatus::InProgress, [0, 0, 0, 0]));
        assert!(batch.started_at.is_some());
        place.settle("orders", ids[0], Settled::Completed);
        assert_eq!(counts(&look!()), [1, 0, 0, 0]);
        place.settle("orders", ids[1], Settled::BusinessRule);
        assert_eq!(counts(&look!()), [1, 1, 0, 0]);
        place.settle("orders", ids[2], Settled::Permanent);
        let batch = look!();
        assert_eq!((batch.status, counts(&batch)), (BatchStatus::InProgress, [1, 1, 0, 1]));
        let refreshed = wait!(bus.refresh_batch("orders", id)).unwrap().unwrap();
        assert_eq!(refreshed, batch, "G7: a batch with a command in troubleshooting is not finished");
        wait!(queue.operator_cancel("orders", ids[2], "no")).unwrap();
        let batch = look!();
        assert_eq!((batch.status, counts(&batch)), (BatchStatus::CompletedWithFailures, [1, 1, 1, 0]));
        assert!(batch.completed_at >= batch.started_at);
        assert_eq!(place.events(id), ["BATCH_STARTED", "BATCH_COMPLETED"]);
        assert_eq!(place.details(id, "BATCH_STARTED"), serde_json::json!({"batch_id": id}));
        assert_eq!(
            place.details(id, "BATCH_COMPLETED"),
            serde_json::json!({
                "batch_id": id, "total_count": 3, "completed_count": 1, "failed_count": 1, "canceled_count": 1,
            })
        );
    }
}

scenario! {
    /// G2, G3: a retried command leaves the count and comes back; completions by hand finish the batch.
    only(postgres) async fn g3_completion_by_hand_finishes_a_batch(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let (new, ids) = members(2);
        let id = new.id();
        wait!(bus.create_batch(new)).unwrap();
        place.troubleshoot("orders", "BAD");
        assert_eq!(counts(&wait!(bus.get_batch("orders", id)).unwrap().unwrap()), [0, 0, 0, 2]);
        wait!(queue.operator_retry("orders", ids[0])).unwrap();
        assert_eq!(counts(&wait!(bus.get_batch("orders", id)).unwrap().unwrap()), [0, 0, 0, 1]);
        wait!(queue.operator_complete("orders", ids[1], None)).unwrap();
        place.lease("orders");
        place.settle("orders", ids[0], Settled::Completed);
        let batch = wait!(bus.get_batch("orders", id)).unwrap().unwrap();
        assert_eq!((batch.status, counts(&batch)), (BatchStatus::Completed, [2, 0, 0, 0]));
        assert_eq!(place.events(id), ["BATCH_STARTED", "BATCH_COMPLETED"]);
    }
}

scenario! {
    /// G4: the callback runs once, also when another program finished the last command.
    only(postgres) async fn g4_the_callback_runs_once_whoever_finished_the_batch(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let (told, news) = mpsc::channel();
        let mut batches = Vec::new();
        for _ in 0..2 {
            let told = told.clone();
            let (new, ids) = members(1);
            batches.push((new.id(), ids[0]));
            wait!(bus.create_batch(new.on_complete(move |batch| Ok(told.send(batch)?)))).unwrap();
        }
        drop(told);
        place.troubleshoot("orders", "BAD");
        // By this program, and then by the database behind its back.
        wait!(queue.operator_complete("orders", batches[0].1, None)).unwrap();
        let first = news.recv_timeout(PATIENCE).unwrap();
        assert_eq!((first.batch_id, first.status), (batches[0].0, BatchStatus::Completed));
        place.cancel_behind_the_back("orders", batches[1].1);
        let second = news.recv_timeout(PATIENCE).unwrap();
        assert_eq!((second.batch_id, second.status), (batches[1].0, BatchStatus::CompletedWithFailures));
        // All callbacks are used up and dropped, with what they captured.
        assert_eq!(news.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}

scenario! {
    /// G5: errors and panics of a callback disturb nothing.
    only(postgres) async fn g5_a_callback_may_fail_and_panic(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let (told, news) = mpsc::channel();
        for kind in ["error", "panic", "good"] {
            let told = told.clone();
            let (new, ids) = members(1);
            wait!(bus.create_batch(new.on_complete(move |_| {
                told.send(kind)?;
                match kind {
                    "error" => Err("on purpose".into()),
                    "panic" => panic!("on purpose"),
                    _ => Ok(()),
                }
            }))).unwrap();
            place.troubleshoot("orders", "BAD");
            wait!(queue.operator_complete("orders", ids[0], None)).unwrap();
            assert_eq!(news.recv_timeout(PATIENCE).unwrap(), kind);
        }
    }
}

scenario! {
    /// G4: waiting for a batch sees it finished, and says what is open when time is up.
    only(postgres) async fn g4_waiting_for_a_batch(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let error = wait!(bus.wait_for_batch("orders", commandbus::BatchId::random(), PATIENCE)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BatchNotFound);
        let (new, ids) = members(1);
        let id = new.id();
        wait!(bus.create_batch(new)).unwrap();
        let error = wait!(bus.wait_for_batch("orders", id, Duration::from_millis(50))).unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(error.to_string().contains("0 of 1"), "{error}");
        place.troubleshoot("orders", "BAD");
        let outcomes: Vec<Option<BatchStatus>> = race!(2, [bus, queue, ids], |n| {
            if n == 0 {
                Some(wait!(bus.wait_for_batch("orders", id, PATIENCE)).unwrap().status)
            } else {
                wait!(queue.operator_complete("orders", ids[0], None)).unwrap();
                None
            }
        });
        assert_eq!(outcomes, [Some(BatchStatus::Completed), None]);
    }
}

scenario! {
    /// G7: a refresh repairs counts and finishes a batch that is done; lists choose and page.
    only(postgres) async fn g7_a_refresh_counts_anew(place) {
        let database = wait!(open(&place));
        let bus = database.bus();
        let (new, ids) = members(2);
        let id = new.id();
        wait!(bus.create_batch(new.name("first"))).unwrap();
        let (second, _) = members(1);
        let second_id = second.id();
        wait!(bus.create_batch(second)).unwrap();
        place.change(&format!("update {{command}} set status = 'COMPLETED' where command_id = '{}'", ids[0]));
        let batch = wait!(bus.refresh_batch("orders", id)).unwrap().unwrap();
        assert_eq!((batch.status, counts(&batch)), (BatchStatus::InProgress, [1, 0, 0, 0]));
        place.change(&format!("update {{command}} set status = 'FAILED' where command_id = '{}'", ids[1]));
        let batch = wait!(bus.refresh_batch("orders", id)).unwrap().unwrap();
        assert_eq!((batch.status, counts(&batch)), (BatchStatus::CompletedWithFailures, [1, 1, 0, 0]));
        assert_eq!(wait!(bus.refresh_batch("orders", id)).unwrap().unwrap(), batch, "final states never change");
        assert_eq!(place.events(id), ["BATCH_STARTED", "BATCH_COMPLETED"]);
        assert_eq!(wait!(bus.refresh_batch("orders", commandbus::BatchId::random())).unwrap(), None);

        let listed = |batches: Vec<Batch>| batches.into_iter().map(|batch| batch.batch_id).collect::<Vec<_>>();
        let all = wait!(bus.list_batches("orders", BatchFilter::new())).unwrap();
        assert_eq!(listed(all), [second_id, id], "newest first");
        let pending = BatchFilter::new().status(BatchStatus::Pending);
        assert_eq!(listed(wait!(bus.list_batches("orders", pending)).unwrap()), [second_id]);
        let page = BatchFilter::new().limit(1).offset(1);
        assert_eq!(listed(wait!(bus.list_batches("orders", page)).unwrap()), [id]);
        assert!(wait!(bus.list_batches("billing", BatchFilter::new())).unwrap().is_empty());
        let more = Command::new("orders", "Do", CommandId::random()).batch_id(id);
        assert_eq!(wait!(bus.send(more)).unwrap_err().kind(), ErrorKind::InvalidOperation);
    }
}
