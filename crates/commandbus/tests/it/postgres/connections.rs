//! The pool, cancelled calls, restarts, and transactions of the caller's own connection.

use std::time::Duration;

use commandbus::{Command, CommandId, Database, ErrorKind, SetupMode};
use testkit::postgres::{Options, Server};

use super::{connect, tables};

fn ship() -> Command {
    Command::new("orders", "Ship", CommandId::random())
}

async fn ready(url: String) -> Database {
    let database = Database::builder(url)
        .pool_min(1)
        .pool_max(2)
        .connect()
        .await
        .unwrap();
    database.setup(SetupMode::Embedded).await.unwrap();
    database.ensure_domain("orders").await.unwrap();
    database
}

/// S5: a transaction of a connection that the caller opened.
#[tokio::test]
async fn s5_a_transaction_of_tokio_postgres_takes_part() {
    let tables = tables();
    let database = ready(tables.url()).await;
    let bus = database.bus();
    let (mut client, connection) = tokio_postgres::connect(&tables.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let driving = tokio::spawn(connection);
    let (one, two) = (ship(), ship());
    let transaction = client.transaction().await.unwrap();
    bus.send_in(&transaction, one.clone()).await.unwrap();
    assert!(
        bus.send_in(&transaction, one.clone())
            .await
            .unwrap_err()
            .is_duplicate_command()
    );
    let mixed = vec![
        two.clone(),
        Command::new("nowhere", "x", CommandId::random()),
    ];
    let error = bus.send_batch_in(&transaction, mixed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QueueNotFound);
    assert!(
        bus.get_command_in(&transaction, "orders", two.id())
            .await
            .unwrap()
            .is_none()
    );
    transaction.commit().await.unwrap();
    assert!(bus.command_exists("orders", one.id()).await.unwrap());
    let transaction = client.transaction().await.unwrap();
    bus.send_in(&transaction, two.clone()).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(!bus.command_exists("orders", two.id()).await.unwrap());
    drop(client);
    driving.await.unwrap().unwrap();
}

/// S3: of two senders at the same moment one gets a refusal, and there is one message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_of_racing_senders_one_wins() {
    let tables = tables();
    let database = connect(&tables).await;
    database.setup(SetupMode::Embedded).await.unwrap();
    database.ensure_domain("orders").await.unwrap();
    for round in 1..=10 {
        let command = ship();
        let sends: Vec<_> = (0..6)
            .map(|_| {
                let (bus, command) = (database.bus(), command.clone());
                tokio::spawn(async move { bus.send(command).await })
            })
            .collect();
        let mut won = 0;
        for send in sends {
            match send.await.unwrap() {
                Ok(_) => won += 1,
                Err(error) => assert!(error.is_duplicate_command(), "{error:?}"),
            }
        }
        assert_eq!(won, 1);
        assert_eq!(
            tables.psql("select count(*) from pgmq.q_orders__commands"),
            round.to_string()
        );
    }
    // The other one waits for the first to end, and sees what became of it.
    let command = ship();
    let mut first = database.begin().await.unwrap();
    database
        .bus()
        .send_in(&mut first, command.clone())
        .await
        .unwrap();
    let second = tokio::spawn({
        let (bus, command) = (database.bus(), command.clone());
        async move { bus.send(command).await }
    });
    tables_wait_for_lock(&tables).await;
    first.rollback().await.unwrap();
    second.await.unwrap().unwrap();
}

async fn tables_wait_for_lock(tables: &testkit::postgres::Database<'_>) {
    let deadline = std::time::Instant::now() + testkit::PATIENCE;
    while tables.psql("select count(*) from pg_locks where not granted") == "0" {
        assert!(std::time::Instant::now() < deadline, "nobody waits");
        tokio::task::yield_now().await;
    }
}

/// Sends that come at the same moment share transactions, and each learns its own outcome.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_at_the_same_time_share_transactions_and_not_outcomes() {
    let tables = tables();
    let database = ready(tables.url()).await;
    let taken = ship();
    database.bus().send(taken.clone()).await.unwrap();
    let sends: Vec<_> = (0..300)
        .map(|n| {
            let command = match n % 30 {
                10 => taken.clone(),
                20 => ship().reply_to("nowhere"),
                25 => Command::new("nowhere", "x", CommandId::random()),
                _ => ship().reply_to("orders__replies"),
            };
            let bus = database.bus();
            tokio::spawn(async move { (n % 30, command.id(), bus.send(command).await) })
        })
        .collect();
    for send in sends {
        let (kind, id, outcome) = send.await.unwrap();
        match kind {
            10 => assert!(outcome.unwrap_err().is_duplicate_command()),
            20 => assert_eq!(outcome.unwrap_err().queue(), Some("nowhere")),
            25 => assert_eq!(outcome.unwrap_err().queue(), Some("nowhere__commands")),
            _ => {
                let sent = outcome.unwrap();
                let record = database
                    .bus()
                    .get_command("orders", id)
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!((sent.command_id, Some(sent.msg_id)), (id, record.msg_id));
            }
        }
    }
    assert_eq!(
        tables.psql("select count(*) from pgmq.q_orders__commands"),
        "271"
    );
    let transactions: u32 = tables
        .psql("select count(distinct created_at) from commandbus.command")
        .parse()
        .unwrap();
    assert!(
        transactions < 200,
        "{transactions} transactions for 271 commands"
    );
}

