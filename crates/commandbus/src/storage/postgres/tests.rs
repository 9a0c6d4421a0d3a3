//! The verbs of working, at the seam: what the worker relies on.

use serde_json::json;

use crate::Database;
use crate::batch::{BatchCommand, NewBatch};
use crate::command::{Command, CommandRecord, CommandStatus};
use crate::ids::{BatchId, CommandId};
use crate::names::Domain;
use crate::storage::On;
use crate::storage::finish::{AttemptError, FinishItem, FinishReport, Finished, Held, Outcome};
use crate::storage::lease::{DiscardReason, LeaseRequest, Leased, LeasedCommand};
use crate::storage::operate::{Action, Operated, Operation};
use crate::storage::setup::SetupMode;

struct Bench {
    database: Database,
    tables: testkit::postgres::Database<'static>,
}

impl Bench {
    async fn new() -> Self {
        let tables = testkit::postgres::shared().database();
        let database = Database::connect(tables.url()).await.unwrap();
        database.setup(SetupMode::Embedded).await.unwrap();
        database.ensure_domain("orders").await.unwrap();
        Self { database, tables }
    }

    fn domain(&self) -> Domain {
        Domain::new("orders").unwrap()
    }

    async fn send(&self) -> CommandId {
        let id = CommandId::random();
        let command = Command::new("orders", "Ship", id).reply_to("orders__replies");
        self.database.bus().send(command).await.unwrap();
        id
    }

    async fn lease(&self, limit: u32) -> Leased {
        self.lease_while(limit, &[]).await
    }

    async fn lease_while(&self, limit: u32, running: &[i64]) -> Leased {
        let request = LeaseRequest {
            domain: self.domain(),
            visibility: 30,
            limit,
            max_attempts: 3,
            running: running.to_vec(),
        };
        self.database.driver().lease(request).await.unwrap()
    }

    async fn finish(&self, items: Vec<FinishItem>) -> FinishReport {
        self.database
            .driver()
            .finish(self.domain(), items)
            .await
            .unwrap()
    }

    async fn record(&self, id: CommandId) -> CommandRecord {
        self.database
            .bus()
            .get_command("orders", id)
            .await
            .unwrap()
            .unwrap()
    }

    fn expire(&self) {
        self.tables
            .psql("update pgmq.q_orders__commands set vt = clock_timestamp() - interval '1 s'");
    }

    fn events(&self, id: impl std::fmt::Display) -> Vec<String> {
        let sql = format!(
            "select event_type from commandbus.audit where command_id = '{id}' order by ts, audit_id"
        );
        self.tables.psql(&sql).lines().map(str::to_owned).collect()
    }

    fn count(&self, table: &str) -> usize {
        self.tables
            .psql(&format!("select count(*) from {table}"))
            .parse()
            .unwrap()
    }
}

fn held(command: &LeasedCommand) -> Held {
    Held {
        msg_id: command.msg_id,
        command_id: command.command_id,
        attempt: command.attempt,
    }
}

fn item(command: &LeasedCommand, outcome: Outcome) -> FinishItem {
    let reply = match &outcome {
        Outcome::Completed { .. } | Outcome::BusinessRule { .. } => command
            .reply_to
            .clone()
            .map(|queue| (queue, json!({"of": command.command_id}).to_string())),
        _ => None,
    };
    FinishItem {
        held: held(command),
        outcome,
        reply,
    }
}

fn done(command: &LeasedCommand) -> FinishItem {
    item(command, Outcome::Completed { has_result: true })
}

fn error(code: &str) -> AttemptError {
    AttemptError {
        code: code.to_owned(),
        message: "why".to_owned(),
        details: "{\"a\": 1}".to_owned(),
    }
}

