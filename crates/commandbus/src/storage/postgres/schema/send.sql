-- Sending.

-- The name of the table of a queue, or null if the queue does not exist.
create function commandbus.cb_queue(p_queue text) returns regclass language sql stable as $body$
    select to_regclass(format('pgmq.%I', 'q_' || lower(p_queue)));
$body$;

-- Sends commands of one domain, all or none. What is refused is told in `problem`, so that a transaction
-- around it goes on.
create function commandbus.cb_send(
    p_domain text, p_queue text, p_ids uuid[], p_types text[], p_correlations uuid[], p_replies text[], p_limits int[],
    p_messages jsonb[], p_delay int, p_batch_id uuid, p_new_batch boolean,
    out problem text, out detail text, out msg_ids bigint[])
language plpgsql as $body$
declare
    v_count int;
begin
    if commandbus.cb_queue(p_queue) is null then
        problem := 'queue';
        detail := p_queue;
        return;
    end if;
    select r.name into detail
    from (select distinct u.name from unnest(p_replies) as u(name) where u.name <> '') r
    where commandbus.cb_queue(r.name) is null limit 1;
    if found then
        problem := 'queue';
        return;
    end if;
    begin
        msg_ids := array(select s.msg_id from pgmq.send_batch(p_queue, p_messages, p_delay) as s(msg_id));
        insert into commandbus.command as c (
            domain, queue_name, msg_id, command_id, command_type, status, attempts, max_attempts, created_at, updated_at,
            reply_queue, correlation_id, batch_id)
        select p_domain, p_queue, u.msg_id, u.id, u.type, 'PENDING', 0, u.max_attempts, now(), now(), u.reply, u.correlation,
               p_batch_id
        from unnest(msg_ids, p_ids, p_types, p_limits, p_replies, p_correlations)
             as u(msg_id, id, type, max_attempts, reply, correlation)
        on conflict (domain, command_id) do nothing;
        get diagnostics v_count = row_count;
        if v_count < cardinality(p_ids) then
            raise exception using errcode = 'CB001';
        end if;
        insert into commandbus.audit (domain, command_id, event_type, details_json)
        select p_domain, u.id, 'SENT',
               case when p_batch_id is null then
                   jsonb_build_object('command_type', u.type, 'correlation_id', u.correlation,
                       'reply_to', nullif(u.reply, ''), 'msg_id', u.msg_id)
               else
                   jsonb_build_object('command_type', u.type, 'correlation_id', u.correlation,
                       'reply_to', nullif(u.reply, ''), 'msg_id', u.msg_id, 'batch_id', p_batch_id)
               end
        from unnest(msg_ids, p_ids, p_types, p_replies, p_correlations) as u(msg_id, id, type, reply, correlation);
        if p_batch_id is not null and not p_new_batch then
            update commandbus.batch b set total_count = b.total_count + cardinality(p_ids)
            where b.domain = p_domain and b.batch_id = p_batch_id
              and b.status not in ('COMPLETED', 'COMPLETED_WITH_FAILURES');
            if not found then
                raise exception using errcode = 'CB002';
            end if;
        end if;
        perform pg_notify('pgmq_notify_' || lower(p_queue), '');
    exception
        when sqlstate 'CB001' then
            problem := 'duplicate';
            msg_ids := null;
            select c.command_id::text into detail from commandbus.command c
            where c.domain = p_domain and c.command_id = any(p_ids) limit 1;
            if detail is null then
                -- None is stored, so the list itself names one twice.
                select u.id::text into detail from unnest(p_ids) as u(id) group by u.id having count(*) > 1 limit 1;
            end if;
        when sqlstate 'CB002' then
            msg_ids := null;
            select 'batch_closed', b.status into problem, detail from commandbus.batch b
            where b.domain = p_domain and b.batch_id = p_batch_id;
            if not found then
                problem := 'batch_missing';
            end if;
    end;
end $body$;

-- Creates a batch with all its commands, all or none.
create function commandbus.cb_create_batch(
    p_domain text, p_queue text, p_ids uuid[], p_types text[], p_correlations uuid[], p_replies text[], p_limits int[],
    p_messages jsonb[], p_batch_id uuid, p_name text, p_custom_data jsonb,
    out problem text, out detail text, out msg_ids bigint[])
language plpgsql as $body$
begin
    begin
        insert into commandbus.batch (domain, batch_id, name, custom_data, total_count)
        values (p_domain, p_batch_id, p_name, p_custom_data, cardinality(p_ids))
        on conflict (domain, batch_id) do nothing;
        if not found then
            problem := 'batch_exists';
            return;
        end if;
        select s.problem, s.detail, s.msg_ids into problem, detail, msg_ids
        from commandbus.cb_send(p_domain, p_queue, p_ids, p_types, p_correlations, p_replies, p_limits, p_messages, 0,
            p_batch_id, true) s;
        if problem is not null then
            raise exception using errcode = 'CB003';
        end if;
    exception
        when sqlstate 'CB003' then
            -- The batch row is undone; the variables keep what was found.
            null;
    end;
end $body$;

-- Sends a reply; false if there is no such queue.
create function commandbus.cb_reply(p_queue text, p_message jsonb) returns boolean language plpgsql as $body$
begin
    if p_queue = '' or commandbus.cb_queue(p_queue) is null then
        return false;
    end if;
    perform pgmq.send(p_queue, p_message, 0);
    perform pg_notify('pgmq_notify_' || lower(p_queue), '');
    return true;
end $body$;
