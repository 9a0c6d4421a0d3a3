-- Batches: counting, starting, finishing.

-- Adds to the counts of a batch, and finishes it when nothing is left; true if this call did.
create function commandbus.cb_batch_add(
    p_domain text, p_batch_id uuid, p_completed int, p_failed int, p_canceled int, p_troubleshooting int)
returns boolean language plpgsql as $body$
declare
    v_batch commandbus.batch;
begin
    update commandbus.batch b
    set completed_count = b.completed_count + p_completed,
        failed_count = b.failed_count + p_failed,
        canceled_count = b.canceled_count + p_canceled,
        in_troubleshooting_count = greatest(b.in_troubleshooting_count + p_troubleshooting, 0)
    where b.domain = p_domain and b.batch_id = p_batch_id
    returning b.* into v_batch;
    if not found or v_batch.status in ('COMPLETED', 'COMPLETED_WITH_FAILURES') then
        return false;
    end if;
    if v_batch.completed_count + v_batch.failed_count + v_batch.canceled_count < v_batch.total_count
       or (v_batch.in_troubleshooting_count > 0 and v_batch.batch_type = 'COMMAND') then
        return false;
    end if;
    perform commandbus.cb_batch_finish(v_batch);
    return true;
end $body$;

-- Makes a batch whose row is locked final.
create function commandbus.cb_batch_finish(p_batch commandbus.batch) returns void language plpgsql as $body$
begin
    update commandbus.batch b
    set status = case when p_batch.failed_count + p_batch.canceled_count = 0
                      then 'COMPLETED' else 'COMPLETED_WITH_FAILURES' end,
        in_troubleshooting_count = case when b.batch_type = 'COMMAND' then b.in_troubleshooting_count else 0 end,
        started_at = coalesce(b.started_at, now()),
        completed_at = now()
    where b.domain = p_batch.domain and b.batch_id = p_batch.batch_id;
    insert into commandbus.audit (domain, command_id, event_type, details_json)
    values (p_batch.domain, p_batch.batch_id, 'BATCH_COMPLETED', jsonb_build_object(
        'batch_id', p_batch.batch_id,
        'total_count', p_batch.total_count,
        'completed_count', p_batch.completed_count,
        'failed_count', p_batch.failed_count,
        'canceled_count', p_batch.canceled_count));
    perform pg_notify('commandbus_batch_' || lower(p_batch.domain), p_batch.batch_id::text);
end $body$;

create function commandbus.sp_start_batch(p_domain text, p_batch_id uuid) returns boolean language plpgsql as $body$
begin
    -- A look without a lock first: this runs for every command of the batch.
    if not exists (
        select from commandbus.batch b
        where b.domain = p_domain and b.batch_id = p_batch_id and b.status = 'PENDING'
    ) then
        return false;
    end if;
    update commandbus.batch b set status = 'IN_PROGRESS', started_at = now()
    where b.domain = p_domain and b.batch_id = p_batch_id and b.status = 'PENDING';
    if not found then
        return false;
    end if;
    insert into commandbus.audit (domain, command_id, event_type, details_json)
    values (p_domain, p_batch_id, 'BATCH_STARTED', jsonb_build_object('batch_id', p_batch_id));
    return true;
end $body$;

create function commandbus.sp_update_batch_counters(p_domain text, p_batch_id uuid, p_update_type text)
returns boolean language plpgsql as $body$
begin
    return case p_update_type
        when 'complete' then commandbus.cb_batch_add(p_domain, p_batch_id, 1, 0, 0, 0)
        when 'failed' then commandbus.cb_batch_add(p_domain, p_batch_id, 0, 1, 0, 0)
        when 'tsq_move' then commandbus.cb_batch_add(p_domain, p_batch_id, 0, 0, 0, 1)
        when 'tsq_complete' then commandbus.cb_batch_add(p_domain, p_batch_id, 1, 0, 0, -1)
        when 'tsq_cancel' then commandbus.cb_batch_add(p_domain, p_batch_id, 0, 0, 1, -1)
        when 'tsq_retry' then commandbus.cb_batch_add(p_domain, p_batch_id, 0, 0, 0, -1)
        else commandbus.cb_unknown_update(p_update_type)
    end;
end $body$;

