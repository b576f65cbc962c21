//! Signals other than those that end the program.

use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};

use crate::init::{PATIENCE, Running, before_exec, command};

/// The first and the last real-time signal that programs may use.
const REAL_TIME: [i32; 2] = [34, 64];

fn send_number(running: &Running, signal: i32) {
    // SAFETY: the process is our child, and not yet waited for.
    assert_eq!(unsafe { libc::kill(running.pid().as_raw(), signal) }, 0);
}

#[test]
fn pid_1_survives_what_is_not_meant_to_end_it() {
    let mut running = Running::init(command());
    let survived = [
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGPIPE,
    ];
    for signal in survived {
        running.send(signal);
    }
    for signal in REAL_TIME {
        send_number(&running, signal);
    }
    thread::sleep(Duration::from_millis(20));
    assert!(running.is_running());
    running.send(Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
}

#[test]
fn a_stop_and_a_continue_do_not_end_its_sleep() {
    let mut running = Running::ordinary(command());
    running.send(Signal::SIGSTOP);
    running.send(Signal::SIGCONT);
    running.until_asleep();
    assert!(running.is_running());
    running.send(Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
}

#[test]
fn a_storm_costs_nothing() {
    let mut running = Running::init(command());
    let before = (running.ticks(), running.switches());
    for _ in 0..20_000 {
        for signal in [Signal::SIGCHLD, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGALRM] {
            running.send(signal);
        }
        send_number(&running, REAL_TIME[0]);
    }
    assert_eq!((running.ticks(), running.switches()), before);
    running.send(Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
}

#[test]
fn a_stop_is_never_lost_where_the_starter_blocks_it() {
    for _ in 0..200 {
        let mut command = command();
        before_exec(&mut command, || {
            let mut stop = SigSet::empty();
            stop.add(Signal::SIGTERM);
            sigprocmask(SigmaskHow::SIG_BLOCK, Some(&stop), None)?;
            nix::sys::signal::raise(Signal::SIGTERM)
        });
        assert_eq!(
            Running::start_init(command)
                .ended_within(PATIENCE)
                .and_then(|status| status.code()),
            Some(0)
        );
    }
}
