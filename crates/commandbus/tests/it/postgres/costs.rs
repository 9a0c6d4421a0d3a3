//! Costs that must not grow.

use commandbus::{Command, CommandId, SetupMode};
use serde_json::{Value, json};
use testkit::postgres::Database;

use super::{connect, tables};

/// The blocks that a statement looks at.
fn blocks(tables: &Database<'_>, statement: &str) -> u64 {
    // The first run fills caches of the session; psql has a new session each time, so both are in one.
    let text = tables.psql(&format!(
        "begin; savepoint s; {statement}; rollback to s; explain (analyze, buffers, format json) {statement}; rollback"
    ));
    let start = text.find("[\n").expect("a plan in json");
    let plan: Value = serde_json::from_str(&text[start..]).unwrap();
    let plan = &plan[0]["Plan"];
    plan["Shared Hit Blocks"].as_u64().unwrap() + plan["Shared Read Blocks"].as_u64().unwrap()
}

async fn troubleshooting_with_archive(size: u32) -> (u64, u64) {
    let tables = tables();
    let database = connect(&tables).await;
    database.setup(SetupMode::Embedded).await.unwrap();
    database.ensure_domain("orders").await.unwrap();
    tables.psql(&format!(
        "insert into pgmq.a_orders__commands (msg_id, vt, message)
         select n, now(), '{{\"command_id\": \"x\"}}' from generate_series(1000, 999 + {size}) n"
    ));
    tables.psql("vacuum analyze pgmq.a_orders__commands");
    let id = CommandId::random();
    database
        .bus()
        .send(Command::new("orders", "Ship", id).data(json!({"n": 1})))
        .await
        .unwrap();
    tables.psql(
        "with gone as (delete from pgmq.q_orders__commands returning msg_id, vt, message)
         insert into pgmq.a_orders__commands (msg_id, vt, message) select * from gone;
         update commandbus.command
         set status = 'IN_TROUBLESHOOTING_QUEUE', last_error_type = 'PERMANENT', last_error_code = 'BAD'",
    );
    let listing = blocks(
        &tables,
        "select p.*, commandbus.cb_archived(p.queue_name, p.msg_id) from (select c.* from commandbus.command c
             where c.cb_troubleshooting and c.domain = 'orders' order by c.updated_at desc limit 50) p",
    );
    let retry = blocks(
        &tables,
        &format!(
            "select commandbus.cb_operate('orders', array['{id}'::uuid], 'retry', null, null, null)"
        ),
    );
    assert_eq!(
        database
            .troubleshooting()
            .list_command_ids(None)
            .await
            .unwrap(),
        [id]
    );
    database
        .troubleshooting()
        .operator_retry("orders", id)
        .await
        .unwrap();
    (listing, retry)
}

/// T9: listing and retrying cost the same whatever the size of the archive.
#[tokio::test]
async fn t9_the_size_of_the_archive_does_not_matter() {
    let (listing, retry) = troubleshooting_with_archive(10_000).await;
    let (large_listing, large_retry) = troubleshooting_with_archive(1_000_000).await;
    assert!(listing > 0 && retry > 0);
    assert!(
        large_listing <= 2 * listing,
        "listing: {listing} blocks, then {large_listing}"
    );
    assert!(
        large_retry <= 2 * retry,
        "retry: {retry} blocks, then {large_retry}"
    );
}

/// Leasing looks commands up by index, however many there are and whatever the statistics say.
#[tokio::test]
async fn leasing_costs_the_same_however_many_commands_there_are() {
    let tables = tables();
    let database = connect(&tables).await;
    database.setup(SetupMode::Embedded).await.unwrap();
    database.ensure_domain("orders").await.unwrap();
    let lease =
        "select count(*) from commandbus.cb_lease('orders', 'orders__commands', 30, 10, 3, '{}')";
    let mut costs = Vec::new();
    for more in [1_000, 300_000] {
        // Not analysed: the planner has no idea.
        tables.psql(&format!(
            "insert into commandbus.command (domain, queue_name, command_id, command_type, status, max_attempts)
             select 'orders', 'orders__commands', gen_random_uuid(), 'Ship', 'COMPLETED', 3 from generate_series(1, {more})"
        ));
        let commands = (0..50)
            .map(|_| Command::new("orders", "Ship", CommandId::random()))
            .collect();
        database.bus().send_batch(commands).await.unwrap();
        costs.push(blocks(&tables, lease));
    }
    assert!(costs[1] <= 2 * costs[0], "{costs:?}");
}
