//! The same exchanges through reqivo and other clients, in one table. Run it with `bench/http`, which builds what it needs.
//!
//! `http ROUNDS [ROW...]`

use std::cell::OnceCell;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bifrons_bench::http::python::{CLIENTS, Python};
use bifrons_bench::http::{Client, Row, Urls};
use bifrons_bench::{Cost, Variant, gate, interleave, of, pin_to_one_core};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (rounds, words) = match arguments.split_first() {
        Some((first, rest)) if first.parse::<usize>().is_ok() => (first.parse()?, rest),
        _ => (20, &arguments[..]),
    };
    let rows = Row::chosen(words)?;
    let interpreter = std::env::var_os("BENCH_PYTHON").map(PathBuf::from);
    if interpreter.is_none() {
        println!("the Python clients are left out: no BENCH_PYTHON");
    }
    println!("{rounds} rounds, 20th percentile; allocations per call of the client");
    // A process takes over the cores of the thread that starts it, so what needs all of them comes first.
    let (free, pinned): (Vec<Row>, Vec<Row>) = rows.iter().partition(|row| !row.is_pinned());
    let mut missed = Vec::new();
    for row in free {
        measure(
            row,
            rounds,
            &Peers::start(interpreter.as_deref())?,
            &mut missed,
        )?;
    }
    if !pinned.is_empty() {
        let core = pin_to_one_core();
        println!("\nfrom here on client and server share core {core}");
        let peers = Peers::start(interpreter.as_deref())?;
        for row in pinned {
            measure(row, rounds, &peers, &mut missed)?;
        }
    }
    println!("\n{} targets missed", missed.len());
    for line in missed {
        println!("  {line}");
    }
    Ok(())
}

/// The processes beside this one.
struct Peers {
    server: Child,
    urls: Urls,
    python: OnceCell<Python>,
}

impl Peers {
    fn start(interpreter: Option<&Path>) -> anyhow::Result<Self> {
        let mut server = Command::new(probe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        if let Some(output) = server.stdout.take() {
            BufReader::new(output).read_line(&mut address)?;
        }
        let python = OnceCell::new();
        if let Some(interpreter) = interpreter {
            let _ = python.set(Python::start(interpreter)?);
        }
        Ok(Self {
            server,
            urls: Urls::of(address.trim().parse()?),
            python,
        })
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn probe() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("probe"))
}

fn measure(row: Row, rounds: usize, peers: &Peers, missed: &mut Vec<String>) -> anyhow::Result<()> {
    let mut variants = Vec::new();
    for client in Client::ALL {
        if let Some(run) = client.prepare(row, &peers.urls)? {
            variants.push(Variant::new(client.word(), run));
        }
    }
    let native = interleave(rounds, row.calls(), &mut variants);
    drop(variants);
    let mut costs = native;
    if let Some(python) = peers.python.get() {
        // Far slower than the rest, so fewer calls.
        let calls = (row.calls() / 20).max(row.calls().min(64));
        let mut variants: Vec<_> = CLIENTS
            .into_iter()
            .map(|client| Variant::new(client, python.prepare(client, row, &peers.urls)))
            .collect();
        costs.extend(interleave(rounds.min(5), calls, &mut variants));
    }
    print(row, &costs, peers)?;
    for (what, value, limit, at_most) in targets(row, &costs) {
        if !gate(&what, value, limit, at_most) {
            missed.push(format!("{}: {what}: {value:.2}", row.title()));
        }
    }
    Ok(())
}

fn print(row: Row, costs: &[Cost], peers: &Peers) -> anyhow::Result<()> {
    println!(
        "\n{:<40} {:>12} {:>10} {:>10} {:>12}",
        row.title(),
        "time",
        "/ reqivo",
        "/ r.-bl.",
        "allocations"
    );
    let reqivo = of(costs, Client::Reqivo.word()).nanos;
    let blocking = of(costs, Client::ReqivoBlocking.word()).nanos;
    for cost in costs {
        println!(
            "  {:<38} {:>12} {:>10} {:>10} {:>12}",
            cost.name,
            time(cost.nanos),
            ratio(cost.nanos / reqivo),
            ratio(cost.nanos / blocking),
            allocations(cost.name, row, peers)?,
        );
    }
    Ok(())
}

fn time(nanos: f64) -> String {
    match nanos {
        nanos if nanos < 1e5 => format!("{:.2} us", nanos / 1e3),
        nanos => format!("{:.2} ms", nanos / 1e6),
    }
}

/// Counted in a process of its own, because counting takes time.
fn allocations(client: &str, row: Row, peers: &Peers) -> anyhow::Result<String> {
    if Client::named(client).is_err() || row == Row::NewProcess {
        return Ok(String::new());
    }
    let calls = row.calls().min(64 * 20).to_string();
    let output = Command::new(probe()?)
        .args(["count", client, row.word(), &peers.urls.authority, &calls])
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What is to be reached in a row: text, value, limit, and whether the limit is the most.
fn targets(row: Row, costs: &[Cost]) -> Vec<(String, f64, f64, bool)> {
    use Client::*;
    let nanos = |client: Client| of(costs, client.word()).nanos;
    let mut targets = Vec::new();
    let mut faster = |ours: Client, theirs: Client, limit: f64| {
        let value = nanos(theirs) / nanos(ours);
        if value.is_finite() {
            let text = format!(
                "{} is so many times as fast as {}",
                ours.word(),
                theirs.word()
            );
            targets.push((text, value, limit, false));
        }
    };
    faster(Reqivo, Reqwest, if row == Row::Get64 { 1.15 } else { 0.95 });
    faster(ReqivoSpawned, ReqwestSpawned, 0.95);
    faster(ReqivoBlocking, Ureq, 0.95);
    let blocking = if row == Row::Get { 1.8 } else { 0.95 };
    faster(ReqivoBlocking, ReqwestBlocking, blocking);
    if row == Row::Get {
        faster(Reqivo, Hyper, 1.0);
        for (ours, floor) in [(Reqivo, TokioSocket), (ReqivoBlocking, StdSocket)] {
            let text = format!(
                "{} takes so many times as long as {}",
                ours.word(),
                floor.word()
            );
            targets.push((text, nanos(ours) / nanos(floor), 1.25, true));
        }
    }
    targets
}

fn ratio(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.2}"),
        false => String::new(),
    }
}
