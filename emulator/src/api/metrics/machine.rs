//! What the whole machine uses: the node is the machine.

use std::fs;

use crate::runtime::Usage;

/// A tick of `/proc/stat`, in nanoseconds: 100 of them a second, on every Linux.
const TICK: u64 = 10_000_000;

/// What the machine has used so far; nothing where it does not say.
pub(super) fn usage() -> Option<Usage> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let memory = memory_in_use(&memory)?;
    Some(Usage {
        cpu_nanoseconds: busy_ticks(&stat)? * TICK,
        memory,
        memory_working_set: memory,
    })
}

/// All ticks of all processors but those without work: idle and waiting for a disk.
fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; the guests' share is among user's.
    let busy = ticks.iter().take(7).sum::<u64>();
    Some(busy - ticks.get(3)? - ticks.get(4)?)
}

fn memory_in_use(memory: &str) -> Option<u64> {
    let bytes = |name: &str| -> Option<u64> {
        let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .ok()
            .map(|kib| kib * 1024)
    };
    bytes("MemTotal:")?.checked_sub(bytes("MemAvailable:")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_no_use() {
        let stat = "cpu  100 10 50 1000 40 1 2 3 0 0\ncpu0 100 10 50 1000 40 1 2 3 0 0\n";
        assert_eq!(busy_ticks(stat), Some(163));
        assert_eq!(busy_ticks("intr 1"), None);
    }

    #[test]
    fn what_can_be_had_is_not_in_use() {
        let memory = "MemTotal:  1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\n";
        assert_eq!(memory_in_use(memory), Some(600 * 1024));
    }
}
