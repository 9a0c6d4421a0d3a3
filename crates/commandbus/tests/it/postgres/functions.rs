//! The functions that peers call, with loosely typed arguments by position.

use commandbus::SetupMode;
use testkit::postgres::Database;

use super::{connect, tables};

const C: &str = "00000000-0000-4000-8000-0000000000c1";
const B: &str = "00000000-0000-4000-8000-0000000000b1";

/// A command of a batch of `total`, in a status.
async fn with_command(status: &str, total: u32) -> Database<'static> {
    let tables = tables();
    let database = connect(&tables).await;
    database.setup(SetupMode::Embedded).await.unwrap();
    database.ensure_domain("orders").await.unwrap();
    tables.psql(&format!(
        "insert into commandbus.batch (domain, batch_id, total_count) values ('orders', '{B}', {total});
         insert into commandbus.command (domain, queue_name, msg_id, command_id, command_type, status, max_attempts, batch_id)
         values ('orders', 'orders__commands', 1, '{C}', 'Ship', '{status}', 3, '{B}')"
    ));
    tables
}

fn call(tables: &Database<'_>, call: &str) -> String {
    tables.psql(&format!("select * from commandbus.{call}"))
}

fn events(tables: &Database<'_>) -> String {
    tables.psql("select string_agg(event_type, ' ' order by audit_id) from commandbus.audit")
}

fn counts(tables: &Database<'_>) -> String {
    tables.psql(
        "select concat_ws(' ', status, completed_count, failed_count, canceled_count, in_troubleshooting_count) \
         from commandbus.batch",
    )
}

#[tokio::test]
async fn receive_counts_and_returns_the_row_by_position() {
    let tables = with_command("PENDING", 1).await;
    let row = call(
        &tables,
        &format!("sp_receive_command('orders', '{C}', 'IN_PROGRESS', 77, 5)"),
    );
    let fields: Vec<&str> = row.split('|').collect();
    assert_eq!(
        fields[..7],
        ["orders", C, "Ship", "IN_PROGRESS", "1", "5", "77"]
    );
    assert_eq!((fields.len(), fields[14]), (15, B));
    assert_eq!(
        call(&tables, &format!("sp_receive_command('orders', '{C}')"))
            .split('|')
            .nth(5),
        Some("3")
    );
    assert_eq!(events(&tables), "RECEIVED BATCH_STARTED RECEIVED");
    assert_eq!(counts(&tables), "IN_PROGRESS 0 0 0 0");
    for status in [
        "COMPLETED",
        "FAILED",
        "CANCELED",
        "IN_TROUBLESHOOTING_QUEUE",
    ] {
        tables.psql(&format!(
            "update commandbus.command set status = '{status}'"
        ));
        assert_eq!(
            call(&tables, &format!("sp_receive_command('orders', '{C}')")),
            ""
        );
    }
    assert_eq!(
        call(&tables, &format!("sp_receive_command('billing', '{C}')")),
        ""
    );
    assert_eq!(tables.psql("select attempts from commandbus.command"), "2");
}

#[tokio::test]
async fn finish_counts_once_and_never_leaves_a_final_status() {
    let tables = with_command("IN_PROGRESS", 2).await;
    let finish = |status: &str, event: &str| {
        call(
            &tables,
            &format!(
                "sp_finish_command('orders', '{C}', '{status}', '{event}', null, 'CODE', null, '{{}}', '{B}')"
            ),
        )
    };
    assert_eq!(finish("IN_TROUBLESHOOTING_QUEUE", "MOVED_TO_TSQ"), "f");
    assert_eq!(counts(&tables), "PENDING 0 0 0 1");
    assert_eq!(finish("IN_TROUBLESHOOTING_QUEUE", "MOVED_TO_TSQ"), "f");
    assert_eq!(counts(&tables), "PENDING 0 0 0 1");
    tables.psql("update commandbus.batch set total_count = 1");
    assert_eq!(finish("COMPLETED", "COMPLETED"), "t");
    assert_eq!(counts(&tables), "COMPLETED 1 0 0 0");
    assert_eq!(finish("IN_TROUBLESHOOTING_QUEUE", "MOVED_TO_TSQ"), "f");
    assert_eq!(finish("FAILED", "BUSINESS_RULE_FAILED"), "f");
    assert_eq!(
        tables.psql(
            "select status, last_error_code, last_error_type is null from commandbus.command"
        ),
        "COMPLETED|CODE|t"
    );
    assert_eq!(
        events(&tables),
        "MOVED_TO_TSQ MOVED_TO_TSQ COMPLETED BATCH_COMPLETED MOVED_TO_TSQ BUSINESS_RULE_FAILED"
    );
    let missing = "00000000-0000-4000-8000-0000000000ff";
    assert_eq!(
        call(
            &tables,
            &format!("sp_finish_command('orders', '{missing}', 'COMPLETED', 'COMPLETED')")
        ),
        "f"
    );
}

