-- A minimal message queue with the functions of PGMQ that the bus and its peers call, and the record
-- type of PGMQ 1.5. For servers where PGMQ cannot be installed; never beside a real one.
create schema pgmq;

create table pgmq.cb_embedded (
    version int not null,
    installed_at timestamptz not null default now()
);
comment on table pgmq.cb_embedded is 'This schema is the embedded queue of commandbus and not the extension PGMQ.';
insert into pgmq.cb_embedded (version) values (1);

create table pgmq.meta (
    queue_name varchar unique not null,
    is_partitioned boolean not null default false,
    is_unlogged boolean not null default false,
    created_at timestamptz not null default now()
);

create type pgmq.message_record as (
    msg_id bigint,
    read_ct integer,
    enqueued_at timestamptz,
    vt timestamptz,
    message jsonb,
    headers jsonb
);

create function pgmq.create(queue_name text) returns void language plpgsql as $pgmq$
declare
    v_name text := lower(queue_name);
begin
    if length(v_name) > 47 or v_name !~ '^[a-z0-9_]+$' then
        raise exception 'queue name % is longer than 47 characters or has others than a-z, 0-9 and _', queue_name
            using errcode = '22023';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('pgmq.create.' || v_name, 0));
    execute format('create table if not exists pgmq.%I (
        msg_id bigint primary key generated always as identity,
        read_ct integer not null default 0,
        enqueued_at timestamptz not null default now(),
        vt timestamptz not null,
        message jsonb,
        headers jsonb
    ) with (fillfactor = 70)', 'q_' || v_name);
    execute format('create table if not exists pgmq.%I (
        msg_id bigint primary key,
        read_ct integer not null default 0,
        enqueued_at timestamptz not null default now(),
        archived_at timestamptz not null default now(),
        vt timestamptz not null,
        message jsonb,
        headers jsonb
    )', 'a_' || v_name);
    insert into pgmq.meta (queue_name) values (v_name) on conflict do nothing;
end $pgmq$;

create function pgmq.send_batch(queue_name text, msgs jsonb[], delay integer default 0)
returns setof bigint language plpgsql as $pgmq$
begin
    return query execute format(
        'insert into pgmq.%I (vt, message)
         select clock_timestamp() + make_interval(secs => $2), m.message
         from unnest($1) with ordinality as m(message, place) order by m.place
         returning msg_id', 'q_' || lower(queue_name))
        using msgs, delay;
end $pgmq$;

create function pgmq.send(queue_name text, msg jsonb, delay integer default 0)
returns setof bigint language plpgsql as $pgmq$
begin
    return query execute format(
        'insert into pgmq.%I (vt, message) values (clock_timestamp() + make_interval(secs => $2), $1) returning msg_id',
        'q_' || lower(queue_name))
        using msg, delay;
end $pgmq$;

create function pgmq.read(queue_name text, vt integer, qty integer)
returns setof pgmq.message_record language plpgsql as $pgmq$
begin
    return query execute format(
        'with chosen as materialized (
             select msg_id from pgmq.%1$I
             where vt <= clock_timestamp()
             order by msg_id limit $2
             for update skip locked
         )
         update pgmq.%1$I q
         set vt = clock_timestamp() + make_interval(secs => $1), read_ct = q.read_ct + 1
         from chosen where q.msg_id = chosen.msg_id
         returning q.msg_id, q.read_ct, q.enqueued_at, q.vt, q.message, q.headers', 'q_' || lower(queue_name))
        using vt, qty;
end $pgmq$;

create function pgmq.delete(queue_name text, msg_ids bigint[]) returns setof bigint language plpgsql as $pgmq$
begin
    return query execute format('delete from pgmq.%I where msg_id = any($1) returning msg_id', 'q_' || lower(queue_name))
        using msg_ids;
end $pgmq$;

create function pgmq.delete(queue_name text, msg_id bigint) returns boolean language plpgsql as $pgmq$
begin
    return exists (select from pgmq.delete(queue_name, array[msg_id]));
end $pgmq$;

create function pgmq.archive(queue_name text, msg_ids bigint[]) returns setof bigint language plpgsql as $pgmq$
begin
    return query execute format(
        'with gone as (
             delete from pgmq.%I where msg_id = any($1)
             returning msg_id, read_ct, enqueued_at, vt, message, headers
         )
         insert into pgmq.%I (msg_id, read_ct, enqueued_at, vt, message, headers)
         select msg_id, read_ct, enqueued_at, vt, message, headers from gone
         returning msg_id', 'q_' || lower(queue_name), 'a_' || lower(queue_name))
        using msg_ids;
end $pgmq$;

create function pgmq.archive(queue_name text, msg_id bigint) returns boolean language plpgsql as $pgmq$
begin
    return exists (select from pgmq.archive(queue_name, array[msg_id]));
end $pgmq$;

create function pgmq.set_vt(queue_name text, msg_id bigint, vt integer)
returns setof pgmq.message_record language plpgsql as $pgmq$
begin
    return query execute format(
        'update pgmq.%I q set vt = clock_timestamp() + make_interval(secs => $2) where q.msg_id = $1
         returning q.msg_id, q.read_ct, q.enqueued_at, q.vt, q.message, q.headers', 'q_' || lower(queue_name))
        using msg_id, vt;
end $pgmq$;