#[tokio::test]
async fn a_lease_counts_the_attempt_and_a_finish_settles_everything() {
    let bench = Bench::new().await;
    let id = bench.send().await;
    let leased = bench.lease(10).await;
    assert_eq!(leased.deliveries.len(), 1);
    let command = &leased.deliveries[0];
    assert_eq!(
        (command.command_id, command.attempt, command.max_attempts),
        (id, 1, 3)
    );
    assert_eq!(
        (command.data.as_json(), command.reply_to.as_deref()),
        ("{}", Some("orders__replies"))
    );
    assert!(bench.lease(10).await.deliveries.is_empty());
    let record = bench.record(id).await;
    assert_eq!(
        (record.status, record.attempts),
        (CommandStatus::InProgress, 1)
    );

    let report = bench.finish(vec![done(command)]).await;
    assert_eq!(report.results, [Finished::Applied]);
    assert_eq!(bench.record(id).await.status, CommandStatus::Completed);
    assert_eq!(bench.count("pgmq.q_orders__commands"), 0);
    assert_eq!(bench.count("pgmq.a_orders__commands"), 0);
    assert_eq!(bench.count("pgmq.q_orders__replies"), 1);
    assert_eq!(bench.events(id), ["SENT", "RECEIVED", "COMPLETED"]);
}

#[tokio::test]
async fn one_finish_takes_mixed_outcomes_and_each_is_fenced_by_itself() {
    let bench = Bench::new().await;
    for _ in 0..6 {
        bench.send().await;
    }
    let leased = bench.lease(10).await.deliveries;
    bench.expire();
    // The last one is leased again by somebody else.
    bench.tables.psql(&format!(
        "update pgmq.q_orders__commands set vt = clock_timestamp() + interval '1 minute' where msg_id <> {}",
        leased[5].msg_id
    ));
    let second = bench.lease(10).await.deliveries;
    assert_eq!((second.len(), second[0].attempt), (1, 2));
    let report = bench
        .finish(vec![
            done(&leased[0]),
            item(
                &leased[1],
                Outcome::Retry {
                    error: error("T"),
                    delay: 60,
                },
            ),
            item(
                &leased[2],
                Outcome::Exhausted {
                    error: error("E"),
                    limit: 3,
                },
            ),
            item(&leased[3], Outcome::Permanent { error: error("P") }),
            item(&leased[4], Outcome::BusinessRule { error: error("B") }),
            done(&leased[5]),
        ])
        .await;
    let mut expected = vec![Finished::Applied; 5];
    expected.push(Finished::Stale);
    assert_eq!(report.results, expected);
    let mut found = Vec::new();
    for command in &leased {
        let record = bench.record(command.command_id).await;
        found.push((
            record.status,
            record.last_error_type,
            record.last_error_code,
        ));
    }
    let row = |status, class: Option<&str>, code: Option<&str>| {
        (status, class.map(str::to_owned), code.map(str::to_owned))
    };
    assert_eq!(
        found,
        [
            row(CommandStatus::Completed, None, None),
            row(CommandStatus::InProgress, Some("TRANSIENT"), Some("T")),
            row(
                CommandStatus::InTroubleshootingQueue,
                Some("TRANSIENT"),
                Some("E")
            ),
            row(
                CommandStatus::InTroubleshootingQueue,
                Some("PERMANENT"),
                Some("P")
            ),
            row(CommandStatus::Failed, Some("BUSINESS_RULE"), Some("B")),
            row(CommandStatus::InProgress, None, None),
        ]
    );
    let last = |place: usize| bench.events(leased[place].command_id).pop().unwrap();
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(last),
        [
            "COMPLETED",
            "FAILED",
            "MOVED_TO_TSQ",
            "MOVED_TO_TSQ",
            "BUSINESS_RULE_FAILED",
            "STALE_RESULT"
        ]
    );
    assert_eq!(bench.count("pgmq.a_orders__commands"), 3);
    assert_eq!(bench.count("pgmq.q_orders__commands"), 2);
    assert_eq!(bench.count("pgmq.q_orders__replies"), 2);
    // The other attempt is untouched.
    assert_eq!(
        bench.finish(vec![done(&second[0])]).await.results,
        [Finished::Applied]
    );
    assert_eq!(bench.count("pgmq.q_orders__replies"), 3);
}

