-- Finishing attempts. Kinds: 0 completed, 1 tried again, 2 attempts used up, 3 permanent, 4 business rule.

-- Settles attempts that are all expected to hold their messages; CB010 if one does not, and then nothing is done.
-- A late success passes with kind 5: its message is in the archive, and its command in the troubleshooting queue.
create function commandbus.cb_finish_all(
    p_domain text, p_queue text, p_msgs bigint[], p_ids uuid[], p_attempts int[], p_kinds int[], p_has_results boolean[],
    p_codes text[], p_messages text[], p_details jsonb[], p_numbers int[], p_reply_queues text[], p_replies jsonb[],
    out finished uuid[], out unsent text[])
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $body$
declare
    v_part bigint[];
    v_total int := 0;
    v_row record;
begin
    finished := '{}';
    unsent := '{}';

    -- The messages.
    v_part := array(select u.m from unnest(p_msgs, p_kinds) as u(m, k) where u.k = 0 order by u.m);
    if cardinality(v_part) > 0 and
       (select count(*) from pgmq.delete(p_queue, v_part)) < cardinality(v_part) then
        raise exception using errcode = 'CB010';
    end if;
    v_part := array(select u.m from unnest(p_msgs, p_kinds) as u(m, k) where u.k in (2, 3, 4) order by u.m);
    if cardinality(v_part) > 0 and
       (select count(*) from pgmq.archive(p_queue, v_part)) < cardinality(v_part) then
        raise exception using errcode = 'CB010';
    end if;
    for v_row in select u.m, u.n from unnest(p_msgs, p_kinds, p_numbers) as u(m, k, n) where u.k = 1 order by u.m loop
        if not exists (select from pgmq.set_vt(p_queue, v_row.m, v_row.n)) then
            raise exception using errcode = 'CB010';
        end if;
    end loop;

    -- The rows and their events, and per batch what to count.
    for v_row in
        with items as materialized (
            select * from unnest(p_msgs, p_ids, p_attempts, p_kinds, p_has_results, p_codes, p_messages, p_details, p_numbers)
                as u(msg_id, id, attempt, kind, has_result, code, message, details, number)
            order by u.id
        ), changed as (
            update commandbus.command c
            set status = case i.kind when 0 then 'COMPLETED' when 5 then 'COMPLETED' when 1 then 'IN_PROGRESS'
                                     when 4 then 'FAILED' else 'IN_TROUBLESHOOTING_QUEUE' end,
                last_error_type = case when i.kind in (0, 5) then c.last_error_type when i.kind in (1, 2) then 'TRANSIENT'
                                       when i.kind = 3 then 'PERMANENT' else 'BUSINESS_RULE' end,
                last_error_code = case when i.kind in (0, 5) then c.last_error_code else i.code end,
                last_error_msg = case when i.kind in (0, 5) then c.last_error_msg else i.message end,
                lease_expires_at = null,
                updated_at = now()
            from items i
            where c.domain = p_domain and c.command_id = i.id
              and ((i.kind <> 5 and c.status = 'IN_PROGRESS' and c.attempts = i.attempt)
                   or (i.kind = 5 and c.status = 'IN_TROUBLESHOOTING_QUEUE' and c.msg_id = i.msg_id))
            returning c.command_id, c.batch_id, c.max_attempts, c.reply_queue, i.msg_id, i.attempt, i.kind, i.has_result,
                      i.code, i.message, i.details, i.number
        ), events as (
            insert into commandbus.audit (domain, command_id, event_type, details_json)
            select p_domain, c.command_id,
                   case when c.kind in (0, 5) then 'COMPLETED' when c.kind = 1 then 'FAILED'
                        when c.kind = 4 then 'BUSINESS_RULE_FAILED' else 'MOVED_TO_TSQ' end,
                   case when c.kind in (0, 5) then jsonb_build_object(
                            'msg_id', c.msg_id, 'reply_to', nullif(c.reply_queue, ''), 'has_result', c.has_result)
                        when c.kind = 1 then jsonb_build_object(
                            'msg_id', c.msg_id, 'attempt', c.attempt, 'max_attempts', c.max_attempts,
                            'error_type', 'TRANSIENT', 'error_code', c.code, 'error_msg', c.message)
                        when c.kind = 2 then jsonb_build_object(
                            'msg_id', c.msg_id, 'attempt', c.attempt, 'max_attempts', c.number, 'reason', 'EXHAUSTED',
                            'error_type', 'TRANSIENT', 'error_code', c.code, 'error_msg', c.message)
                        else jsonb_build_object(
                            'msg_id', c.msg_id, 'attempt', c.attempt, 'error_code', c.code, 'error_msg', c.message,
                            'error_details', coalesce(c.details, '{}')) end
            from changed c
        )
        select c.batch_id, count(*)::int as n,
               (count(*) filter (where c.kind in (0, 5)))::int as completed,
               (count(*) filter (where c.kind = 4))::int as failed,
               ((count(*) filter (where c.kind in (2, 3))) - (count(*) filter (where c.kind = 5)))::int as troubleshooting
        from changed c group by c.batch_id order by c.batch_id
    loop
        v_total := v_total + v_row.n;
        if v_row.batch_id is not null and v_row.completed + v_row.failed + abs(v_row.troubleshooting) > 0
           and commandbus.cb_batch_add(p_domain, v_row.batch_id, v_row.completed, v_row.failed, 0, v_row.troubleshooting) then
            finished := finished || v_row.batch_id;
        end if;
    end loop;
    if v_total < cardinality(p_ids) then
        raise exception using errcode = 'CB010';
    end if;

    -- The replies, one group for each queue.
    if p_reply_queues is not null then
        for v_row in
            select u.queue, array_agg(u.reply order by u.place) as replies
            from unnest(p_reply_queues, p_replies) with ordinality as u(queue, reply, place)
            where u.reply is not null group by u.queue order by u.queue
        loop
            if commandbus.cb_queue(v_row.queue) is null then
                unsent := unsent || v_row.queue;
            else
                perform pgmq.send_batch(v_row.queue, v_row.replies, 0);
                perform pg_notify('pgmq_notify_' || lower(v_row.queue), '');
            end if;
        end loop;
    end if;
