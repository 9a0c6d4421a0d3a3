-- Tables. Every statement may be repeated, and brings older forms of the same tables to this one.
create schema if not exists commandbus;

create table if not exists commandbus.batch (
    domain text not null,
    batch_id uuid not null,
    name text,
    custom_data jsonb,
    status text not null default 'PENDING',
    total_count int not null default 0,
    completed_count int not null default 0,
    canceled_count int not null default 0,
    in_troubleshooting_count int not null default 0,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    completed_at timestamptz,
    primary key (domain, batch_id)
);
alter table commandbus.batch add column if not exists batch_type text not null default 'COMMAND';
alter table commandbus.batch add column if not exists failed_count int not null default 0;
create index if not exists ix_batch_status on commandbus.batch (domain, status);
create index if not exists ix_batch_created on commandbus.batch (domain, created_at desc);

create table if not exists commandbus.command (
    domain text not null,
    queue_name text not null,
    msg_id bigint,
    command_id uuid not null,
    command_type text not null,
    status text not null,
    attempts int not null default 0,
    max_attempts int not null,
    lease_expires_at timestamptz,
    last_error_type text,
    last_error_code text,
    last_error_msg text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    reply_queue text not null default '',
    correlation_id uuid,
    batch_id uuid
);
alter table commandbus.command add column if not exists batch_id uuid;
create unique index if not exists uq_command_domain_cmdid on commandbus.command (domain, command_id);
create index if not exists ix_command_batch on commandbus.command (domain, batch_id) where batch_id is not null;
create index if not exists cb_ix_command_created on commandbus.command (created_at);
create index if not exists cb_ix_command_correlation on commandbus.command (correlation_id) where correlation_id is not null;
-- A command changes its status and its time twice for each attempt. No index here has a column that changes then, and
-- the pages have room, so that those updates touch no index at all. What finds the few commands in the troubleshooting
-- queue is a column of its own, which changes only with them.
alter table commandbus.command set (fillfactor = 60);
alter table commandbus.command add column if not exists cb_troubleshooting boolean
    generated always as (status = 'IN_TROUBLESHOOTING_QUEUE') stored;
create index if not exists cb_ix_command_troubleshooting on commandbus.command (domain, created_at) where cb_troubleshooting;

create table if not exists commandbus.audit (
    audit_id bigserial primary key,
    domain text not null,
    command_id uuid not null,
    event_type text not null,
    ts timestamptz not null default now(),
    details_json jsonb
);
create index if not exists ix_audit_cmdid_ts on commandbus.audit (command_id, ts);

create table if not exists commandbus.payload_archive (
    domain text not null,
    command_id uuid not null,
    payload_json jsonb not null,
    archived_at timestamptz not null default now(),
    primary key (domain, command_id)
);

create table if not exists commandbus.process (
    domain varchar(255) not null,
    process_id uuid not null,
    process_type varchar(255) not null,
    status varchar(50) not null default 'PENDING',
    current_step varchar(255),
    state jsonb not null default '{}',
    error_code varchar(255),
    error_message text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    completed_at timestamptz,
    primary key (domain, process_id)
);
alter table commandbus.process add column if not exists batch_id uuid;
create index if not exists idx_process_type on commandbus.process (domain, process_type);
create index if not exists idx_process_status on commandbus.process (domain, status);
create index if not exists idx_process_created on commandbus.process (created_at);
create index if not exists ix_process_batch_id on commandbus.process (batch_id) where batch_id is not null;
create index if not exists ix_process_batch_status on commandbus.process (batch_id, status) where batch_id is not null;

create table if not exists commandbus.process_audit (
    id bigserial primary key,
    domain varchar(255) not null,
    process_id uuid not null,
    step_name varchar(255) not null,
    command_id uuid not null,
    command_type varchar(255) not null,
    command_data jsonb,
    sent_at timestamptz not null,
    reply_outcome varchar(50),
    reply_data jsonb,
    received_at timestamptz,
    foreign key (domain, process_id) references commandbus.process (domain, process_id)
);
create index if not exists idx_process_audit_process on commandbus.process_audit (domain, process_id);
create index if not exists idx_process_audit_command on commandbus.process_audit (command_id);

create table if not exists commandbus.cb_schema (
    version int primary key,
    digest text not null,
    functions text not null default '',
    installed_at timestamptz not null default now()
);

-- Functions are made anew each time: their bodies, and the names of arguments, may differ from those
-- of an older form or of the peer.
do $drop$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid::regprocedure from pg_proc p
        where p.pronamespace = 'commandbus'::regnamespace
          and (p.proname like 'cb\_%' or p.proname in (
              'sp_receive_command', 'sp_finish_command', 'sp_fail_command', 'sp_start_batch', 'sp_update_batch_counters',
              'sp_tsq_complete', 'sp_tsq_cancel', 'sp_tsq_retry', 'sp_refresh_batch_stats'))
    loop
        execute 'drop function ' || v_function;
    end loop;
    drop type if exists commandbus.cb_leased;
end $drop$;
