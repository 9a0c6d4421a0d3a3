//! Where a scenario runs, and how it looks at the tables behind the back of the library.

use serde_json::Value;
use testkit::postgres;

/// An empty database of one driver.
pub(crate) struct Place {
    kind: Kind,
}

enum Kind {
    Postgres(postgres::Database<'static>),
}

#[allow(dead_code, reason = "more scenarios are to come")]
impl Place {
    /// An empty database; with a real PGMQ in it if `COMMANDBUS_PGMQ_SQL` names a file of its SQL.
    pub(crate) fn postgres() -> Self {
        let database = postgres::shared().database();
        if let Some(file) = std::env::var_os("COMMANDBUS_PGMQ_SQL") {
            database.psql(&std::fs::read_to_string(file).unwrap());
        }
        Self {
            kind: Kind::Postgres(database),
        }
    }

    pub(crate) fn url(&self) -> String {
        match &self.kind {
            Kind::Postgres(database) => database.url(),
        }
    }

    /// The private PostgreSQL database, of scenarios that are `only(postgres)`.
    pub(crate) fn postgres_database(&self) -> &postgres::Database<'static> {
        match &self.kind {
            Kind::Postgres(database) => database,
        }
    }

    /// Runs a query on the tables and returns its rows as JSON objects. Tables are written as
    /// `{command}`, `{audit}`, `{batch}`, `{process}`, `{process_audit}`.
    pub(crate) fn rows(&self, query: &str) -> Vec<Value> {
        match &self.kind {
            Kind::Postgres(database) => {
                let query = query.replace('{', "commandbus.").replace('}', "");
                lines(&database.psql(&format!("select row_to_json(r) from ({query}) r")))
            }
        }
    }

    /// Changes tables, written as in [`rows`](Self::rows).
    pub(crate) fn change(&self, statement: &str) {
        match &self.kind {
            Kind::Postgres(database) => {
                database.psql(&statement.replace('{', "commandbus.").replace('}', ""));
            }
        }
    }

    /// The messages in a queue, visible or not, as objects with `msg_id` and `message`.
    pub(crate) fn queue(&self, queue: &str) -> Vec<Value> {
        match &self.kind {
            Kind::Postgres(database) => lines(&database.psql(&format!(
                "select jsonb_build_object('msg_id', msg_id, 'message', message, 'visible', vt <= clock_timestamp(), \
                 'read_ct', read_ct) from pgmq.q_{queue} order by msg_id"
            ))),
        }
    }

    /// The messages in a queue as text, as the database shows them.
    pub(crate) fn raw_queue(&self, queue: &str) -> String {
        match &self.kind {
            Kind::Postgres(database) => database.psql(&format!(
                "select message from pgmq.q_{queue} order by msg_id"
            )),
        }
    }

    /// The messages in the archive of a queue.
    pub(crate) fn archive(&self, queue: &str) -> Vec<Value> {
        match &self.kind {
            Kind::Postgres(database) => lines(&database.psql(&format!(
                "select jsonb_build_object('msg_id', msg_id, 'message', message) from pgmq.a_{queue} order by msg_id"
            ))),
        }
    }

    /// Puts a message into a queue as another program would.
    pub(crate) fn put(&self, queue: &str, message: &Value) {
        match &self.kind {
            Kind::Postgres(database) => {
                let text = message.to_string().replace('\'', "''");
                database.psql(&format!("select pgmq.send('{queue}', '{text}'::jsonb, 0)"));
            }
        }
    }

    /// Ends all leases and delays of a queue now.
    pub(crate) fn expire_leases(&self, queue: &str) {
        match &self.kind {
            Kind::Postgres(database) => {
                database.psql(&format!(
                    "update pgmq.q_{queue} set vt = clock_timestamp() - interval '1 second'"
                ));
            }
        }
    }

    /// Leases all visible messages of a domain, as a worker with ten attempts would.
    pub(crate) fn lease(&self, domain: &str) {
        match &self.kind {
            Kind::Postgres(database) => {
                database.psql(&format!("select from commandbus.cb_lease('{domain}', '{domain}__commands', 60, 1000, 10, '{{}}')"));
            }
        }
    }

    /// Settles a leased command as a worker would.
    pub(crate) fn settle(&self, domain: &str, id: impl std::fmt::Display, settled: Settled) {
        self.finish(
            &format!("c.domain = '{domain}' and c.command_id = '{id}'"),
            settled,
            "BAD",
        );
    }

    /// Leases all visible messages of a domain, and moves the commands to the troubleshooting queue.
    pub(crate) fn troubleshoot(&self, domain: &str, code: &str) {
        self.lease(domain);
        self.finish(&format!("c.domain = '{domain}'"), Settled::Permanent, code);
    }

    fn finish(&self, which: &str, settled: Settled, code: &str) {
        let kind = settled as i32;
        match &self.kind {
            Kind::Postgres(database) => {
                database.psql(&format!(
                    "select f.* from (
                         select c.domain, c.queue_name as queue, array_agg(c.msg_id) as msgs, array_agg(c.command_id) as ids,
                                array_agg(c.attempts) as attempts, array_agg({kind}) as kinds, array_agg(false) as has_results,
                                array_agg('{code}'::text) as codes, array_agg('why'::text) as messages
                         from commandbus.command c where c.status = 'IN_PROGRESS' and {which} group by 1, 2
                     ) s, lateral commandbus.cb_finish(
                         s.domain, s.queue, s.msgs, s.ids, s.attempts, s.kinds, s.has_results, s.codes, s.messages, null, null,
                         null, null) f"
                ));
            }
        }
    }

    /// Cancels a command in the troubleshooting queue without the library of this process.
    pub(crate) fn cancel_behind_the_back(&self, domain: &str, id: impl std::fmt::Display) {
        match &self.kind {
            Kind::Postgres(database) => {
                database.psql(&format!(
                    "select commandbus.cb_operate('{domain}', array['{id}'::uuid], 'cancel', null, 'x', null)"
                ));
            }
        }
    }

    /// Empties the archive of a queue.
    pub(crate) fn clear_archive(&self, queue: &str) {
        match &self.kind {
            Kind::Postgres(database) => {
                database.psql(&format!("delete from pgmq.a_{queue}"));
            }
        }
    }

    /// The types of the audit events of a command or batch, in order.
    pub(crate) fn events(&self, id: impl std::fmt::Display) -> Vec<String> {
        self.rows(&format!(
            "select event_type from {{audit}} where command_id = '{id}' order by ts, audit_id"
        ))
        .iter()
        .map(|row| row["event_type"].as_str().unwrap().to_owned())
        .collect()
    }

    /// The details of the newest audit event of a type.
    pub(crate) fn details(&self, id: impl std::fmt::Display, event_type: &str) -> Value {
        let rows = self.rows(&format!(
            "select details_json from {{audit}} where command_id = '{id}' and event_type = '{event_type}' \
             order by audit_id desc limit 1"
        ));
        let details = &rows.first().expect("there is such an event")["details_json"];
        match details {
            Value::String(text) => serde_json::from_str(text).unwrap(),
            other => other.clone(),
        }
    }
}

/// What a worker reports; the numbers are those of the functions of the schema.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "more scenarios are to come")]
pub(crate) enum Settled {
    Completed = 0,
    Permanent = 3,
    BusinessRule = 4,
}

fn lines(output: &str) -> Vec<Value> {
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