create function commandbus.cb_unknown_update(p_update_type text) returns boolean language plpgsql as $body$
begin
    raise exception 'unknown update type %', coalesce(p_update_type, 'null') using errcode = '22023';
end $body$;

create function commandbus.sp_tsq_complete(p_domain text, p_batch_id uuid) returns boolean language sql as $body$
    select commandbus.sp_update_batch_counters(p_domain, p_batch_id, 'tsq_complete');
$body$;

create function commandbus.sp_tsq_cancel(p_domain text, p_batch_id uuid) returns boolean language sql as $body$
    select commandbus.sp_update_batch_counters(p_domain, p_batch_id, 'tsq_cancel');
$body$;

create function commandbus.sp_tsq_retry(p_domain text, p_batch_id uuid) returns boolean language plpgsql as $body$
begin
    perform commandbus.sp_update_batch_counters(p_domain, p_batch_id, 'tsq_retry');
    return false;
end $body$;

-- Counts anew, and moves the status forward; the last column says whether this call finished the batch.
create function commandbus.cb_refresh_batch(p_domain text, p_batch_id uuid, out found_it boolean, out finished_now boolean)
language plpgsql as $body$
declare
    v_batch commandbus.batch;
    v_completed int;
    v_failed int;
    v_canceled int;
    v_troubleshooting int;
    v_begun boolean;
begin
    finished_now := false;
    -- Whoever finishes a member holds this lock when it counts, so what is counted below is all of it.
    select * into v_batch from commandbus.batch b
    where b.domain = p_domain and b.batch_id = p_batch_id for update;
    found_it := found;
    if not found_it then
        return;
    end if;
    if v_batch.batch_type = 'PROCESS' then
        select count(*) filter (where p.status in ('COMPLETED', 'COMPENSATED')),
               0,
               count(*) filter (where p.status in ('FAILED', 'CANCELED')),
               count(*) filter (where p.status not in ('COMPLETED', 'COMPENSATED', 'FAILED', 'CANCELED')
                   and exists (
                       select from commandbus.command c
                       where c.correlation_id = p.process_id and c.status = 'IN_TROUBLESHOOTING_QUEUE')),
               coalesce(bool_or(p.status <> 'PENDING'), false)
        into v_completed, v_failed, v_canceled, v_troubleshooting, v_begun
        from commandbus.process p where p.domain = p_domain and p.batch_id = p_batch_id;
    else
        select count(*) filter (where c.status = 'COMPLETED'),
               count(*) filter (where c.status = 'FAILED'),
               count(*) filter (where c.status = 'CANCELED'),
               count(*) filter (where c.status = 'IN_TROUBLESHOOTING_QUEUE'),
               coalesce(bool_or(c.status <> 'PENDING' or c.attempts > 0), false)
        into v_completed, v_failed, v_canceled, v_troubleshooting, v_begun
        from commandbus.command c where c.domain = p_domain and c.batch_id = p_batch_id;
    end if;
    if v_begun then
        perform commandbus.sp_start_batch(p_domain, p_batch_id);
    end if;
    update commandbus.batch b
    set completed_count = v_completed, failed_count = v_failed, canceled_count = v_canceled,
        in_troubleshooting_count = v_troubleshooting
    where b.domain = p_domain and b.batch_id = p_batch_id
      and (b.completed_count, b.failed_count, b.canceled_count, b.in_troubleshooting_count)
          is distinct from (v_completed, v_failed, v_canceled, v_troubleshooting);
    finished_now := commandbus.cb_batch_add(p_domain, p_batch_id, 0, 0, 0, 0);
end $body$;

create function commandbus.sp_refresh_batch_stats(p_domain text, p_batch_id uuid)
returns table (completed_count bigint, failed_count bigint, canceled_count bigint, in_troubleshooting_count bigint, is_complete boolean)
language plpgsql as $body$
#variable_conflict use_column
begin
    perform commandbus.cb_refresh_batch(p_domain, p_batch_id);
    return query
        select b.completed_count::bigint, b.failed_count::bigint, b.canceled_count::bigint,
               b.in_troubleshooting_count::bigint, b.status in ('COMPLETED', 'COMPLETED_WITH_FAILURES')
        from commandbus.batch b where b.domain = p_domain and b.batch_id = p_batch_id;
end $body$;
