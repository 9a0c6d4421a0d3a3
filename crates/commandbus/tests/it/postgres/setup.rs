//! Setup: modes, repetition, upgrades.

use commandbus::{Command, CommandId, ErrorKind, SetupMode, replace_embedded_sql, schema_sql};

use super::{connect, tables};

/// The columns, types, nullability and defaults of all tables of the bus.
const SHAPE: &str = "select string_agg(concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default), E'\\n' \
     order by table_name, column_name) from information_schema.columns where table_schema = 'commandbus'";

/// The tables as the first step of the peer's schema left them: no type of a batch, no count of failures, no processes,
/// and functions of other shapes.
const STEP_1: &str = "
create schema commandbus;
create table commandbus.batch (
    domain text not null, batch_id uuid not null, name text, custom_data jsonb, status text not null default 'PENDING',
    total_count int not null default 0, completed_count int not null default 0, canceled_count int not null default 0,
    in_troubleshooting_count int not null default 0, created_at timestamptz not null default now(),
    started_at timestamptz, completed_at timestamptz, primary key (domain, batch_id));
create table commandbus.command (
    domain text not null, queue_name text not null, msg_id bigint, command_id uuid not null, command_type text not null,
    status text not null, attempts int not null default 0, max_attempts int not null, lease_expires_at timestamptz,
    last_error_type text, last_error_code text, last_error_msg text, created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(), reply_queue text not null default '', correlation_id uuid, batch_id uuid);
create unique index uq_command_domain_cmdid on commandbus.command (domain, command_id);
create index ix_command_status_type on commandbus.command (status, command_type);
create index ix_command_updated on commandbus.command (updated_at);
create table commandbus.audit (
    audit_id bigserial primary key, domain text not null, command_id uuid not null, event_type text not null,
    ts timestamptz not null default now(), details_json jsonb);
create table commandbus.payload_archive (
    domain text not null, command_id uuid not null, payload_json jsonb not null,
    archived_at timestamptz not null default now(), primary key (domain, command_id));
create function commandbus.sp_start_batch(d text, b uuid) returns integer language sql as 'select 7';
create function commandbus.sp_fail_command(d text) returns void language sql as 'select';
create function commandbus.sp_refresh_batch_stats(p_domain text, p_batch_id uuid)
    returns table (completed_count bigint) language sql as 'select 1::bigint';
create function commandbus.other() returns int language sql as 'select 1';
insert into commandbus.batch (domain, batch_id, total_count) values ('orders', '00000000-0000-4000-8000-0000000000b1', 1);
insert into commandbus.command (domain, queue_name, msg_id, command_id, command_type, status, max_attempts, batch_id) values
    ('orders', 'orders__commands', 1, '00000000-0000-4000-8000-0000000000c1', 'Ship', 'PENDING', 3,
     '00000000-0000-4000-8000-0000000000b1'),
    ('orders', 'orders__commands', 2, '00000000-0000-4000-8000-0000000000c2', 'Ship', 'IN_TROUBLESHOOTING_QUEUE', 3, null);
insert into commandbus.audit (domain, command_id, event_type) values ('orders', '00000000-0000-4000-8000-0000000000c1', 'SENT');
";

/// What the later steps add.
const STEP_4: &str = "
alter table commandbus.batch add column batch_type text not null default 'COMMAND';
alter table commandbus.batch add column failed_count int not null default 0;
create table commandbus.process (
    domain varchar(255) not null, process_id uuid not null, process_type varchar(255) not null,
    status varchar(50) not null default 'PENDING', current_step varchar(255), state jsonb not null default '{}',
    error_code varchar(255), error_message text, created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(), completed_at timestamptz, batch_id uuid,
    primary key (domain, process_id));
insert into commandbus.process (domain, process_id, process_type) values
    ('orders', '00000000-0000-4000-8000-0000000000d1', 'Order');
";

