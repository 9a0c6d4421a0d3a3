//! What the measurements share: interleaved rounds, pinning, context switches, a minimal HTTP server and its clients.

pub mod echo;
pub mod http;
pub mod server;

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;

/// Pins the calling thread, and every thread it starts later, to one core. Returns the core.
pub fn pin_to_one_core() -> usize {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let core = (0..CpuSet::count())
        .rfind(|core| allowed.is_set(*core).unwrap_or(false))
        .unwrap_or(0);
    let mut one = CpuSet::new();
    if one.set(core).is_ok() {
        let _ = sched_setaffinity(Pid::from_raw(0), &one);
    }
    core
}

/// Voluntary plus involuntary context switches of the calling thread so far.
pub fn switches() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD)
        .map(|usage| usage.voluntary_context_switches() + usage.involuntary_context_switches())
        .unwrap_or(0)
}

/// User and system CPU time of this process so far.
pub fn cpu_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let of = |time: nix::sys::time::TimeVal| {
        Duration::new(
            time.tv_sec().unsigned_abs(),
            u32::try_from(time.tv_usec()).unwrap_or(0) * 1000,
        )
    };
    of(usage.user_time()) + of(usage.system_time())
}

/// One way of doing the measured thing: performs `calls` operations.
pub struct Variant<'a> {
    /// The name in the table.
    pub name: &'static str,
    run: Box<dyn FnMut(usize) + 'a>,
}

impl<'a> Variant<'a> {
    /// Names a way of doing `calls` operations.
    pub fn new(name: &'static str, run: impl FnMut(usize) + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }
}

/// What a variant cost, per operation.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// The name in the table.
    pub name: &'static str,
    /// Nanoseconds, 20th percentile over the rounds.
    pub nanos: f64,
    /// Context switches of the calling thread, 20th percentile over the rounds.
    pub switches: f64,
}

/// Runs all variants in turn, `rounds` times, and returns the 20th percentile of each.
pub fn interleave(rounds: usize, calls: usize, variants: &mut [Variant<'_>]) -> Vec<Cost> {
    let mut times = vec![Vec::new(); variants.len()];
    let mut moves = vec![Vec::new(); variants.len()];
    for round in 0..=rounds {
        for (index, variant) in variants.iter_mut().enumerate() {
            let before = switches();
            let start = Instant::now();
            (variant.run)(calls);
            let elapsed = start.elapsed();
            // The first round warms connections and caches up.
            if round > 0 {
                times[index].push(elapsed.as_nanos() as f64 / calls as f64);
                moves[index].push((switches() - before) as f64 / calls as f64);
            }
        }
    }
    variants
        .iter()
        .zip(times.iter_mut().zip(moves.iter_mut()))
        .map(|(variant, (times, moves))| Cost {
            name: variant.name,
            nanos: percentile_20(times),
            switches: percentile_20(moves),
        })
        .collect()
}

fn percentile_20(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 5).copied().unwrap_or(f64::NAN)
}

/// The cost of the variant called `name`.
pub fn of(costs: &[Cost], name: &str) -> Cost {
    costs
        .iter()
        .copied()
        .find(|cost| cost.name == name)
        .unwrap_or(Cost {
            name: "missing",
            nanos: f64::NAN,
            switches: f64::NAN,
        })
}

/// Prints one table of costs.
pub fn print_costs(title: &str, costs: &[Cost]) {
    println!("\n{title}");
    for cost in costs {
        println!(
            "  {:<44} {:>10.0} ns   {:>6.3} switches",
            cost.name, cost.nanos, cost.switches
        );
    }
}

/// Prints whether `value` keeps a gate, and returns it; gates never fail a run.
pub fn gate(what: &str, value: f64, limit: f64, at_most: bool) -> bool {
    let kept = if at_most {
        value <= limit
    } else {
        value >= limit
    };
    let sign = if at_most { "<=" } else { ">=" };
    println!(
        "  {} {what}: {value:.2} (gate {sign} {limit})",
        if kept { "kept  " } else { "MISSED" }
    );
    kept
}

/// Runs `work` on `count` threads at once and waits for all of them.
pub fn threads(count: usize, work: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for index in 0..count {
            let work = &work;
            scope.spawn(move || work(index));
        }
    });
}
