//! The subscription: one connection of its own, outside of the pool and of any transaction.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio_postgres::Config;

use crate::error::Result;
use crate::storage::postgres::conn::Conn;
use crate::storage::{Wake, Wakeups};

/// How long the first new attempt to connect waits; it doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Subscription {
    config: Config,
    statement: String,
    conn: Option<Conn>,
    pause: Duration,
}

impl Subscription {
    /// Subscribes. If the database cannot be reached now, the subscription goes on trying.
    pub(super) async fn open(config: Config, channels: &[String]) -> Self {
        let statement = channels.iter().fold(String::new(), |sql, channel| {
            // A name in quotes is not folded; channels of this crate are lower case.
            sql + "listen \"" + &channel.replace('"', "\"\"") + "\";"
        });
        let conn = subscribe(&config, &statement).await.ok();
        Self {
            config,
            statement,
            conn,
            pause: SHORTEST,
        }
    }

    async fn wait(&mut self) -> Wake {
        loop {
            let Some(conn) = &mut self.conn else {
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(LONGEST);
                match tokio::time::timeout(LONGEST, subscribe(&self.config, &self.statement)).await
                {
                    Ok(Ok(conn)) => {
                        self.conn = Some(conn);
                        self.pause = SHORTEST;
                        tracing::info!("subscribed to the database again");
                        return Wake::Resubscribed;
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "subscribing failed"),
                    Err(_) => tracing::debug!("subscribing took too long"),
                }
                continue;
            };
            match conn.notification().await {
                Ok((channel, payload)) => return Wake::Notified { channel, payload },
                Err(error) => {
                    tracing::warn!(%error, "the subscription was lost; polling goes on");
                    self.conn = None;
                }
            }
        }
    }
}

async fn subscribe(config: &Config, statement: &str) -> Result<Conn> {
    let mut conn = Conn::open(config).await?;
    conn.batch(statement).await?;
    Ok(conn)
}

impl Wakeups for Subscription {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Wake> + Send + '_>> {
        Box::pin(self.wait())
    }
}
