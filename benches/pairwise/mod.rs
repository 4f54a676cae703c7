//! Two operations in turns, and what one costs beside the other.
//!
//! Two programs run one after the other are not compared by their times: the machine's speed drifts by more than what
//! is asked about. So both run in turns of a few milliseconds, each first in every other pair, and the ratio is the
//! median of the pairs' own ratios.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "of a program that prints its numbers, each of which needs a part"
)]

use std::{
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use counterfoil::Timestamp;

pub(crate) struct Measured {
    pub(crate) ratio: f64,
    pub(crate) quartiles: (f64, f64),
    pub(crate) allocations: u64,
    /// Nanoseconds for one, the median over all pairs.
    pub(crate) ours: f64,
    pub(crate) floor: f64,
    pub(crate) pairs: usize,
}

/// How often, and for how long in each half of a pair.
#[derive(Clone, Copy)]
pub(crate) struct Pairs {
    pub(crate) number: usize,
    pub(crate) batch: Duration,
}

pub(crate) const FAST: Pairs = Pairs { number: 201, batch: Duration::from_millis(2) };
/// A lookup is handed from thread to thread and back: a batch must outlast the scheduler's whims.
pub(crate) const THREADED: Pairs = Pairs { number: 101, batch: Duration::from_millis(20) };
pub(crate) const SLOW: Pairs = Pairs { number: 41, batch: Duration::ZERO };

/// Measures two operations in turns. Each is handed the number of times it is to be done.
pub(crate) fn pairwise(pairs: Pairs, mut ours: impl FnMut(u64), mut floor: impl FnMut(u64)) -> Measured {
    let time = |operation: &mut dyn FnMut(u64), count: u64| {
        let start = Instant::now();
        operation(count);
        start.elapsed().as_secs_f64() * 1e9 / count as f64
    };
    // Both are warm, and the batch is sized by the slower first runs, before anything counts.
    let mut count = 1;
    loop {
        let start = Instant::now();
        ours(count);
        floor(count);
        if start.elapsed() >= pairs.batch * 2 {
            break;
        }
        count *= 2;
    }
    let allocations = allocation_counter::measure(|| ours(1)).count_total;

    let (mut ratios, mut all_ours, mut all_floor) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs.number {
        let (of_ours, of_floor);
        if pair % 2 == 0 {
            of_ours = time(&mut ours, count);
            of_floor = time(&mut floor, count);
        } else {
            of_floor = time(&mut floor, count);
            of_ours = time(&mut ours, count);
        }
        ratios.push(of_ours / of_floor);
        all_ours.push(of_ours);
        all_floor.push(of_floor);
    }
    Measured {
        ratio: quantile(&mut ratios, 0.5),
        quartiles: (quantile(&mut ratios, 0.25), quantile(&mut ratios, 0.75)),
        allocations,
        ours: quantile(&mut all_ours, 0.5),
        floor: quantile(&mut all_floor, 0.5),
        pairs: pairs.number,
    }
}

pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

pub(crate) fn print_machine() {
    let of_command = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(": ")?.1.to_owned())
    });
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.into());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let rustc = of_command("rustc", &["--version"]).unwrap_or_default();
    let now = Timestamp::try_from(SystemTime::now()).map(|now| now.to_string()).unwrap_or_default();
    eprintln!("{processor}, {cores} cores, load {}; {rustc}; {now}", load.split(' ').next().unwrap_or_default());
}
