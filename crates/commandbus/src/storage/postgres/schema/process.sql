-- Processes.

-- Writes what can change of a process, and counts it in its batch when it becomes final.
create function commandbus.cb_save_process(
    p_domain text, p_process_id uuid, p_status text, p_step text, p_state jsonb, p_error_code text, p_error_message text)
returns boolean language plpgsql as $body$
declare
    v_before commandbus.process;
    v_final boolean := p_status in ('COMPLETED', 'COMPENSATED', 'FAILED', 'CANCELED');
begin
    select * into v_before from commandbus.process p
    where p.domain = p_domain and p.process_id = p_process_id for update;
    if not found then
        return false;
    end if;
    update commandbus.process p
    set status = p_status, current_step = p_step, state = p_state, error_code = p_error_code,
        error_message = p_error_message, updated_at = now(),
        completed_at = case when v_final then coalesce(p.completed_at, now()) end
    where p.domain = p_domain and p.process_id = p_process_id;
    if v_before.batch_id is not null then
        if v_before.status = 'PENDING' and p_status <> 'PENDING' then
            perform commandbus.sp_start_batch(p_domain, v_before.batch_id);
        end if;
        if v_final and v_before.status not in ('COMPLETED', 'COMPENSATED', 'FAILED', 'CANCELED') then
            perform commandbus.cb_batch_add(p_domain, v_before.batch_id,
                case when p_status in ('COMPLETED', 'COMPENSATED') then 1 else 0 end, 0,
                case when p_status in ('FAILED', 'CANCELED') then 1 else 0 end, 0);
        end if;
    end if;
    return true;
end $body$;

-- Notes the reply of a step, once; the name of the step and whether this was the first reply.
create function commandbus.cb_step_replied(
    p_domain text, p_process_id uuid, p_command_id uuid, p_outcome text, p_data jsonb,
    out step text, out is_new boolean)
language plpgsql as $body$
begin
    update commandbus.process_audit a
    set reply_outcome = p_outcome, reply_data = p_data, received_at = clock_timestamp()
    where a.domain = p_domain and a.process_id = p_process_id and a.command_id = p_command_id
      and a.reply_outcome is null
    returning a.step_name into step;
    is_new := found;
    if not is_new then
        select a.step_name into step from commandbus.process_audit a
        where a.domain = p_domain and a.process_id = p_process_id and a.command_id = p_command_id limit 1;
    end if;
end $body$;

-- Settles messages of a plain queue: 0 delete, 1 archive, 2 hide for so many seconds.
create function commandbus.cb_settle(p_queue text, p_msgs bigint[], p_actions int[], p_seconds int[])
returns boolean[] language plpgsql as $body$
declare
    v_results boolean[] := array_fill(false, array[cardinality(p_msgs)]);
    v_place int;
begin
    for v_place in select u.place from unnest(p_msgs) with ordinality as u(id, place) order by u.id loop
        v_results[v_place] := case p_actions[v_place]
            when 0 then pgmq.delete(p_queue, p_msgs[v_place])
            when 1 then pgmq.archive(p_queue, p_msgs[v_place])
            else exists (select from pgmq.set_vt(p_queue, p_msgs[v_place], p_seconds[v_place])) end;
    end loop;
    return v_results;
end $body$;
