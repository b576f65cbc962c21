//! The figures of one program.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::process::Process;
use crate::program::Program;

const ORPHANS: usize = 10_000;
const STORM: usize = 100_000;
const IDLE: Duration = Duration::from_secs(5);
/// How many stops are sent, and within which time of the start.
const STOPS: u32 = 400;
const WINDOW: Duration = Duration::from_millis(2);

/// Everything that is measured on one running process.
pub(crate) struct Figures {
    pub(crate) calls: usize,
    pub(crate) resident_kib: u64,
    pub(crate) private_kib: u64,
    pub(crate) reaping: Duration,
    pub(crate) reaping_switches: u64,
    pub(crate) storm: Duration,
    pub(crate) wakeups: u64,
    pub(crate) lost: usize,
}

impl Figures {
    pub(crate) fn of(program: &Program) -> Self {
        let (reaping, reaping_switches) = reaping(program);
        // Two of them, as pods are many: a page that both read of the file is not private to either.
        let _other = Process::settled(program);
        let process = Process::settled(program);
        let resident_kib = process.sum("smaps_rollup", &["Rss"]);
        let private_kib = process.sum("smaps_rollup", &["Private_Clean", "Private_Dirty"]);
        let switches = process.switches();
        thread::sleep(IDLE);
        let wakeups = process.switches() - switches;
        Self {
            calls: Process::calls_to_sleep(program),
            resident_kib,
            private_kib,
            reaping,
            reaping_switches,
            storm: storm(&process),
            wakeups,
            lost: lost(program),
        }
    }
}

/// CPU time and context switches for 10,000 orphans.
fn reaping(program: &Program) -> (Duration, u64) {
    let process = Process::settled(program);
    let before = (process.on_cpu(), process.switches());
    process.adopt(ORPHANS);
    (process.on_cpu() - before.0, process.switches() - before.1)
}

/// CPU time for 100,000 signals that say that a child has ended.
fn storm(process: &Process) -> Duration {
    let before = process.on_cpu();
    for _ in 0..STORM {
        process.send(Signal::SIGCHLD);
    }
    thread::sleep(Duration::from_millis(100));
    process.on_cpu() - before
}

/// How many of 400 stops, sent at even distances within 2 ms of the start, do not end it.
fn lost(program: &Program) -> usize {
    let mut told: Vec<Process> = (0..STOPS)
        .map(|number| Process::stopped_after(program, WINDOW * number / STOPS))
        .collect();
    thread::sleep(Duration::from_secs(1));
    told.iter_mut().map(|process| usize::from(!process.has_ended())).sum()
}

/// The medians, in microseconds, of the times to sleep and from the stop to the end, for every program.
pub(crate) fn times(programs: &[Program], rounds: usize) -> Vec<(u128, u128)> {
    let calls: Vec<_> = programs
        .iter()
        .map(|program| Process::settled(program).call())
        .collect();
    let mut times = vec![(Vec::new(), Vec::new()); programs.len()];
    for _ in 0..rounds {
        for (index, program) in programs.iter().enumerate() {
            // What the one before leaves to clear up is none of this one's.
            thread::sleep(Duration::from_millis(20));
            let (process, start) = Process::asleep(program, &calls[index]);
            times[index].0.push(start.as_micros());
            // What it runs, where it runs something, comes to rest later.
            thread::sleep(Duration::from_millis(20));
            times[index]
                .1
                .extend(process.time_to_end().map(|stop| stop.as_micros()));
        }
    }
    times
        .into_iter()
        .map(|(start, stop)| (median(start), median(stop)))
        .collect()
}

fn median(mut figures: Vec<u128>) -> u128 {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