#[tokio::test]
async fn a_late_success_is_taken_from_the_troubleshooting_queue_and_a_late_failure_is_not() {
    let bench = Bench::new().await;
    let batch = BatchId::random();
    let commands = [CommandId::random(), CommandId::random()]
        .map(|id| BatchCommand::new("Ship", id).reply_to("orders__replies"));
    let new = NewBatch::new("orders").batch_id(batch).commands(commands);
    bench.database.bus().create_batch(new).await.unwrap();
    let leased = bench.lease(10).await.deliveries;
    let permanent = || Outcome::Permanent { error: error("P") };
    bench
        .finish(vec![
            item(&leased[0], permanent()),
            item(&leased[1], permanent()),
        ])
        .await;
    let stored = bench
        .database
        .bus()
        .get_batch("orders", batch)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.in_troubleshooting_count, 2);

    let report = bench
        .finish(vec![
            done(&leased[0]),
            item(
                &leased[1],
                Outcome::Retry {
                    error: error("T"),
                    delay: 1,
                },
            ),
        ])
        .await;
    assert_eq!(report.results, [Finished::AppliedLate, Finished::Stale]);
    assert_eq!(
        bench.record(leased[0].command_id).await.status,
        CommandStatus::Completed
    );
    assert_eq!(bench.count("pgmq.q_orders__replies"), 1);
    let stored = bench
        .database
        .bus()
        .get_batch("orders", batch)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (stored.completed_count, stored.in_troubleshooting_count),
        (1, 1)
    );

    let operation = Operation {
        action: Action::Cancel {
            reason: "no".to_owned(),
        },
        operator: None,
    };
    let driver = bench.database.driver();
    let report = driver
        .operate(
            On::Own,
            bench.domain(),
            vec![leased[1].command_id, leased[0].command_id],
            operation,
        )
        .await
        .unwrap();
    assert_eq!(
        report.results,
        [
            Operated::Done(None),
            Operated::WrongStatus(CommandStatus::Completed)
        ]
    );
    assert_eq!(report.finished_batches, [batch]);
    assert_eq!(bench.events(batch), ["BATCH_STARTED", "BATCH_COMPLETED"]);
}

#[tokio::test]
async fn what_no_handler_may_see_is_sorted_out_and_its_neighbours_are_not_disturbed() {
    let bench = Bench::new().await;
    let good = bench.send().await;
    let id = CommandId::random();
    for message in [
        json!({"command_type": "Ship"}),
        json!({"command_id": "no uuid"}),
        json!([1]),
        json!({"command_id": good, "domain": 7}),
        json!({"command_id": id}),
        json!({"command_id": good, "domain": "billing"}),
    ] {
        bench.tables.psql(&format!(
            "select pgmq.send('orders__commands', '{message}'::jsonb, 0)"
        ));
    }
    bench
        .tables
        .psql("insert into pgmq.q_orders__commands (vt) values (now())");
    let decided = bench.send().await;
    bench.tables.psql(&format!(
        "update commandbus.command set status = 'FAILED' where command_id = '{decided}'"
    ));
    let last = bench.send().await;
    let leased = bench.lease(20).await;
    let ids: Vec<CommandId> = leased
        .deliveries
        .iter()
        .map(|command| command.command_id)
        .collect();
    assert_eq!(ids, [good, last]);
    let reasons: Vec<DiscardReason> = leased.discarded.iter().map(|gone| gone.reason).collect();
    use DiscardReason::{Malformed, NoCommand, NotOpen, OtherDomain};
    assert_eq!(
        reasons,
        [
            Malformed,
            Malformed,
            Malformed,
            Malformed,
            NoCommand,
            OtherDomain,
            Malformed,
            NotOpen
        ]
    );
    assert_eq!(bench.count("pgmq.a_orders__commands"), 8);
    assert_eq!(bench.count("pgmq.q_orders__commands"), 2);
}