#[tokio::test]
async fn a_business_rule_finishes_a_batch_with_failures() {
    let tables = with_command("IN_PROGRESS", 1).await;
    let call = call(
        &tables,
        &format!(
            "sp_finish_command('orders', '{C}', 'FAILED', 'BUSINESS_RULE_FAILED', 'BUSINESS_RULE', 'X', 'no', null, '{B}')"
        ),
    );
    assert_eq!(call, "t");
    assert_eq!(counts(&tables), "COMPLETED_WITH_FAILURES 0 1 0 0");
}

#[tokio::test]
async fn fail_notes_the_error_and_keeps_the_status() {
    let tables = with_command("IN_PROGRESS", 1).await;
    let fail = format!("sp_fail_command('orders', '{C}', 'TRANSIENT', 'T', 'late', 1, 3, 9)");
    assert_eq!(call(&tables, &fail), "t");
    assert_eq!(
        tables.psql("select status, last_error_type, last_error_code, last_error_msg from commandbus.command"),
        "IN_PROGRESS|TRANSIENT|T|late"
    );
    assert_eq!(
        tables.psql("select details_json from commandbus.audit"),
        r#"{"msg_id": 9, "attempt": 1, "error_msg": "late", "error_code": "T", "error_type": "TRANSIENT", "max_attempts": 3}"#
    );
    assert_eq!(call(&tables, &fail.replace("orders", "billing")), "f");
}

#[tokio::test]
async fn counters_move_as_they_are_told_and_finish_the_batch_once() {
    let tables = with_command("PENDING", 3).await;
    assert_eq!(
        call(&tables, &format!("sp_start_batch('orders', '{B}')")),
        "t"
    );
    assert_eq!(
        call(&tables, &format!("sp_start_batch('orders', '{B}')")),
        "f"
    );
    let update = |kind: &str| {
        call(
            &tables,
            &format!("sp_update_batch_counters('orders', '{B}', '{kind}')"),
        )
    };
    for (kind, expected) in [
        ("tsq_move", "IN_PROGRESS 0 0 0 1"),
        ("tsq_retry", "IN_PROGRESS 0 0 0 0"),
        ("tsq_move", "IN_PROGRESS 0 0 0 1"),
        ("complete", "IN_PROGRESS 1 0 0 1"),
        ("failed", "IN_PROGRESS 1 1 0 1"),
    ] {
        assert_eq!(update(kind), "f");
        assert_eq!(counts(&tables), expected);
    }
    assert_eq!(
        call(&tables, &format!("sp_tsq_retry('orders', '{B}')")),
        "f"
    );
    assert_eq!(update("tsq_move"), "f");
    assert_eq!(
        call(&tables, &format!("sp_tsq_cancel('orders', '{B}')")),
        "t"
    );
    assert_eq!(counts(&tables), "COMPLETED_WITH_FAILURES 1 1 1 0");
    assert_eq!(events(&tables), "BATCH_STARTED BATCH_COMPLETED");
    let refused = tables.psql(&format!(
        "do $$ begin perform commandbus.sp_update_batch_counters('orders', '{B}', 'other'); raise exception 'accepted';
         exception when invalid_parameter_value then null; end $$"
    ));
    assert_eq!(refused, "");
}

#[tokio::test]
async fn refresh_counts_commands_and_waits_for_the_troubleshooting_queue() {
    let tables = with_command("IN_TROUBLESHOOTING_QUEUE", 1).await;
    let refresh = format!("sp_refresh_batch_stats('orders', '{B}')");
    assert_eq!(call(&tables, &refresh), "0|0|0|1|f");
    assert_eq!(counts(&tables), "IN_PROGRESS 0 0 0 1");
    tables.psql("update commandbus.command set status = 'CANCELED'");
    assert_eq!(call(&tables, &refresh), "0|0|1|0|t");
    assert_eq!(counts(&tables), "COMPLETED_WITH_FAILURES 0 0 1 0");
    assert_eq!(call(&tables, &refresh.replace("orders", "billing")), "");
}

#[tokio::test]
async fn refresh_counts_processes() {
    let tables = with_command("IN_TROUBLESHOOTING_QUEUE", 3).await;
    tables.psql(&format!(
        "update commandbus.batch set batch_type = 'PROCESS', total_count = 4;
         insert into commandbus.process (domain, process_id, process_type, status, batch_id) values
             ('orders', '{C}', 'P', 'WAITING', '{B}'), ('orders', gen_random_uuid(), 'P', 'COMPLETED', '{B}'),
             ('orders', gen_random_uuid(), 'P', 'COMPENSATED', '{B}'), ('orders', gen_random_uuid(), 'P', 'CANCELED', '{B}');
         update commandbus.command set correlation_id = '{C}'"
    ));
    let refresh = format!("sp_refresh_batch_stats('orders', '{B}')");
    assert_eq!(call(&tables, &refresh), "2|0|1|1|f");
    tables.psql("update commandbus.process set status = 'FAILED' where status = 'WAITING'");
    assert_eq!(call(&tables, &refresh), "2|0|2|0|t");
    assert_eq!(counts(&tables), "COMPLETED_WITH_FAILURES 2 0 2 0");
}
