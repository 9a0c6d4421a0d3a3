-- Puts the embedded queue aside.
do $replace$
begin
    if to_regclass('pgmq.cb_embedded') is null then
        raise exception 'the schema pgmq is not the embedded queue of commandbus';
    end if;
end $replace$;
alter schema pgmq rename to pgmq_embedded;
