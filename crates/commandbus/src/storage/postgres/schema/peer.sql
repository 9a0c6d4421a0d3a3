-- What the peer calls for single commands, with its arguments and results.

create function commandbus.sp_receive_command(
    p_domain text, p_command_id uuid, p_new_status text default 'IN_PROGRESS', p_msg_id bigint default null,
    p_max_attempts int default null)
returns table (
    domain text, command_id uuid, command_type text, status text, attempts int, max_attempts int, msg_id bigint,
    correlation_id uuid, reply_queue text, last_error_type text, last_error_code text, last_error_msg text,
    created_at timestamptz, updated_at timestamptz, batch_id uuid)
language plpgsql as $body$
#variable_conflict use_column
declare
    v_row commandbus.command;
begin
    update commandbus.command c
    set attempts = c.attempts + 1, status = p_new_status, updated_at = now()
    where c.domain = p_domain and c.command_id = p_command_id
      and c.status not in ('COMPLETED', 'FAILED', 'CANCELED', 'IN_TROUBLESHOOTING_QUEUE')
    returning c.* into v_row;
    if not found then
        return;
    end if;
    insert into commandbus.audit (domain, command_id, event_type, details_json)
    values (p_domain, p_command_id, 'RECEIVED', jsonb_build_object(
        'msg_id', coalesce(p_msg_id, v_row.msg_id), 'attempt', v_row.attempts, 'max_attempts', v_row.max_attempts));
    if v_row.batch_id is not null then
        perform commandbus.sp_start_batch(p_domain, v_row.batch_id);
    end if;
    return query select
        v_row.domain, v_row.command_id, v_row.command_type, v_row.status, v_row.attempts,
        coalesce(p_max_attempts, v_row.max_attempts), coalesce(p_msg_id, v_row.msg_id), v_row.correlation_id,
        v_row.reply_queue, v_row.last_error_type, v_row.last_error_code, v_row.last_error_msg, v_row.created_at,
        v_row.updated_at, v_row.batch_id;
end $body$;

create function commandbus.sp_finish_command(
    p_domain text, p_command_id uuid, p_status text, p_event_type text, p_error_type text default null,
    p_error_code text default null, p_error_msg text default null, p_details jsonb default null,
    p_batch_id uuid default null)
returns boolean language plpgsql as $body$
declare
    v_before text;
    v_update text;
begin
    select c.status into v_before from commandbus.command c
    where c.domain = p_domain and c.command_id = p_command_id for update;
    if found and v_before <> p_status and v_before not in ('COMPLETED', 'FAILED', 'CANCELED') then
        update commandbus.command c
        set status = p_status,
            last_error_type = coalesce(p_error_type, c.last_error_type),
            last_error_code = coalesce(p_error_code, c.last_error_code),
            last_error_msg = coalesce(p_error_msg, c.last_error_msg),
            updated_at = now()
        where c.domain = p_domain and c.command_id = p_command_id;
        v_update := case
            when p_status = 'COMPLETED' and v_before = 'IN_PROGRESS' then 'complete'
            when p_status = 'COMPLETED' and v_before = 'IN_TROUBLESHOOTING_QUEUE' then 'tsq_complete'
            when p_status = 'IN_TROUBLESHOOTING_QUEUE' and v_before = 'IN_PROGRESS' then 'tsq_move'
            when p_status = 'FAILED' and v_before = 'IN_PROGRESS' then 'failed'
        end;
    end if;
    insert into commandbus.audit (domain, command_id, event_type, details_json)
    values (p_domain, p_command_id, p_event_type, p_details);
    if v_update is null or p_batch_id is null then
        return false;
    end if;
    return commandbus.sp_update_batch_counters(p_domain, p_batch_id, v_update);
end $body$;

create function commandbus.sp_fail_command(
    p_domain text, p_command_id uuid, p_error_type text, p_error_code text, p_error_msg text, p_attempt int,
    p_max_attempts int, p_msg_id bigint)
returns boolean language plpgsql as $body$
begin
    update commandbus.command c
    set last_error_type = p_error_type, last_error_code = p_error_code, last_error_msg = p_error_msg, updated_at = now()
    where c.domain = p_domain and c.command_id = p_command_id;
    if not found then
        return false;
    end if;
    insert into commandbus.audit (domain, command_id, event_type, details_json)
    values (p_domain, p_command_id, 'FAILED', jsonb_build_object(
        'msg_id', p_msg_id, 'attempt', p_attempt, 'max_attempts', p_max_attempts, 'error_type', p_error_type,
        'error_code', p_error_code, 'error_msg', p_error_msg));
    return true;
end $body$;
