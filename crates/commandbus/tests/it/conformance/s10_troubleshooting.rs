//! The troubleshooting queue: T1-T8.

use commandbus::troubleshooting::{
    OperatorOutcome, OperatorResult, Selected, TroubleshootingFilter, TroubleshootingItem,
};
use commandbus::{Command, CommandId, CommandStatus, ErrorKind, Payload};
use serde_json::{Value, json};

use super::*;

fn filter() -> TroubleshootingFilter {
    TroubleshootingFilter::new()
}

fn ids(items: &[TroubleshootingItem]) -> Vec<CommandId> {
    items.iter().map(|item| item.command_id).collect()
}

/// The outcomes as words.
fn words(results: &[OperatorResult]) -> Vec<&'static str> {
    results
        .iter()
        .map(|result| match &result.outcome {
            OperatorOutcome::Done(_) => "done",
            OperatorOutcome::NotFound => "not found",
            OperatorOutcome::WrongStatus(_) => "wrong status",
            OperatorOutcome::NoPayload => "no payload",
            _ => "failed",
        })
        .collect()
}

scenario! {
    /// T1: items are listed with all that is known of them, filtered, counted and paged.
    only(postgres) async fn t1_items_are_listed_filtered_counted_and_paged(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        assert!(wait!(queue.list_troubleshooting("nowhere", filter())).unwrap().is_empty());
        assert!(wait!(queue.list_domains()).unwrap().is_empty());
        let mut sent = Vec::new();
        for n in 0..3 {
            let id = CommandId::random();
            let command = Command::new("orders", if n == 2 { "Pack" } else { "Ship" }, id)
                .data(json!({"n": n})).reply_to("orders__replies");
            wait!(bus.send(command)).unwrap();
            place.troubleshoot("orders", if n == 0 { "FIRST" } else { "LATER" });
            sent.push(id);
        }
        let other = CommandId::random();
        wait!(bus.send(Command::new("billing", "Charge", other))).unwrap();
        place.troubleshoot("billing", "LATER");
        wait!(bus.send(Command::new("orders", "Ship", CommandId::random()))).unwrap();

        let all = wait!(queue.list_troubleshooting("orders", filter())).unwrap();
        assert_eq!(ids(&all), [sent[2], sent[1], sent[0]], "last updated first");
        let first = &all[2];
        let record = wait!(bus.get_command("orders", sent[0])).unwrap().unwrap();
        assert_eq!((first.domain.as_str(), first.command_type.as_str()), ("orders", "Ship"));
        assert_eq!((first.attempts, first.max_attempts), (1, 3));
        assert_eq!(first.last_error_type.as_deref(), Some("PERMANENT"));
        assert_eq!(first.last_error_code.as_deref(), Some("FIRST"));
        assert_eq!(first.last_error_msg, record.last_error_msg);
        assert_eq!(first.correlation_id, record.correlation_id);
        assert_eq!(first.reply_to.as_deref(), Some("orders__replies"));
        assert_eq!((first.created_at, first.updated_at), (record.created_at, record.updated_at));
        let payload = first.payload.as_ref().unwrap().to_value();
        assert_eq!((&payload["data"], &payload["command_id"]), (&json!({"n": 0}), &json!(sent[0])));

        let typed = filter().command_type("Pack");
        assert_eq!(ids(&wait!(queue.list_troubleshooting("orders", typed.clone())).unwrap()), [sent[2]]);
        assert_eq!(wait!(queue.count_troubleshooting("orders", typed)).unwrap(), 1);
        let coded = filter().error_code("LATER");
        assert_eq!(wait!(queue.count_troubleshooting("orders", coded)).unwrap(), 2);
        assert_eq!(wait!(queue.count_troubleshooting("orders", filter())).unwrap(), 3);
        let old = filter().updated_before(all[1].updated_at);
        assert_eq!(ids(&wait!(queue.list_troubleshooting("orders", old)).unwrap()), [sent[1], sent[0]]);
        let page = filter().limit(1).offset(1);
        assert_eq!(ids(&wait!(queue.list_troubleshooting("orders", page.clone())).unwrap()), [sent[1]]);

        assert_eq!(wait!(queue.list_domains()).unwrap(), ["billing", "orders"]);
        let whole = wait!(queue.list_all_troubleshooting(None, filter().limit(2))).unwrap();
        assert_eq!((whole.total, ids(&whole.items)), (4, vec![other, sent[2]]));
        assert_eq!(whole.ids, [other, sent[2], sent[1], sent[0]]);
        let one = wait!(queue.list_all_troubleshooting(Some("orders"), page)).unwrap();
        assert_eq!((one.total, ids(&one.items)), (3, vec![sent[1]]));
        assert_eq!(wait!(queue.list_command_ids(Some("billing"))).unwrap(), [other]);
        assert_eq!(wait!(queue.list_command_ids(None)).unwrap().len(), 4);
        assert_eq!(wait!(queue.get_command_domain(other)).unwrap(), "billing");
        assert_eq!(wait!(queue.get_item("orders", sent[0])).unwrap(), *first);
    }
}

