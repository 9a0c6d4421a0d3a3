//! Sending and looking: S1-S6 and B1-B6.

use commandbus::batch::{BatchCommand, BatchStatus, NewBatch};
use commandbus::{
    BatchId, Command, CommandFilter, CommandId, CommandStatus, CorrelationId, ErrorKind, Payload,
};
use serde_json::{Value, json};

use super::*;

fn ship(id: CommandId) -> Command {
    Command::new("orders", "Ship", id).data(json!({"order": 17}))
}

scenario! {
    /// S1: message, row and event are written together, with the values of the contract.
    async fn s1_send_writes_message_row_and_event(place) {
        let bus = wait!(open(&place)).bus();
        let id = CommandId::random();
        let correlation = CorrelationId::random();
        let command = ship(id).correlation_id(correlation).reply_to("orders__replies").max_attempts(5);
        let sent = wait!(bus.send(command)).unwrap();
        assert_eq!(sent.command_id, id);

        let queue = place.queue("orders__commands");
        assert_eq!(queue.len(), 1);
        assert_eq!(queue[0]["msg_id"], sent.msg_id);
        assert_eq!(
            queue[0]["message"],
            json!({
                "domain": "orders", "command_type": "Ship", "command_id": id, "correlation_id": correlation,
                "data": {"order": 17}, "reply_to": "orders__replies", "max_attempts": 5,
            })
        );
        let record = wait!(bus.get_command("orders", id)).unwrap().unwrap();
        assert_eq!(record.status, CommandStatus::Pending);
        assert_eq!((record.attempts, record.max_attempts), (0, 5));
        assert_eq!(record.queue_name, "orders__commands");
        assert_eq!(record.msg_id, Some(sent.msg_id));
        assert_eq!(record.reply_to.as_deref(), Some("orders__replies"));
        assert_eq!(record.correlation_id, Some(correlation));
        assert_eq!(record.batch_id, None);
        assert_eq!(record.created_at, record.updated_at);

        let trail = wait!(bus.get_audit_trail(id)).unwrap();
        assert_eq!(trail.len(), 1);
        assert_eq!(trail[0].event_type, "SENT");
        assert_eq!(
            trail[0].details.as_ref().unwrap().to_value(),
            json!({
                "command_type": "Ship", "correlation_id": correlation, "reply_to": "orders__replies",
                "msg_id": sent.msg_id,
            })
        );
    }
}

scenario! {
    /// S1: what is not given is absent in the message, and the generated correlation id is the same everywhere (S6).
    async fn s6_a_generated_correlation_id_is_the_same_everywhere(place) {
        let bus = wait!(open(&place)).bus();
        let (one, two) = (CommandId::random(), CommandId::random());
        wait!(bus.send(Command::new("orders", "Ship", one))).unwrap();
        wait!(bus.send_batch(vec![Command::new("orders", "Ship", two)])).unwrap();
        let batch = NewBatch::new("orders").command(BatchCommand::new("Ship", CommandId::random()));
        let three = wait!(bus.create_batch(batch)).unwrap().results[0].command_id;
        let queue = place.queue("orders__commands");
        for (id, message) in [one, two, three].into_iter().zip(&queue) {
            let message = &message["message"];
            assert_eq!(message["command_id"], json!(id));
            assert_eq!(message["data"], json!({}));
            assert!(message.get("reply_to").is_none() && message.get("max_attempts").is_none());
            let record = wait!(bus.get_command("orders", id)).unwrap().unwrap();
            let correlation = record.correlation_id.unwrap();
            assert_eq!(message["correlation_id"], json!(correlation));
            assert_eq!(place.details(id, "SENT")["correlation_id"], json!(correlation));
            assert_eq!(place.details(id, "SENT")["reply_to"], Value::Null);
            assert_eq!(record.max_attempts, 3);
        }
        assert_eq!(queue.len(), 3);
    }
}

scenario! {
    /// S2: a second command of the same id is refused whatever became of the first, and writes nothing.
    async fn s2_a_duplicate_is_refused_and_writes_nothing(place) {
        let bus = wait!(open(&place)).bus();
        let id = CommandId::random();
        wait!(bus.send(ship(id))).unwrap();
        for status in ["PENDING", "COMPLETED"] {
            place.change(&format!("update {{command}} set status = '{status}'"));
            let error = wait!(bus.send(ship(id))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DuplicateCommand);
            assert_eq!((error.domain(), error.command_id()), (Some("orders"), Some(id)));
        }
        assert_eq!(place.queue("orders__commands").len(), 1);
        assert_eq!(place.events(id), ["SENT"]);
        assert_eq!(wait!(bus.send_or_get(ship(id))).unwrap().status, CommandStatus::Completed);
    }
}

