-- Operator actions.

-- The archived message of a command, by the id of the message.
create function commandbus.cb_archived(p_queue text, p_msg_id bigint) returns jsonb language plpgsql stable as $body$
declare
    v_table regclass := to_regclass(format('pgmq.%I', 'a_' || lower(p_queue)));
    v_message jsonb;
begin
    if v_table is not null then
        execute format('select message from %s where msg_id = $1', v_table) into v_message using p_msg_id;
    end if;
    return v_message;
end $body$;

-- The newest archived message that names a command: a scan, for archives whose ids were changed.
create function commandbus.cb_archived_of(p_queue text, p_command_id uuid) returns jsonb language plpgsql stable as $body$
declare
    v_table regclass := to_regclass(format('pgmq.%I', 'a_' || lower(p_queue)));
    v_message jsonb;
begin
    if v_table is not null then
        execute format('select message from %s where message ->> ''command_id'' = $1 order by msg_id desc limit 1', v_table)
            into v_message using p_command_id::text;
    end if;
    return v_message;
end $body$;

-- Applies one action to commands. Actions: `retry`, `cancel`, `complete`, and `withdraw` for commands that no worker
-- received yet. Results: 0 done, 1 not found, 2 nothing to send again, 3 another status (in `statuses`).
create function commandbus.cb_operate(
    p_domain text, p_ids uuid[], p_action text, p_operator text, p_reason text, p_result jsonb,
    out results int[], out statuses text[], out msg_ids bigint[], out finished uuid[])
language plpgsql as $body$
declare
    v_place int;
    v_row commandbus.command;
    v_payload jsonb;
    v_batches uuid[] := '{}';
    v_count record;
    v_queues text[] := '{}';
    v_replies jsonb[] := '{}';
    v_wanted text := case when p_action = 'withdraw' then 'PENDING' else 'IN_TROUBLESHOOTING_QUEUE' end;
begin
    results := array_fill(1, array[cardinality(p_ids)]);
    statuses := array_fill(null::text, array[cardinality(p_ids)]);
    msg_ids := array_fill(null::bigint, array[cardinality(p_ids)]);
    finished := '{}';
    if p_action = 'withdraw' then
        -- The messages before the rows, as everywhere.
        for v_row in
            select c.* from commandbus.command c
            where c.domain = p_domain and c.command_id = any(p_ids) and c.status = 'PENDING' order by c.msg_id
        loop
            if commandbus.cb_queue(v_row.queue_name) is not null then
                execute format('select from %s where msg_id = $1 for update', commandbus.cb_queue(v_row.queue_name))
                    using v_row.msg_id;
            end if;
        end loop;
    end if;
    for v_place in select u.place from unnest(p_ids) with ordinality as u(id, place) order by u.id, u.place loop
        select * into v_row from commandbus.command c
        where c.domain = p_domain and c.command_id = p_ids[v_place] for update;
        if not found then
            continue;
        end if;
        if v_row.status <> v_wanted then
            results[v_place] := 3;
            statuses[v_place] := v_row.status;
            continue;
        end if;
        if p_action = 'retry' then
            v_payload := coalesce(
                commandbus.cb_archived(v_row.queue_name, v_row.msg_id),
                commandbus.cb_archived_of(v_row.queue_name, v_row.command_id));
            if v_payload is null or commandbus.cb_queue(v_row.queue_name) is null then
                results[v_place] := 2;
                continue;
            end if;
            msg_ids[v_place] := (select s.msg_id from pgmq.send(v_row.queue_name, v_payload, 0) as s(msg_id));
            update commandbus.command c
            set status = 'PENDING', attempts = 0, msg_id = msg_ids[v_place], last_error_type = null,
                last_error_code = null, last_error_msg = null, lease_expires_at = null, updated_at = now()
            where c.domain = p_domain and c.command_id = v_row.command_id;
            insert into commandbus.audit (domain, command_id, event_type, details_json)
            values (p_domain, v_row.command_id, 'OPERATOR_RETRY', jsonb_build_object(
                'operator', p_operator, 'new_msg_id', msg_ids[v_place]));
            perform pg_notify('pgmq_notify_' || lower(v_row.queue_name), '');
        else
            if p_action = 'withdraw' then
                perform pgmq.archive(v_row.queue_name, v_row.msg_id);
            end if;
            update commandbus.command c
            set status = case when p_action = 'complete' then 'COMPLETED' else 'CANCELED' end, updated_at = now()
            where c.domain = p_domain and c.command_id = v_row.command_id;
            insert into commandbus.audit (domain, command_id, event_type, details_json)
            values (p_domain, v_row.command_id,
                case when p_action = 'complete' then 'OPERATOR_COMPLETE' else 'OPERATOR_CANCEL' end,
                case when p_action = 'complete' then jsonb_build_object(
                    'operator', p_operator, 'has_result_data', p_result is not null, 'reply_to', nullif(v_row.reply_queue, ''))
                else jsonb_build_object(
                    'operator', p_operator, 'reason', p_reason, 'reply_to', nullif(v_row.reply_queue, '')) end);
            if v_row.reply_queue <> '' then
                v_queues := v_queues || v_row.reply_queue;
                v_replies := v_replies || case when p_action = 'complete' then jsonb_build_object(
                        'command_id', v_row.command_id, 'correlation_id', v_row.correlation_id, 'outcome', 'SUCCESS',
                        'result', p_result)
                    else jsonb_build_object(
                        'command_id', v_row.command_id, 'correlation_id', v_row.correlation_id, 'outcome', 'CANCELED',
                        'reason', p_reason) end;
            end if;
        end if;
        results[v_place] := 0;
        if v_row.batch_id is not null then
            v_batches := v_batches || v_row.batch_id;
        end if;
    end loop;
    for v_count in
        select b.id, count(*)::int as n from unnest(v_batches) as b(id) group by b.id order by b.id
    loop
        if commandbus.cb_batch_add(
            p_domain, v_count.id,
            case when p_action = 'complete' then v_count.n else 0 end, 0,
            case when p_action in ('cancel', 'withdraw') then v_count.n else 0 end,
            case when p_action = 'withdraw' then 0 else -v_count.n end)
        then
            finished := finished || v_count.id;
        end if;
    end loop;
    for v_place in select generate_subscripts(v_queues, 1) loop
        perform commandbus.cb_reply(v_queues[v_place], v_replies[v_place]);
    end loop;
end $body$;