scenario! {
    /// T2: a retry sends the archived envelope again and starts counting anew; every column.
    only(postgres) async fn t2_a_retry_sends_the_envelope_again(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting().with_operator("ada"));
        let id = CommandId::random();
        let data = Payload::from_json(r#"{"n": 12345678901234567890.25}"#).unwrap();
        let command = Command::new("orders", "Ship", id).data(data).reply_to("orders__replies").max_attempts(2);
        let sent = wait!(bus.send(command)).unwrap();
        let envelope = place.queue("orders__commands")[0]["message"].clone();
        place.troubleshoot("orders", "BAD");
        let before = wait!(bus.get_command("orders", id)).unwrap().unwrap();
        let new = wait!(queue.operator_retry("orders", id)).unwrap();
        assert_ne!(new, sent.msg_id);
        let after = wait!(bus.get_command("orders", id)).unwrap().unwrap();
        assert!(after.updated_at > before.updated_at);
        let mut expected = before;
        expected.status = CommandStatus::Pending;
        expected.attempts = 0;
        expected.msg_id = Some(new);
        expected.last_error_type = None;
        expected.last_error_code = None;
        expected.last_error_msg = None;
        expected.updated_at = after.updated_at;
        assert_eq!(after, expected);
        let live = place.queue("orders__commands");
        assert_eq!((live.len(), &live[0]["msg_id"], &live[0]["message"]), (1, &json!(new), &envelope));
        assert_eq!(live[0]["visible"], true);
        assert!(place.raw_queue("orders__commands").contains("12345678901234567890.25"));
        assert_eq!(place.archive("orders__commands")[0]["msg_id"], sent.msg_id, "the archive keeps the old message");
        assert!(place.queue("orders__replies").is_empty());
        assert_eq!(place.details(id, "OPERATOR_RETRY"), json!({"operator": "ada", "new_msg_id": new}));
    }
}

scenario! {
    /// T3, T8: a cancelled command keeps its error, and its sender is told why.
    only(postgres) async fn t3_a_cancel_is_final_and_answered(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let id = CommandId::random();
        wait!(bus.send(Command::new("orders", "Ship", id).reply_to("orders__replies"))).unwrap();
        place.troubleshoot("orders", "BAD");
        let before = wait!(bus.get_command("orders", id)).unwrap().unwrap();
        let error = wait!(queue.operator_cancel("orders", id, " ")).unwrap_err();
        assert_eq!(error.argument(), Some("reason"));
        wait!(queue.with_operator("bob").operator_cancel("orders", id, "gone")).unwrap();
        let after = wait!(bus.get_command("orders", id)).unwrap().unwrap();
        let mut expected = before.clone();
        expected.status = CommandStatus::Canceled;
        expected.updated_at = after.updated_at;
        assert_eq!(after, expected);
        assert_eq!(
            place.queue("orders__replies")[0]["message"],
            json!({
                "command_id": id, "correlation_id": before.correlation_id, "outcome": "CANCELED", "reason": "gone",
            })
        );
        assert_eq!(
            place.details(id, "OPERATOR_CANCEL"),
            json!({"operator": "bob", "reason": "gone", "reply_to": "orders__replies"})
        );
        assert!(place.queue("orders__commands").is_empty());
    }
}

