-- Leasing.

-- A UUID in text, or null.
create function commandbus.cb_uuid(p_text text) returns uuid language sql immutable as $body$
    select case when p_text ~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' then p_text::uuid end;
$body$;

-- A row of cb_lease. Kinds: 0 to be handled, 1 malformed, 2 no such command, 3 decided or with an operator, 4 another
-- domain, 5 its leases ran out too often; -1 alone: there is no queue.
create type commandbus.cb_leased as (
    kind int, msg_id bigint, command_id uuid, attempt int, attempt_limit int, command_type text, data jsonb,
    correlation text, reply_to text, batch_id uuid, created_at timestamptz, lease_end timestamptz);

-- Leases messages and counts the attempts. What no handler may see is archived.
--
-- The messages are read into arrays first: joining the read to the table of commands would let the planner guess a
-- thousand rows and scan the table. The settings make the lookups of the join by index whatever the statistics say.
create function commandbus.cb_lease(
    p_domain text, p_queue text, p_visibility int, p_limit int, p_max_attempts int, p_running bigint[])
returns setof commandbus.cb_leased
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $body$
declare
    v_msgs bigint[];
    v_ids uuid[];
    v_ends timestamptz[];
    v_bodies jsonb[];
    v_kinds int[];
    v_found bigint[] := '{}';
    v_archive bigint[] := '{}';
    v_batches uuid[] := '{}';
    v_over uuid[] := '{}';
    v_row commandbus.cb_leased;
    v_left record;
begin
    if commandbus.cb_queue(p_queue) is null then
        v_row.kind := -1;
        return next v_row;
        return;
    end if;
    select array_agg(m.msg_id), array_agg(m.message), array_agg(m.vt)
    into v_msgs, v_bodies, v_ends
    from (select r.msg_id, r.message, r.vt from pgmq.read(p_queue, p_visibility, p_limit) r order by r.msg_id) m;
    if v_msgs is null then
        return;
    end if;

    begin
        -- Nearly always all messages are good, and this succeeds.
        v_ids := array(
            select case when b.body ->> 'domain' = p_domain then (b.body ->> 'command_id')::uuid
                        else ('another ' || p_domain)::uuid end
            from unnest(v_bodies) with ordinality as b(body, place) order by b.place);
    exception when invalid_text_representation then
        select array_agg(c.id order by c.place), array_agg(c.kind order by c.place)
        into v_ids, v_kinds
        from (
            select b.place,
                   case when jsonb_typeof(b.body) = 'object' and jsonb_typeof(b.body -> 'command_id') = 'string'
                        then commandbus.cb_uuid(b.body ->> 'command_id') end as id,
                   case when jsonb_typeof(b.body) is distinct from 'object'
                          or coalesce(jsonb_typeof(b.body -> 'domain'), 'null') not in ('string', 'null') then 1
                        when coalesce(b.body ->> 'domain', p_domain) <> p_domain then 4
                        else 0 end as kind
            from unnest(v_bodies) with ordinality as b(body, place)
        ) c;
    end;

    for v_row in
        with wanted as (
            -- Of two messages of one command the older one counts; the other waits for its turn.
            select distinct on (u.id) u.id, u.msg_id, u.lease_end, u.place, u.body,
                   case when u.body ? 'max_attempts' and jsonb_typeof(u.body -> 'max_attempts') = 'number'
                          and (u.body ->> 'max_attempts')::numeric between 1 and 2147483647
                        then (u.body ->> 'max_attempts')::numeric::int
                        else p_max_attempts end as attempt_limit,
                   u.msg_id = any(p_running) as is_running
            from unnest(v_msgs, v_ids, v_kinds, v_ends, v_bodies) with ordinality
                 as u(msg_id, id, kind, lease_end, body, place)
            where coalesce(u.kind, 0) = 0 and u.id is not null
            order by u.id, u.msg_id
        ), counted as (
            update commandbus.command c
            set attempts = c.attempts + 1,
                status = case when c.attempts < w.attempt_limit or w.is_running then 'IN_PROGRESS' else 'IN_TROUBLESHOOTING_QUEUE' end,
                last_error_type = case when c.attempts < w.attempt_limit or w.is_running then c.last_error_type else 'TRANSIENT' end,
                last_error_code = case when c.attempts < w.attempt_limit or w.is_running then c.last_error_code else 'LEASE_EXPIRED' end,
                last_error_msg = case when c.attempts < w.attempt_limit or w.is_running or c.last_error_msg is not null then c.last_error_msg
                                      else 'no attempt reported before its lease ran out' end,
                lease_expires_at = case when c.attempts < w.attempt_limit or w.is_running then w.lease_end end,
                updated_at = now()
            from wanted w
            where c.domain = p_domain and c.command_id = w.id and c.status in ('PENDING', 'IN_PROGRESS')
            returning c.command_id, c.command_type, c.status, c.attempts, c.max_attempts, c.last_error_msg, c.batch_id,
                      c.created_at, w.msg_id, w.attempt_limit, w.lease_end, w.place, w.body
        ), events as (
            insert into commandbus.audit (domain, command_id, event_type, details_json)
            select p_domain, c.command_id, 'RECEIVED', jsonb_build_object(
                'msg_id', c.msg_id, 'attempt', c.attempts, 'max_attempts', c.max_attempts)
            from counted c
        )
        select case c.status when 'IN_PROGRESS' then 0 else 5 end as kind, c.msg_id, c.command_id, c.attempts,
               c.attempt_limit, coalesce(c.body ->> 'command_type', c.command_type),
               coalesce(nullif(c.body -> 'data', 'null'), '{}'), c.body ->> 'correlation_id',
               nullif(c.body ->> 'reply_to', ''), c.batch_id, c.created_at, c.lease_end
        from counted c order by c.place
    loop
        return next v_row;
        v_found := v_found || v_row.msg_id;
        if v_row.kind = 5 then
            v_archive := v_archive || v_row.msg_id;
            v_over := v_over || v_row.batch_id;
            insert into commandbus.audit (domain, command_id, event_type, details_json)
            select p_domain, c.command_id, 'MOVED_TO_TSQ', jsonb_build_object(
                'msg_id', v_row.msg_id, 'attempt', c.attempts, 'max_attempts', c.max_attempts,
                'reason', 'LEASE_EXPIRED', 'error_type', 'TRANSIENT', 'error_code', 'LEASE_EXPIRED',
                'error_msg', c.last_error_msg)
            from commandbus.command c where c.domain = p_domain and c.command_id = v_row.command_id;
        end if;
        if v_row.batch_id is not null and not v_row.batch_id = any(v_batches) then
            v_batches := v_batches || v_row.batch_id;
        end if;
    end loop;

    -- What had no open command, or could not have one.
    if cardinality(v_found) < cardinality(v_msgs) then
        for v_left in
            select u.msg_id, u.id, coalesce(u.kind, 0) as kind from unnest(v_msgs, v_ids, v_kinds) as u(msg_id, id, kind)
            where not u.msg_id = any(v_found) order by u.msg_id
        loop
            v_row := null;
            v_row.msg_id := v_left.msg_id;
            v_row.kind := v_left.kind;
            if v_left.kind = 0 and v_left.id is null then
                v_row.kind := 1;
            elsif v_left.kind = 0 then
                select case when c.status in ('PENDING', 'IN_PROGRESS') then 0 else 3 end into v_row.kind
                from commandbus.command c where c.domain = p_domain and c.command_id = v_left.id;
                if not found then
                    v_row.kind := 2;
                end if;
            end if;
            if v_row.kind <> 0 then
                v_archive := v_archive || v_row.msg_id;
                return next v_row;
            end if;
        end loop;
    end if;
    if cardinality(v_archive) > 0 then
        perform pgmq.archive(p_queue, v_archive);
    end if;
    for v_left in select b.id from unnest(v_batches) as b(id) order by b.id loop
        perform commandbus.sp_start_batch(p_domain, v_left.id);
    end loop;
    for v_left in
        select o.id, count(*)::int as n from unnest(v_over) as o(id) where o.id is not null group by o.id order by o.id
    loop
        perform commandbus.cb_batch_add(p_domain, v_left.id, 0, 0, 0, v_left.n);
    end loop;