#[tokio::test]
async fn setup_is_done_once_whoever_asks() {
    let tables = tables();
    let database = connect(&tables).await;
    assert!(!database.schema_exists().await.unwrap());
    let setups: Vec<_> = (0..8)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.setup(SetupMode::Auto).await.unwrap() })
        })
        .collect();
    let mut changed = 0;
    for setup in setups {
        changed += usize::from(setup.await.unwrap());
    }
    assert_eq!(changed, 1);
    assert!(database.schema_exists().await.unwrap());
    assert!(!database.setup(SetupMode::Embedded).await.unwrap());
    assert!(!database.setup(SetupMode::Installed).await.unwrap());
}

#[tokio::test]
async fn modes_decide_what_may_be_installed() {
    let tables = tables();
    let database = connect(&tables).await;
    for mode in [SetupMode::Installed, SetupMode::Extension] {
        let error = database.setup(mode).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PgmqMissing);
        assert_eq!(
            tables
                .psql("select count(*) from pg_namespace where nspname in ('pgmq', 'commandbus')"),
            "0"
        );
    }
    // Something that has the functions of PGMQ and is not ours.
    tables.psql("create schema pgmq");
    for name in [
        "create",
        "send",
        "send_batch",
        "read",
        "delete",
        "archive",
        "set_vt",
    ] {
        tables.psql(&format!(
            "create function pgmq.{name}(a text) returns void language sql as 'select'"
        ));
    }
    let error = database.setup(SetupMode::Embedded).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOperation);
    assert!(database.setup(SetupMode::Auto).await.unwrap());
    assert_eq!(
        tables.psql("select to_regclass('pgmq.cb_embedded') is null"),
        "t"
    );
}

#[tokio::test]
async fn a_call_before_the_setup_names_what_is_missing() {
    let tables = tables();
    let database = connect(&tables).await;
    let command = Command::new("orders", "Ship", CommandId::random());
    assert_eq!(
        database
            .bus()
            .send(command.clone())
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::SchemaMissing
    );
    assert_eq!(
        database.create_queue("q").await.unwrap_err().kind(),
        ErrorKind::PgmqMissing
    );
    let error = database
        .bus()
        .get_command("orders", command.id())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMissing);
}

#[tokio::test]
async fn older_forms_are_brought_to_the_same_shape_and_keep_their_rows() {
    let fresh = tables();
    connect(&fresh)
        .await
        .setup(SetupMode::Embedded)
        .await
        .unwrap();
    let shape = fresh.psql(SHAPE);
    for steps in [STEP_1.to_owned(), format!("{STEP_1}{STEP_4}")] {
        let tables = tables();
        tables.psql(&steps);
        let database = connect(&tables).await;
        assert!(!database.schema_exists().await.unwrap());
        assert!(database.setup(SetupMode::Embedded).await.unwrap());
        assert_eq!(tables.psql(SHAPE), shape);
        assert!(!database.setup(SetupMode::Embedded).await.unwrap());
        assert_eq!(tables.psql("select count(*) from commandbus.command"), "2");
        assert_eq!(
            tables.psql("select failed_count || batch_type from commandbus.batch"),
            "0COMMAND"
        );
        assert_eq!(
            tables.psql("select commandbus.other()"),
            "1",
            "functions of others stay"
        );
        assert_eq!(
            tables.psql("select count(*) from pg_indexes where indexname = 'ix_command_updated'"),
            "1",
            "indexes of others stay"
        );
        // What it found works on.
        database.ensure_domain("orders").await.unwrap();
        assert_eq!(
            tables.psql(
                "select commandbus.sp_start_batch('orders', '00000000-0000-4000-8000-0000000000b1')"
            ),
            "t"
        );
        let queue = database.troubleshooting();
        assert_eq!(queue.list_command_ids(None).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_function_that_somebody_replaced_is_restored() {
    let tables = tables();
    let database = connect(&tables).await;
    database.setup(SetupMode::Embedded).await.unwrap();
    tables.psql(
        "create or replace function commandbus.sp_start_batch(p_domain text, p_batch_id uuid) returns boolean \
         language sql as 'select true'",
    );
    assert!(!database.schema_exists().await.unwrap());
    assert!(database.setup(SetupMode::Embedded).await.unwrap());
    assert!(database.schema_exists().await.unwrap());
    let id = CommandId::random();
    assert_eq!(
        tables.psql(&format!(
            "select commandbus.sp_start_batch('orders', '{id}')"
        )),
        "f"
    );
}

#[tokio::test]
async fn the_text_of_the_schema_does_what_the_setup_does() {
    let (by_hand, fresh) = (tables(), tables());
    connect(&fresh)
        .await
        .setup(SetupMode::Embedded)
        .await
        .unwrap();
    by_hand.psql(&format!("begin; {} commit", schema_sql()));
    let database = connect(&by_hand).await;
    assert!(database.schema_exists().await.unwrap());
    assert_eq!(by_hand.psql(SHAPE), fresh.psql(SHAPE));
    // Only the queue is missing.
    assert!(database.setup(SetupMode::Embedded).await.unwrap());
    assert!(!database.setup(SetupMode::Embedded).await.unwrap());
}

#[tokio::test]
async fn queues_are_created_once_and_named_safely() {
    let tables = tables();
    let database = connect(&tables).await;
    database.setup(SetupMode::Embedded).await.unwrap();
    let creations: Vec<_> = (0..8)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.create_queue("q").await })
        })
        .collect();
    for creation in creations {
        creation.await.unwrap().unwrap();
    }
    assert_eq!(tables.psql("select count(*) from pgmq.meta"), "1");
    for bad in ["", "Q", "a-b", "a\"b", &"q".repeat(48)] {
        assert_eq!(
            database.create_queue(bad).await.unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }
    database.create_queue("q".repeat(47)).await.unwrap();
    let stats = database.queue_stats("orders").await.unwrap();
    assert_eq!(stats, None);
    database.ensure_domain("orders").await.unwrap();
    database
        .bus()
        .send(Command::new("orders", "Ship", CommandId::random()))
        .await
        .unwrap();
    let later = Command::new("orders", "Ship", CommandId::random())
        .delay(std::time::Duration::from_secs(60));
    database.bus().send(later).await.unwrap();
    let stats = database.queue_stats("orders").await.unwrap().unwrap();
    assert_eq!((stats.visible, stats.leased, stats.archived), (1, 1, 0));
    assert!(stats.oldest_age.is_some());
}