scenario! {
    /// T4, T8: a completed command is answered with the operator's result, or none.
    only(postgres) async fn t4_a_completion_is_answered_with_the_result(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let (one, two) = (CommandId::random(), CommandId::random());
        for id in [one, two] {
            wait!(bus.send(Command::new("orders", "Ship", id).reply_to("orders__replies"))).unwrap();
        }
        place.troubleshoot("orders", "BAD");
        wait!(queue.operator_complete("orders", one, Some(json!({"by": "hand"}).into()))).unwrap();
        wait!(queue.operator_complete("orders", two, None)).unwrap();
        let replies = place.queue("orders__replies");
        for (reply, (id, result)) in replies.iter().zip([(one, json!({"by": "hand"})), (two, Value::Null)]) {
            let record = wait!(bus.get_command("orders", id)).unwrap().unwrap();
            assert_eq!((record.status, record.attempts), (CommandStatus::Completed, 1));
            assert_eq!(record.last_error_code.as_deref(), Some("BAD"));
            assert_eq!(
                reply["message"],
                json!({
                    "command_id": id, "correlation_id": record.correlation_id, "outcome": "SUCCESS", "result": result,
                })
            );
            assert_eq!(
                place.details(id, "OPERATOR_COMPLETE"),
                json!({"operator": null, "has_result_data": id == one, "reply_to": "orders__replies"})
            );
        }
        assert_eq!(replies.len(), 2);
    }
}

scenario! {
    /// T5: what is not in the queue is refused with its status, and nothing is written.
    only(postgres) async fn t5_wrong_statuses_and_unknown_ids_are_refused(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let id = CommandId::random();
        wait!(bus.send(Command::new("orders", "Ship", id))).unwrap();
        for status in [
            CommandStatus::Pending, CommandStatus::InProgress, CommandStatus::Completed, CommandStatus::Failed,
            CommandStatus::Canceled,
        ] {
            place.change(&format!("update {{command}} set status = '{status}'"));
            let errors = [
                wait!(queue.operator_retry("orders", id)).unwrap_err(),
                wait!(queue.operator_cancel("orders", id, "x")).unwrap_err(),
                wait!(queue.operator_complete("orders", id, None)).unwrap_err(),
                wait!(queue.get_item("orders", id)).unwrap_err(),
            ];
            for error in errors {
                assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidOperation, Some(status)));
                assert!(error.to_string().contains(status.as_str()), "{error}");
            }
        }
        let unknown = CommandId::random();
        for error in [
            wait!(queue.operator_retry("orders", unknown)).unwrap_err(),
            wait!(queue.operator_cancel("billing", id, "x")).unwrap_err(),
            wait!(queue.get_item("orders", unknown)).unwrap_err(),
            wait!(queue.get_command_domain(unknown)).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::CommandNotFound);
        }
        assert_eq!(place.events(id), ["SENT"]);
        assert_eq!(place.queue("orders__commands").len(), 1);
    }
}

scenario! {
    /// T6: of operators who act at the same moment one wins; the command is sent once.
    only(postgres) async fn t6_of_many_operators_one_wins(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        for round in 0..5 {
            let id = CommandId::random();
            wait!(bus.send(Command::new("orders", "Ship", id).reply_to("orders__replies"))).unwrap();
            place.troubleshoot("orders", "BAD");
            let outcomes: Vec<Result<(), commandbus::Error>> = race!(8, [queue], |n| {
                match n % 3 {
                    0 => wait!(queue.operator_cancel("orders", id, "x")),
                    1 => wait!(queue.operator_complete("orders", id, None)),
                    _ => wait!(queue.operator_retry("orders", id)).map(drop),
                }
            });
            let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
            assert_eq!(refused.len(), 7);
            assert!(refused.iter().all(|error| error.kind() == ErrorKind::InvalidOperation));
            let messages = place.queue("orders__commands").len() + place.queue("orders__replies").len();
            assert_eq!(messages, round + 1);
            if place.queue("orders__commands").len() == 1 {
                // Taken away, so that the next round counts its own.
                place.troubleshoot("orders", "BAD");
                wait!(queue.operator_complete("orders", id, None)).unwrap();
            }
            assert_eq!(place.queue("orders__replies").len(), round + 1);
        }
    }
}

