//! Lists fleets of growing size to ndjson from a sandbox in its own process: rows per second and peak memory of the program.
//!
//! Build the programs first: `cargo build --release -p sophos -p sophos-sandbox` in the project folder.
//! `cargo run --release --bin fleet [TARGET_FOLDER]`

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use bifrons_bench::gate;
use nix::sys::resource::{UsageWho, getrusage};

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "../target/release".to_owned()),
    );
    println!(
        "{:>8}  {:<8} {:>9} {:>12} {:>12} {:>10}",
        "devices", "face", "rows", "first row", "all rows", "peak RSS"
    );
    let mut peaks = Vec::new();
    let mut sandboxes = Vec::new();
    for devices in [1_000usize, 10_000, 100_000] {
        let sandbox = Sandbox::start(&folder, devices)?;
        for face in ["async", "sync"] {
            let start = Instant::now();
            let mut client = Command::new(folder.join("sophos"));
            client.args([
                "endpoint",
                "list",
                "--all",
                "--page-size",
                "500",
                "--output",
                "ndjson",
                "--quiet",
            ]);
            if face == "sync" {
                client.arg("--sync");
            }
            client
                .env_clear()
                .envs(sandbox.environment.iter().cloned())
                .env("HOME", std::env::temp_dir());
            let mut child = client.stdout(Stdio::piped()).spawn()?;
            let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
            lines.next().transpose()?;
            let first = start.elapsed();
            let rows = 1 + lines.map_while(Result::ok).count();
            let status = child.wait()?;
            let all = start.elapsed();
            // The largest child waited for so far; sizes only grow, and every sandbox is still running.
            let peak = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() as f64 / 1024.0;
            anyhow::ensure!(
                status.success() && rows == devices,
                "{rows} rows of {devices}, {status}"
            );
            println!("{devices:>8}  {face:<8} {rows:>9} {first:>12.1?} {all:>12.1?} {peak:>8.1} M");
            peaks.push(peak);
        }
        sandboxes.push(sandbox);
    }
    gate(
        "peak memory at 100,000 devices, MiB",
        peaks.last().copied().unwrap_or(f64::NAN),
        60.0,
        true,
    );
    gate(
        "peak at 100,000 / peak at 1,000",
        peaks[peaks.len() - 1] / peaks[0],
        1.5,
        true,
    );
    Ok(())
}

struct Sandbox {
    process: Child,
    environment: Vec<(String, String)>,
}

impl Sandbox {
    fn start(folder: &std::path::Path, devices: usize) -> anyhow::Result<Self> {
        let mut process = Command::new(folder.join("sophos-sandbox"))
            .args(["--port", "0", "--endpoints", &devices.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut environment = Vec::new();
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        // It announces the variables to export; this one comes last.
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((name, value)) = line
                .trim()
                .strip_prefix("export ")
                .and_then(|pair| pair.split_once('='))
            {
                environment.push((name.to_owned(), value.trim_matches(['\'', '"']).to_owned()));
                if name == "SOPHOS_GLOBAL_URL" {
                    break;
                }
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            process,
            environment,
        })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