end $body$;

-- Settles attempts, each fenced by itself. Results: 0 done, 2 done as a late success, 3 stale.
create function commandbus.cb_finish(
    p_domain text, p_queue text, p_msgs bigint[], p_ids uuid[], p_attempts int[], p_kinds int[], p_has_results boolean[],
    p_codes text[], p_messages text[], p_details jsonb[], p_numbers int[], p_reply_queues text[], p_replies jsonb[],
    out results int[], out finished uuid[], out unsent text[])
language plpgsql as $body$
declare
    v_open boolean[];
    v_kinds int[] := p_kinds;
begin
    if commandbus.cb_queue(p_queue) is not null then
        begin
            select f.finished, f.unsent into finished, unsent
            from commandbus.cb_finish_all(p_domain, p_queue, p_msgs, p_ids, p_attempts, p_kinds, p_has_results, p_codes,
                p_messages, p_details, p_numbers, p_reply_queues, p_replies) f;
            results := array_fill(0, array[cardinality(p_ids)]);
            return;
        exception when sqlstate 'CB010' then
            -- At least one attempt lost its lease; now one after the other is looked at.
            null;
        end;
    end if;
    finished := '{}';
    unsent := '{}';
    v_open := commandbus.cb_open(p_domain, p_queue, p_msgs, p_ids, p_attempts);
    select array_agg(case when v_open[u.place] and u.nth = 1 then 0
                          when u.kind = 0 and u.nth = 1 and exists (
                              select from commandbus.command c
                              where c.domain = p_domain and c.command_id = u.id
                                and c.status = 'IN_TROUBLESHOOTING_QUEUE' and c.msg_id = u.msg_id) then 2
                          else 3 end order by u.place)
    into results
    from (
        select i.*, row_number() over (partition by i.id order by v_open[i.place] desc, i.place) as nth
        from unnest(p_msgs, p_ids, p_kinds) with ordinality as i(msg_id, id, kind, place)
    ) u;
    select array_agg(case when results[u.place] = 2 then 5 else u.kind end order by u.place) into v_kinds
    from unnest(p_kinds) with ordinality as u(kind, place);
    insert into commandbus.audit (domain, command_id, event_type, details_json)
    select p_domain, u.id, 'STALE_RESULT', jsonb_build_object(
        'msg_id', u.msg_id, 'attempt', u.attempt,
        'outcome', (array['COMPLETED', 'TRANSIENT', 'EXHAUSTED', 'PERMANENT', 'BUSINESS_RULE'])[u.kind + 1])
    from unnest(p_msgs, p_ids, p_attempts, p_kinds, results) with ordinality as u(msg_id, id, attempt, kind, result, place)
    where u.result = 3 order by u.place;
    if 0 = any(results) or 2 = any(results) then
        select f.finished, f.unsent into finished, unsent
        from (
            select array_agg(u.msg_id order by u.place) as msgs, array_agg(u.id order by u.place) as ids,
                   array_agg(u.attempt order by u.place) as attempts, array_agg(u.kind order by u.place) as kinds,
                   array_agg(u.has_result order by u.place) as has_results, array_agg(u.code order by u.place) as codes,
                   array_agg(u.message order by u.place) as messages, array_agg(u.details order by u.place) as details,
                   array_agg(u.number order by u.place) as numbers, array_agg(u.reply_queue order by u.place) as reply_queues,
                   array_agg(u.reply order by u.place) as replies
            from unnest(p_msgs, p_ids, p_attempts, v_kinds, p_has_results, p_codes, p_messages, p_details, p_numbers,
                        p_reply_queues, p_replies, results) with ordinality
                 as u(msg_id, id, attempt, kind, has_result, code, message, details, number, reply_queue, reply, result, place)
            where u.result <> 3
        ) s, lateral commandbus.cb_finish_all(p_domain, p_queue, s.msgs, s.ids, s.attempts, s.kinds, s.has_results, s.codes,
            s.messages, s.details, s.numbers, s.reply_queues, s.replies) f;
    end if;
end $body$;
