-- Brings the queues that were put aside into PGMQ.
do $replace$
declare
    v_queue text;
    v_last bigint;
begin
    for v_queue in select m.queue_name from pgmq_embedded.meta m order by m.queue_name loop
        perform pgmq.create(v_queue);
        execute format(
            'insert into pgmq.%1$I (msg_id, read_ct, enqueued_at, vt, message, headers) overriding system value
             select msg_id, read_ct, enqueued_at, vt, message, headers from pgmq_embedded.%1$I order by msg_id',
            'q_' || v_queue);
        execute format(
            'insert into pgmq.%1$I (msg_id, read_ct, enqueued_at, archived_at, vt, message, headers)
             select msg_id, read_ct, enqueued_at, archived_at, vt, message, headers from pgmq_embedded.%1$I order by msg_id',
            'a_' || v_queue);
        -- Ids go on where they were: those in the archive must not come again.
        execute format('select last_value from %s', pg_get_serial_sequence(format('pgmq_embedded.%I', 'q_' || v_queue), 'msg_id'))
            into v_last;
        perform setval(pg_get_serial_sequence(format('pgmq.%I', 'q_' || v_queue), 'msg_id'), v_last);
    end loop;
end $replace$;
drop schema pgmq_embedded cascade;
