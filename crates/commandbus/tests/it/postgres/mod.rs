//! What only PostgreSQL has: setup of servers that others share, functions that peers call, costs.

mod connections;
mod costs;
mod functions;
mod setup;

use commandbus::Database;
use testkit::postgres;

fn tables() -> postgres::Database<'static> {
    postgres::shared().database()
}

async fn connect(tables: &postgres::Database<'_>) -> Database {
    Database::connect(tables.url()).await.unwrap()
}