/// A send whose future is dropped takes nothing from those that wait behind it.
#[tokio::test]
async fn a_dropped_send_passes_its_turn_on() {
    let tables = tables();
    let database = ready(tables.url()).await;
    for _ in 0..20 {
        let bus = database.bus();
        let first = tokio::spawn({
            let bus = bus.clone();
            async move { bus.send(ship()).await }
        });
        tokio::task::yield_now().await;
        let others: Vec<_> = (0..3)
            .map(|_| {
                let bus = bus.clone();
                tokio::spawn(async move { bus.send(ship()).await })
            })
            .collect();
        tokio::task::yield_now().await;
        first.abort();
        for other in others {
            other.await.unwrap().unwrap();
        }
    }
}

/// The blocking face from many threads at once (Y8), with the sends of some sent by others.
#[test]
fn y8_many_threads_share_one_bus() {
    let tables = tables();
    let database = commandbus::blocking::Database::connect(tables.url()).unwrap();
    database.setup(SetupMode::Embedded).unwrap();
    database.ensure_domain("orders").unwrap();
    let bus = database.bus();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let command = ship();
                    bus.send(command.clone()).unwrap();
                    assert!(bus.command_exists("orders", command.id()).unwrap());
                }
            });
        }
    });
    assert_eq!(
        tables.psql("select count(*) from pgmq.q_orders__commands"),
        "200"
    );
}

/// R7: a limit on statements ends them, is told, and stays with its transaction.
#[tokio::test]
async fn r7_a_statement_that_takes_too_long_is_ended() {
    let tables = tables();
    ready(tables.url()).await;
    let database = Database::builder(tables.url())
        .pool_min(1)
        .pool_max(2)
        .statement_timeout(Duration::from_millis(50))
        .connect()
        .await
        .unwrap();
    let command = ship();
    let mut holder = database.begin().await.unwrap();
    database
        .bus()
        .send_in(&mut holder, command.clone())
        .await
        .unwrap();
    // Waits for the end of the other transaction, which may have sent the same command.
    let error = database.bus().send(command.clone()).await.unwrap_err();
    assert!(
        error.is_timeout() && error.is_retryable() && !error.is_pool_timeout(),
        "{error:?}"
    );
    let failure = commandbus::handler::HandlerError::from(error);
    assert_eq!(failure.code(), "STATEMENT_TIMEOUT");
    let error = holder
        .execute("select pg_sleep(60)", &[])
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    holder.rollback().await.unwrap();
    database.bus().send(command).await.unwrap();
    assert_eq!(tables.psql("select count(*) from commandbus.command"), "1");
}

#[tokio::test]
async fn a_pool_without_a_free_connection_says_so_in_time() {
    let tables = tables();
    let database = Database::builder(tables.url())
        .pool_min(1)
        .pool_max(1)
        .pool_timeout(Duration::from_secs(2))
        .connect()
        .await
        .unwrap();
    let held = database.begin().await.unwrap();
    let error = database.schema_exists().await.unwrap_err();
    assert!(error.is_pool_timeout() && error.is_timeout() && error.is_retryable());
    drop(held);
    assert!(!database.schema_exists().await.unwrap());
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_leaves_no_trace_on_the_next() {
    let tables = tables();
    let database = ready(tables.url()).await;
    for _ in 0..20 {
        let mut transaction = database.begin().await.unwrap();
        let slow = transaction.execute("select pg_sleep(60)", &[]);
        assert!(
            tokio::time::timeout(Duration::from_millis(2), slow)
                .await
                .is_err()
        );
        drop(transaction);
        let sending = database.bus();
        let send = sending.send(ship());
        let _sent_or_not = tokio::time::timeout(Duration::from_micros(300), send).await;
        database.bus().send(ship()).await.unwrap();
    }
    // Each command was sent as a whole or not at all.
    assert_eq!(
        tables.psql(
            "select (select count(*) from commandbus.command) = (select count(*) from pgmq.q_orders__commands)
                and (select count(*) from commandbus.command) = (select count(*) from commandbus.audit)"
        ),
        "t"
    );
}

#[tokio::test]
async fn a_failed_statement_keeps_its_transaction_from_committing() {
    let tables = tables();
    let database = ready(tables.url()).await;
    let mut transaction = database.begin().await.unwrap();
    database
        .bus()
        .send_in(&mut transaction, ship())
        .await
        .unwrap();
    let error = transaction.execute("select 1 / 0", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database);
    assert!(!error.is_retryable());
    assert_eq!(
        transaction.commit().await.unwrap_err().kind(),
        ErrorKind::InvalidOperation
    );
    assert_eq!(tables.psql("select count(*) from commandbus.command"), "0");
    database.bus().send(ship()).await.unwrap();
}

/// C2 in small: after a restart of the server the next call works.
#[tokio::test]
async fn a_restart_of_the_server_is_survived() {
    let server = Server::start(Options::new());
    let tables = server.database();
    let database = ready(tables.url()).await;
    let before = ship();
    database.bus().send(before.clone()).await.unwrap();
    for signal in ["INT", "KILL"] {
        server.kill(signal);
        let error = database.bus().send(ship()).await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        server.restart();
        database.bus().send(ship()).await.unwrap();
    }
    assert!(
        database
            .bus()
            .command_exists("orders", before.id())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn an_address_that_cannot_work_is_told_at_once_and_without_its_secrets() {
    let error = Database::connect("postgres://u:secret@[bad/x")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(!format!("{error} {error:?}").contains("secret"));
    let error = Database::connect("postgresql://u:secret@127.0.0.1:1/x")
        .await
        .unwrap_err();
    assert!(error.is_retryable());
    assert!(!format!("{error} {error:?}").contains("secret"));
}