scenario! {
    /// S4: the same id in another domain is another command.
    async fn s4_ids_belong_to_their_domain(place) {
        let bus = wait!(open(&place)).bus();
        let id = CommandId::random();
        wait!(bus.send(ship(id))).unwrap();
        wait!(bus.send(Command::new("billing", "Charge", id))).unwrap();
        assert!(wait!(bus.command_exists("billing", id)).unwrap());
        assert!(!wait!(bus.command_exists("stock", id)).unwrap());
        assert_eq!(wait!(bus.get_audit_trail(id)).unwrap().len(), 2);
        assert_eq!(wait!(bus.get_audit_trail_of("billing", id)).unwrap().len(), 1);
    }
}

scenario! {
    /// S5: in a transaction of the caller everything or nothing happens, together with the caller's own writes, and a
    /// refusal leaves the transaction usable.
    async fn s5_a_transaction_of_the_caller_decides(place) {
        let database = wait!(open(&place));
        let bus = database.bus();
        place.change("create table orders (id int)");
        let (one, two) = (CommandId::random(), CommandId::random());

        let mut transaction = wait!(database.begin()).unwrap();
        wait!(transaction.execute("insert into orders values (1)", &[])).unwrap();
        wait!(bus.send_in(&mut transaction, ship(one))).unwrap();
        assert!(wait!(bus.get_command_in(&mut transaction, "orders", one)).unwrap().is_some());
        assert!(wait!(bus.get_command("orders", one)).unwrap().is_none());
        wait!(transaction.rollback()).unwrap();
        assert!(wait!(bus.get_command("orders", one)).unwrap().is_none());
        assert!(place.queue("orders__commands").is_empty());

        let mut dropped = wait!(database.begin()).unwrap();
        wait!(bus.send_in(&mut dropped, ship(one))).unwrap();
        drop(dropped);

        let mut transaction = wait!(database.begin()).unwrap();
        wait!(bus.send_in(&mut transaction, ship(one))).unwrap();
        let error = wait!(bus.send_in(&mut transaction, ship(one))).unwrap_err();
        assert!(error.is_duplicate_command());
        let error = wait!(bus.send_in(&mut transaction, ship(two).reply_to("nowhere"))).unwrap_err();
        assert_eq!((error.kind(), error.queue()), (ErrorKind::QueueNotFound, Some("nowhere")));
        let error = wait!(bus.send_batch_in(&mut transaction, vec![ship(two), ship(one)])).unwrap_err();
        assert_eq!(error.command_id(), Some(one));
        wait!(transaction.execute("insert into orders values (2)", &[])).unwrap();
        wait!(transaction.commit()).unwrap();
        assert!(wait!(bus.command_exists("orders", one)).unwrap());
        assert!(!wait!(bus.command_exists("orders", two)).unwrap());
        assert_eq!(place.queue("orders__commands").len(), 1);
        assert_eq!(place.rows("select id from orders"), [json!({"id": 2})]);
    }
}

scenario! {
    /// Names, limits and queues are checked before anything is written.
    async fn s1_what_cannot_work_is_refused_before_it_is_written(place) {
        let bus = wait!(open(&place)).bus();
        let id = CommandId::random();
        for (bad, argument) in [
            (Command::new("Orders", "Ship", id), "domain"),
            (Command::new("orders", "", id), "command_type"),
            (ship(id).data(json!([1])), "data"),
            (ship(id).max_attempts(0), "max_attempts"),
            (ship(id).reply_to("a-b"), "queue"),
        ] {
            let error = wait!(bus.send(bad)).unwrap_err();
            assert_eq!((error.kind(), error.argument()), (ErrorKind::InvalidArgument, Some(argument)));
        }
        let error = wait!(bus.send(Command::new("stock", "Count", id))).unwrap_err();
        assert_eq!((error.kind(), error.queue()), (ErrorKind::QueueNotFound, Some("stock__commands")));
        assert!(place.rows("select 1 as n from {command}").is_empty());
    }
}

