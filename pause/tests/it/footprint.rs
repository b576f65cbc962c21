//! How little the program takes: bytes, memory, wakeups.

use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::init::{Running, command};

#[test]
#[cfg(target_arch = "x86_64")]
fn the_program_has_at_most_1200_bytes() {
    assert!(!pause::BINARY.is_empty());
    assert!(pause::BINARY.len() <= 1200, "{} bytes", pause::BINARY.len());
}

#[test]
fn the_library_carries_the_file_that_is_tested() {
    assert_eq!(std::fs::read(crate::init::program()).unwrap(), pause::BINARY);
}

#[test]
fn idle_it_holds_at_most_16_kib_of_which_8_are_its_own() {
    // The page of the file itself is shared between pods. The kernel lays the first stack frame where chance wills, now
    // and then over the end of a page: the middle one of several is what the program itself takes.
    let pods: Vec<Running> = (0..9).map(|_| Running::init(bare_command())).collect();
    let mut own: Vec<u64> = Vec::new();
    for pod in &pods {
        let resident = pod.number("smaps_rollup", "Rss");
        assert!(resident <= 16, "{resident} KiB resident");
        own.push(pod.number("smaps_rollup", "Private_Clean") + pod.number("smaps_rollup", "Private_Dirty"));
    }
    own.sort_unstable();
    assert!(own[own.len() / 2] <= 8, "{own:?} KiB its own");
}

/// As an engine starts it: with next to no environment.
fn bare_command() -> Command {
    let mut command = command();
    command.env_clear();
    command
}

#[test]
fn it_has_one_thread() {
    assert_eq!(Running::init(command()).number("status", "Threads"), 1);
}

#[test]
fn it_never_wakes_up_by_itself() {
    let running = Running::init(command());
    let before = running.switches();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(running.switches(), before);
}
