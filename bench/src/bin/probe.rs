//! One client, one row, and nothing else in the process.
//!
//! * `probe serve` prints host and port and serves until its standard input closes.
//! * `probe once CLIENT AUTHORITY` makes one GET.
//! * `probe count CLIENT ROW AUTHORITY CALLS` prints the allocations per call, counted after a warm-up.
//!   `bench/instructions` runs it under callgrind at two run lengths.

use std::alloc::System;

use bifrons_bench::http::{Client, Row, Urls};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve"] => {
            println!("{}", bifrons_bench::server::start_server()?);
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
        }
        ["once", client, authority] => {
            let urls = Urls::small(authority.parse()?);
            if let Some(mut run) = Client::named(client)?.prepare(Row::Get, &urls)? {
                run(1);
            }
        }
        ["count", client, row, authority, calls] => {
            let (client, calls) = (Client::named(client)?, calls.parse()?);
            let row = Row::named(row)?;
            let Some(mut run) = client.prepare(row, &Urls::of(authority.parse()?))? else {
                return Ok(());
            };
            run(row.warm_up());
            let region = Region::new(ALLOCATOR);
            run(calls);
            let change = region.change();
            let events = change.allocations + change.reallocations;
            println!("{:.2}", events as f64 / calls as f64);
        }
        _ => anyhow::bail!(
            "usage: probe serve | once CLIENT AUTHORITY | count CLIENT ROW AUTHORITY CALLS"
        ),
    }
    Ok(())
}