scenario! {
    /// T7: actions on many report each command, and one does not disturb another.
    only(postgres) async fn t7_actions_on_many_report_each_command(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let mut sent = Vec::new();
        for n in 0..250 {
            let domain = if n % 2 == 0 { "orders" } else { "billing" };
            let id = CommandId::random();
            sent.push((domain, id));
            wait!(bus.send(Command::new(domain, if n < 10 { "Ship" } else { "Pack" }, id))).unwrap();
        }
        place.troubleshoot("orders", "BAD");
        place.troubleshoot("billing", "WORSE");
        let pending = CommandId::random();
        wait!(bus.send(Command::new("orders", "Ship", pending))).unwrap();
        let unknown = CommandId::random();

        let some = [sent[0].1, unknown, pending, sent[2].1, sent[0].1];
        let results = wait!(queue.retry_many(Selected::ids("orders", some))).unwrap();
        assert_eq!(words(&results), ["done", "not found", "wrong status", "done", "wrong status"]);
        assert_eq!(results.iter().map(|result| result.command_id).collect::<Vec<_>>(), some);
        assert!(matches!(results[0].outcome, OperatorOutcome::Done(Some(_))));

        let ships = filter().command_type("Ship").limit(3);
        let results = wait!(queue.cancel_many(Selected::filter("orders", ships), "season is over")).unwrap();
        assert_eq!(words(&results), ["done"; 3]);
        assert_eq!(results[0].command_id, sent[8].1, "newest first");
        assert_eq!(wait!(queue.count_troubleshooting("orders", filter())).unwrap(), 120);

        let bad = Selected::filter_all(filter().error_code("WORSE").limit(1000));
        let results = wait!(queue.complete_many(bad, Some(json!({}).into()))).unwrap();
        assert_eq!(results.len(), 125);
        assert!(results.iter().all(|result| result.domain == "billing" && result.outcome.is_done()));
        assert_eq!(wait!(queue.list_domains()).unwrap(), ["orders"]);
        assert!(wait!(queue.retry_many(Selected::ids("orders", []))).unwrap().is_empty());
    }
}

scenario! {
    /// T8: the payload is found by message id, or else by the id of the command; without one a retry is refused.
    only(postgres) async fn t8_payloads_are_found_where_they_are(place) {
        let database = wait!(open(&place));
        let (bus, queue) = (database.bus(), database.troubleshooting());
        let id = CommandId::random();
        wait!(bus.send(Command::new("orders", "Ship", id).data(json!({"n": 7})))).unwrap();
        place.troubleshoot("orders", "BAD");
        place.change("update {command} set msg_id = 99");
        assert_eq!(wait!(queue.get_item("orders", id)).unwrap().payload, None, "a listing does not search");
        let mut transaction = wait!(database.begin()).unwrap();
        wait!(queue.operator_retry_in(&mut transaction, "orders", id)).unwrap();
        wait!(transaction.rollback()).unwrap();
        assert!(place.queue("orders__commands").is_empty());
        wait!(queue.operator_retry("orders", id)).unwrap();
        assert_eq!(place.queue("orders__commands")[0]["message"]["data"], json!({"n": 7}));

        let lost = CommandId::random();
        wait!(bus.send(Command::new("billing", "Charge", lost))).unwrap();
        place.troubleshoot("billing", "BAD");
        place.clear_archive("billing__commands");
        let error = wait!(queue.operator_retry("billing", lost)).unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidOperation, None));
        let results = wait!(queue.retry_many(Selected::ids("billing", [lost]))).unwrap();
        assert_eq!(words(&results), ["no payload"]);
        let record = wait!(bus.get_command("billing", lost)).unwrap().unwrap();
        assert_eq!(record.status, CommandStatus::InTroubleshootingQueue);
    }
}
