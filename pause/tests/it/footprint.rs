//! How little the program takes: bytes, memory, wakeups.

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
    // The page of the file itself is shared between pods.
    let pods = [Running::init(command()), Running::init(command())];
    for pod in pods {
        let resident = pod.number("smaps_rollup", "Rss");
        let own = pod.number("smaps_rollup", "Private_Clean") + pod.number("smaps_rollup", "Private_Dirty");
        assert!(resident <= 16 && own <= 8, "{resident} KiB resident, {own} KiB its own");
    }
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
