//! Does a number of keep-alive GETs and nothing else, for counting allocations and, under callgrind, instructions.
//!
//! `probe serve` prints a URL and serves until its standard input closes.
//! `probe async|blocking URL CALLS` prints the allocations per call, counted after ten calls of warm-up.
//! `bench/instructions` runs it under callgrind at two run lengths.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve"] => {
            println!("http://{}/items", bifrons_bench::start_server(1024)?);
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
        }
        ["async", url, calls] => {
            let calls: usize = calls.parse()?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let session = reqivo::Session::new();
                for _ in 0..10 {
                    session.get(*url).send().await?.bytes().await?;
                }
                let region = Region::new(ALLOCATOR);
                for _ in 0..calls {
                    session.get(*url).send().await?.bytes().await?;
                }
                report(&region, calls);
                anyhow::Ok(())
            })?;
        }
        ["blocking", url, calls] => {
            let calls: usize = calls.parse()?;
            let session = reqivo::blocking::Session::new();
            for _ in 0..10 {
                session.get(*url).send()?.bytes()?;
            }
            let region = Region::new(ALLOCATOR);
            for _ in 0..calls {
                session.get(*url).send()?.bytes()?;
            }
            report(&region, calls);
        }
        _ => anyhow::bail!("usage: probe serve | probe async|blocking URL CALLS"),
    }
    Ok(())
}

fn report(region: &Region<'_, System>, calls: usize) {
    let change = region.change();
    let events = change.allocations + change.reallocations;
    println!(
        "{:.2} allocations per call, {:.0} bytes",
        events as f64 / calls as f64,
        change.bytes_allocated as f64 / calls as f64
    );
}
