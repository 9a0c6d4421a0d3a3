//! Prints every endpoint of a tenant as one line of JSON, as the service sent it.
//!
//! ```text
//! SOPHOS_CLIENT_ID=.. SOPHOS_CLIENT_SECRET=.. cargo run --release --example fleet [-- --sync]
//! ```
//!
//! `SOPHOS_AUTH_URL` and `SOPHOS_GLOBAL_URL` point it at another service, such as a local sandbox.

use std::io::{self, BufWriter, Write};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use sophos_central::{Client, Config, RawItem, blocking};

fn main() -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let mut config = Config::new(
        variable("SOPHOS_CLIENT_ID")?,
        variable("SOPHOS_CLIENT_SECRET")?,
    );
    if let Ok(url) = std::env::var("SOPHOS_AUTH_URL") {
        config = config.auth_url(url);
    }
    if let Ok(url) = std::env::var("SOPHOS_GLOBAL_URL") {
        config = config.global_url(url);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if std::env::args().any(|argument| argument == "--sync") {
        let client = blocking::Client::new(config)?;
        for page in client.endpoint().list().raw().pages() {
            write_page(&mut out, page?.items)?;
        }
    } else {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let client = Client::new(config)?;
            let mut pages = client.endpoint().list().raw().pages();
            while let Some(page) = pages.try_next().await? {
                write_page(&mut out, page.items)?;
            }
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

fn write_page(out: &mut impl Write, items: Vec<RawItem>) -> io::Result<()> {
    for item in items {
        out.write_all(item.get().as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