/// The embedded queue gives way to a real PGMQ, and what was in it is there.
#[tokio::test]
#[ignore = "needs COMMANDBUS_PGMQ_SQL, a file with the SQL of PGMQ"]
async fn the_embedded_queue_is_replaced_by_a_real_one() {
    let file = std::env::var_os("COMMANDBUS_PGMQ_SQL").expect("COMMANDBUS_PGMQ_SQL is set");
    let pgmq = std::fs::read_to_string(file).unwrap();
    let tables = tables();
    let database = connect(&tables).await;
    database.setup(SetupMode::Embedded).await.unwrap();
    database.ensure_domain("orders").await.unwrap();
    let bus = database.bus();
    let mut sent = Vec::new();
    for _ in 0..3 {
        let command =
            Command::new("orders", "Ship", CommandId::random()).reply_to("orders__replies");
        sent.push(bus.send(command).await.unwrap());
    }
    bus.cancel_pending("orders", sent[2].command_id, "x")
        .await
        .unwrap();
    let look = "select (select string_agg(msg_id || message::text || enqueued_at, ' ' order by msg_id) from pgmq.q_orders__commands)
        || (select string_agg(msg_id || message::text || archived_at, ' ' order by msg_id) from pgmq.a_orders__commands)
        || (select string_agg(msg_id || message::text, ' ' order by msg_id) from pgmq.q_orders__replies)";
    let before = tables.psql(look);
    let (first, second) = replace_embedded_sql();
    tables.psql(&format!("begin; {first}; {pgmq}; {second}; commit"));
    assert_eq!(tables.psql(look), before);
    assert_eq!(
        tables.psql("select to_regclass('pgmq.cb_embedded') is null"),
        "t"
    );
    assert!(!database.setup(SetupMode::Installed).await.unwrap());
    let next = bus
        .send(Command::new("orders", "Ship", CommandId::random()))
        .await
        .unwrap();
    assert_eq!(next.msg_id, sent[2].msg_id + 1, "an id never comes again");
}