scenario! {
    /// Numbers of any size pass through unchanged.
    async fn s1_numbers_survive(place) {
        let bus = wait!(open(&place)).bus();
        let data = Payload::from_json(r#"{"n": 12345678901234567890123.5, "t": "ü\"' €"}"#).unwrap();
        wait!(bus.send(ship(CommandId::random()).data(data))).unwrap();
        let queue = place.queue("orders__commands");
        assert!(queue[0].to_string().contains("ü"), "{}", queue[0]);
        let text = place.raw_queue("orders__commands");
        assert!(text.contains("12345678901234567890123.5"), "{text}");
    }
}

scenario! {
    /// B1: results come in the order of the requests, across domains and chunks.
    async fn b1_results_come_in_the_order_of_the_requests(place) {
        let bus = wait!(open(&place)).bus();
        let commands: Vec<Command> = (0..7)
            .map(|n| Command::new(if n % 3 == 0 { "billing" } else { "orders" }, "Do", CommandId::random()))
            .collect();
        let ids: Vec<CommandId> = commands.iter().map(Command::id).collect();
        let sent = wait!(bus.send_batch_chunked(commands, 3)).unwrap();
        assert_eq!((sent.chunks_processed, sent.total_commands), (3, 7));
        for (n, (result, id)) in sent.results.iter().zip(&ids).enumerate() {
            assert_eq!(result.command_id, *id);
            let domain = if n % 3 == 0 { "billing" } else { "orders" };
            let record = wait!(bus.get_command(domain, *id)).unwrap().unwrap();
            assert_eq!(record.msg_id, Some(result.msg_id));
            assert!(place.details(id, "SENT").get("batch_id").is_none());
        }
        let created: std::collections::BTreeSet<String> = place
            .rows("select distinct created_at from {command}")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(created.len(), 3, "one instant for each chunk");
        let none = wait!(bus.send_batch(vec![])).unwrap();
        assert_eq!((none.chunks_processed, none.total_commands), (0, 0));
    }
}

scenario! {
    /// B2, B3: a duplicate fails its chunk as a whole; chunks before it stay, and the error says how many commands.
    async fn b3_a_duplicate_fails_its_chunk_only(place) {
        let bus = wait!(open(&place)).bus();
        let id = CommandId::random();
        let inside = vec![
            ship(CommandId::random()), ship(CommandId::random()),
            ship(id), ship(id),
            ship(CommandId::random()),
        ];
        let error = wait!(bus.send_batch_chunked(inside, 2)).unwrap_err();
        assert_eq!((error.kind(), error.command_id()), (ErrorKind::DuplicateCommand, Some(id)));
        assert_eq!(error.committed(), Some(2));
        assert_eq!(place.queue("orders__commands").len(), 2);

        wait!(bus.send(ship(id))).unwrap();
        let stored = vec![ship(CommandId::random()), Command::new("billing", "Do", CommandId::random()), ship(id)];
        let error = wait!(bus.send_batch(stored)).unwrap_err();
        assert_eq!((error.command_id(), error.committed()), (Some(id), Some(0)));
        assert_eq!(place.queue("orders__commands").len(), 3);
        assert!(place.queue("billing__commands").is_empty());
    }
}

scenario! {
    /// B4: a batch is created with all its commands or not at all.
    async fn b4_create_batch_is_all_or_nothing(place) {
        let bus = wait!(open(&place)).bus();
        let (id, taken) = (BatchId::random(), CommandId::random());
        wait!(bus.send(ship(taken))).unwrap();
        let bad = NewBatch::new("orders").batch_id(id)
            .command(BatchCommand::new("Ship", CommandId::random()))
            .command(BatchCommand::new("Ship", taken));
        let error = wait!(bus.create_batch(bad)).unwrap_err();
        assert_eq!((error.kind(), error.command_id()), (ErrorKind::DuplicateCommand, Some(taken)));
        assert_eq!(wait!(bus.get_batch("orders", id)).unwrap(), None);
        assert_eq!(place.queue("orders__commands").len(), 1);

        let error = wait!(bus.create_batch(NewBatch::new("orders").batch_id(id))).unwrap_err();
        assert_eq!((error.kind(), error.batch_id()), (ErrorKind::EmptyBatch, Some(id)));
        let twice = CommandId::random();
        let bad = NewBatch::new("orders")
            .commands([BatchCommand::new("Ship", twice), BatchCommand::new("Ship", twice)]);
        assert_eq!(wait!(bus.create_batch(bad)).unwrap_err().command_id(), Some(twice));

        let good = NewBatch::new("orders").batch_id(id).name("night").custom_data(json!({"run": 1}))
            .commands((0..5).map(|n| BatchCommand::new("Ship", CommandId::random()).data(json!({"n": n}))));
        let created = wait!(bus.create_batch(good)).unwrap();
        assert_eq!((created.batch_id, created.total_commands), (id, 5));
        let batch = wait!(bus.get_batch("orders", id)).unwrap().unwrap();
        assert_eq!((batch.status, batch.total_count), (BatchStatus::Pending, 5));
        assert_eq!(batch.name.as_deref(), Some("night"));
        assert_eq!(batch.custom_data.unwrap().to_value(), json!({"run": 1}));
        assert_eq!((batch.started_at, batch.completed_at), (None, None));
        let members = wait!(bus.list_batch_commands("orders", id, None, 100, 0)).unwrap();
        let ids: Vec<CommandId> = members.iter().map(|member| member.command_id).collect();
        assert_eq!(ids, created.results.iter().map(|sent| sent.command_id).collect::<Vec<_>>());
        assert!(members.iter().all(|member| member.created_at == batch.created_at));
        assert_eq!(place.details(ids[0], "SENT")["batch_id"], json!(id));

        let again = NewBatch::new("orders").batch_id(id).command(BatchCommand::new("Ship", CommandId::random()));
        assert_eq!(wait!(bus.create_batch(again)).unwrap_err().kind(), ErrorKind::BatchExists);
    }
}

scenario! {
    /// B5: a command that is sent into a batch raises its total; a finished batch takes none.
    async fn b5_send_into_a_batch_raises_its_total(place) {
        let bus = wait!(open(&place)).bus();
        let id = BatchId::random();
        let error = wait!(bus.send(ship(CommandId::random()).batch_id(id))).unwrap_err();
        assert_eq!((error.kind(), error.batch_id()), (ErrorKind::BatchNotFound, Some(id)));
        let batch = NewBatch::new("orders").batch_id(id).command(BatchCommand::new("Ship", CommandId::random()));
        wait!(bus.create_batch(batch)).unwrap();
        let more = CommandId::random();
        wait!(bus.send(ship(more).batch_id(id))).unwrap();
        assert_eq!(wait!(bus.get_batch("orders", id)).unwrap().unwrap().total_count, 2);
        assert_eq!(place.details(more, "SENT")["batch_id"], json!(id));
        let other = Command::new("billing", "Do", CommandId::random()).batch_id(id);
        assert_eq!(wait!(bus.send(other)).unwrap_err().kind(), ErrorKind::BatchNotFound);

        place.change("update {batch} set status = 'COMPLETED'");
        let late = CommandId::random();
        let error = wait!(bus.send(ship(late).batch_id(id))).unwrap_err();
        assert_eq!((error.kind(), error.batch_id()), (ErrorKind::InvalidOperation, Some(id)));
        assert!(!wait!(bus.command_exists("orders", late)).unwrap());
        assert_eq!(place.queue("orders__commands").len(), 2);
    }
}

scenario! {
    /// B6: queries choose, sort and page.
    async fn b6_queries_choose_sort_and_page(place) {
        let bus = wait!(open(&place)).bus();
        let mut ids = Vec::new();
        for n in 0..4 {
            let id = CommandId::random();
            wait!(bus.send(Command::new("orders", if n == 3 { "Other" } else { "Ship" }, id))).unwrap();
            ids.push(id);
        }
        wait!(bus.send(Command::new("billing", "Ship", CommandId::random()))).unwrap();
        let chosen = |records: Vec<commandbus::CommandRecord>| -> Vec<CommandId> {
            records.into_iter().map(|record| record.command_id).collect()
        };
        let all = CommandFilter::new().domain("orders");
        let newest_first: Vec<CommandId> = ids.iter().rev().copied().collect();
        assert_eq!(chosen(wait!(bus.query_commands(all.clone())).unwrap()), newest_first);
        let page = all.clone().limit(2).offset(1);
        assert_eq!(chosen(wait!(bus.query_commands(page)).unwrap()), newest_first[1..3]);
        let typed = all.clone().command_type("Ship").status(CommandStatus::Pending);
        assert_eq!(chosen(wait!(bus.query_commands(typed)).unwrap()), newest_first[1..]);
        let second = wait!(bus.get_command("orders", ids[1])).unwrap().unwrap().created_at;
        let since = all.clone().created_after(second);
        assert_eq!(chosen(wait!(bus.query_commands(since)).unwrap()), newest_first[..3]);
        let until = all.clone().created_before(second);
        assert_eq!(chosen(wait!(bus.query_commands(until)).unwrap()), newest_first[2..]);
        assert!(wait!(bus.query_commands(all.status(CommandStatus::Failed))).unwrap().is_empty());
    }
}

scenario! {
    /// A pending command can be withdrawn; its sender is told.
    async fn b6_a_pending_command_can_be_withdrawn(place) {
        let bus = wait!(open(&place)).bus();
        let id = CommandId::random();
        wait!(bus.send(ship(id).reply_to("orders__replies"))).unwrap();
        wait!(bus.cancel_pending("orders", id, "not needed")).unwrap();
        let record = wait!(bus.get_command("orders", id)).unwrap().unwrap();
        assert_eq!(record.status, CommandStatus::Canceled);
        assert!(place.queue("orders__commands").is_empty());
        assert_eq!(place.archive("orders__commands").len(), 1);
        assert_eq!(
            place.queue("orders__replies")[0]["message"],
            json!({
                "command_id": id, "correlation_id": record.correlation_id, "outcome": "CANCELED",
                "reason": "not needed",
            })
        );
        assert_eq!(place.events(id), ["SENT", "OPERATOR_CANCEL"]);
        let error = wait!(bus.cancel_pending("orders", id, "again")).unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidOperation, Some(CommandStatus::Canceled)));
        let error = wait!(bus.cancel_pending("orders", CommandId::random(), "x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommandNotFound);
    }
}