end $body$;

-- Moves the end of leases, each if it is still held.
create function commandbus.cb_extend(
    p_domain text, p_queue text, p_msgs bigint[], p_ids uuid[], p_attempts int[], p_seconds int)
returns boolean[] language plpgsql as $body$
declare
    v_results boolean[] := array_fill(false, array[cardinality(p_msgs)]);
    v_open boolean[] := commandbus.cb_open(p_domain, p_queue, p_msgs, p_ids, p_attempts);
    v_place int;
begin
    for v_place in select generate_subscripts(v_open, 1) loop
        if v_open[v_place] then
            perform pgmq.set_vt(p_queue, p_msgs[v_place], p_seconds);
            update commandbus.command c set lease_expires_at = clock_timestamp() + make_interval(secs => p_seconds)
            where c.domain = p_domain and c.command_id = p_ids[v_place];
            v_results[v_place] := true;
        end if;
    end loop;
    return v_results;
end $body$;

-- Gives back leases that no handler began.
create function commandbus.cb_release(
    p_domain text, p_queue text, p_msgs bigint[], p_ids uuid[], p_attempts int[])
returns void language plpgsql as $body$
declare
    v_open boolean[] := commandbus.cb_open(p_domain, p_queue, p_msgs, p_ids, p_attempts);
    v_place int;
begin
    for v_place in select generate_subscripts(v_open, 1) loop
        if v_open[v_place] then
            perform pgmq.set_vt(p_queue, p_msgs[v_place], 0);
            update commandbus.command c
            set attempts = c.attempts - 1, lease_expires_at = null, updated_at = now(),
                status = case when c.attempts = 1 then 'PENDING' else c.status end
            where c.domain = p_domain and c.command_id = p_ids[v_place];
        end if;
    end loop;
    perform pg_notify('pgmq_notify_' || lower(p_queue), '');
end $body$;

-- Locks messages and then commands, in the order of their ids, and tells which attempts still hold theirs.
create function commandbus.cb_open(
    p_domain text, p_queue text, p_msgs bigint[], p_ids uuid[], p_attempts int[])
returns boolean[] language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $body$
declare
    v_there bigint[];
    v_results boolean[];
begin
    if commandbus.cb_queue(p_queue) is not null then
        execute format(
            'select array_agg(m.msg_id) from (
                 select msg_id from %s where msg_id = any($1) order by msg_id for update) m', commandbus.cb_queue(p_queue))
            into v_there using p_msgs;
    end if;
    perform from (select distinct u.id from unnest(p_ids) as u(id) order by u.id) i
        join commandbus.command c on c.domain = p_domain and c.command_id = i.id
        for no key update of c;
    select array_agg(
        exists (
            select from commandbus.command c
            where c.domain = p_domain and c.command_id = u.id and c.status = 'IN_PROGRESS' and c.attempts = u.attempt
        ) and u.msg_id = any(coalesce(v_there, '{}')) order by u.place)
    into v_results
    from unnest(p_msgs, p_ids, p_attempts) with ordinality as u(msg_id, id, attempt, place);
    return v_results;
end $body$;