#[tokio::test]
async fn leases_that_run_out_too_often_end_in_the_troubleshooting_queue() {
    let bench = Bench::new().await;
    let id = bench.send().await;
    for attempt in 1..=3 {
        assert_eq!(bench.lease(1).await.deliveries[0].attempt, attempt);
        bench.expire();
    }
    // A worker that runs it takes the new lease over instead.
    let msg_id = bench.record(id).await.msg_id.unwrap();
    assert_eq!(
        bench.lease_while(1, &[msg_id]).await.deliveries[0].attempt,
        4
    );
    bench.expire();
    let leased = bench.lease(1).await;
    assert!(leased.deliveries.is_empty());
    assert_eq!(
        (leased.exhausted[0].command_id, leased.exhausted[0].attempt),
        (id, 5)
    );
    let record = bench.record(id).await;
    assert_eq!(record.status, CommandStatus::InTroubleshootingQueue);
    assert_eq!(record.last_error_code.as_deref(), Some("LEASE_EXPIRED"));
    assert_eq!(bench.events(id).pop().unwrap(), "MOVED_TO_TSQ");
    assert_eq!(bench.count("pgmq.a_orders__commands"), 1);
}

#[tokio::test]
async fn leases_are_extended_and_released_while_they_are_held() {
    let bench = Bench::new().await;
    let id = bench.send().await;
    bench.send().await;
    let leased = bench.lease(2).await.deliveries;
    let holds: Vec<Held> = leased.iter().map(held).collect();
    let driver = bench.database.driver();
    driver
        .release(bench.domain(), vec![holds[0]])
        .await
        .unwrap();
    let record = bench.record(id).await;
    assert_eq!(
        (record.status, record.attempts),
        (CommandStatus::Pending, 0)
    );
    let extended = driver
        .extend(bench.domain(), holds.clone(), 600)
        .await
        .unwrap();
    assert_eq!(extended, [false, true]);
    let again = bench.lease(2).await.deliveries;
    assert_eq!((again.len(), again[0].attempt), (1, 1));
}

/// Prints how fast groups are leased and finished: `cargo nextest run --release --run-ignored only speed_of`.
#[tokio::test]
#[ignore = "a measurement"]
async fn speed_of_groups() {
    let bench = Bench::new().await;
    for (size, batched) in [(10, false), (100, false), (100, true), (100, false)] {
        let count = 20_000;
        let bus = bench.database.bus();
        let begun = std::time::Instant::now();
        if batched {
            let commands = (0..count)
                .map(|n| BatchCommand::new("Ship", CommandId::random()).data(json!({"n": n})));
            bus.create_batch(NewBatch::new("orders").commands(commands))
                .await
                .unwrap();
        } else {
            let commands = (0..count)
                .map(|n| Command::new("orders", "Ship", CommandId::random()).data(json!({"n": n})));
            bus.send_batch(commands.collect()).await.unwrap();
        }
        let sent = begun.elapsed();
        let (mut leasing, mut finishing) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
        loop {
            let begun = std::time::Instant::now();
            let leased = bench.lease(size).await.deliveries;
            leasing += begun.elapsed();
            if leased.is_empty() {
                break;
            }
            let begun = std::time::Instant::now();
            let report = bench.finish(leased.iter().map(done).collect()).await;
            finishing += begun.elapsed();
            assert!(
                report
                    .results
                    .iter()
                    .all(|result| *result == Finished::Applied)
            );
        }
        let rate = |time: std::time::Duration| f64::from(count) / time.as_secs_f64();
        println!(
            "groups of {size}, batch {batched}: send {:.0}/s, lease {:.0}/s, finish {:.0}/s, both {:.0}/s",
            rate(sent),
            rate(leasing),
            rate(finishing),
            rate(leasing + finishing)
        );
    }
}
