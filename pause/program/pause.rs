//! The infra container of a pod: it holds the pod's namespaces, lets the kernel reap, and sleeps until it is told to end.
//!
//! Nothing but the kernel is below it: no libc, no start-up code, one page. The order of the calls matters.
//! A signal that PID 1 neither blocks nor handles is lost, so the mask comes first, and the window in which
//! a stop can be lost is what the kernel needs from exec to the first instruction's system call.

#![no_std]
#![no_main]

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod arch;

use arch::{number, system_call};

const SIGINT: usize = 2;
const SIGPIPE: usize = 13;
const SIGTERM: usize = 15;
const SIGCHLD: usize = 17;

const STDOUT: usize = 1;
const STDERR: usize = 2;

/// What the kernel's signal sets measure.
const SET_SIZE: usize = 8;
const SIG_SETMASK: usize = 2;
const SIG_IGN: usize = 1;
/// `WNOHANG | __WALL`: clones that were to end without a signal are cleared as well.
const NO_HANG: usize = 0x4000_0001;
/// What a full pipe answers.
const EAGAIN: isize = 11;
/// `RWF_NOWAIT`: this one write does not block, and the open file, which others may share, keeps its flags.
const NO_WAIT: usize = 8;
const POLLOUT: u64 = 4;
/// The highest descriptor closed where the kernel has no `close_range`.
const LAST_DESCRIPTOR: usize = 1023;

const fn bit(signal: usize) -> u64 {
    1 << (signal - 1)
}

/// The signals that end the sleep.
static STOP: u64 = bit(SIGINT) | bit(SIGTERM);
/// What is blocked: those, and the one that a broken stderr would kill us with. An inherited mask ends here.
static BLOCKED: u64 = bit(SIGINT) | bit(SIGTERM) | bit(SIGPIPE);
/// The kernel's `struct sigaction`: handler, flags, restorer, mask. Ignoring children means that they leave no zombies.
static IGNORE: [usize; 4] = [SIG_IGN, 0, 0, 0];

/// Writes, but never waits for a reader, and never fails.
fn say(descriptor: usize, text: &'static [u8]) {
    let part = [text.as_ptr() as usize, text.len()];
    let written = system_call(
        number::PWRITEV2,
        [descriptor, part.as_ptr() as usize, 1, usize::MAX, usize::MAX, NO_WAIT],
    );
    if written < 0 && written != -EAGAIN {
        // Terminals, files of some filesystems and old kernels do not know the flag: ask for room first.
        let room = descriptor as u64 | POLLOUT << 32;
        let now = [0_u64; 2];
        if system_call(
            number::PPOLL,
            [&raw const room as usize, 1, &raw const now as usize, 0, 0, 0],
        ) == 1
        {
            system_call(number::WRITE, [descriptor, text.as_ptr() as usize, text.len(), 0, 0, 0]);
        }
    }
}

fn exit() -> ! {
    loop {
        system_call(number::EXIT, [0; 6]);
    }
}

/// The program. `stack` is what the kernel left: the count of arguments, then the arguments, then null.
extern "C" fn main(stack: *const *const u8) -> ! {
    system_call(
        number::RT_SIGPROCMASK,
        [SIG_SETMASK, &raw const BLOCKED as usize, 0, SET_SIZE, 0, 0],
    );
    // SAFETY: the kernel ends the arguments with a null pointer, and each of them with a null byte.
    unsafe {
        let mut argument = stack.add(1);
        while !(*argument).is_null() {
            argument = argument.add(1);
            let text = *argument;
            if !text.is_null() && *text == b'-' && *text.add(1) | 0x20 == b'v' && *text.add(2) == 0 {
                say(STDOUT, concat!("pause ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
                exit();
            }
        }
    }
    system_call(
        number::RT_SIGACTION,
        [SIGCHLD, &raw const IGNORE as usize, 0, SET_SIZE, 0, 0],
    );
    while system_call(number::WAIT4, [usize::MAX, 0, NO_HANG, 0, 0, 0]) > 0 {}
    system_call(number::CHDIR, [c"/".as_ptr() as usize, 0, 0, 0, 0, 0]);
    if system_call(number::CLOSE_RANGE, [3, u32::MAX as usize, 0, 0, 0, 0]) != 0 {
        for descriptor in 3..=LAST_DESCRIPTOR {
            system_call(number::CLOSE, [descriptor, 0, 0, 0, 0, 0]);
        }
    }
    if system_call(number::GETPID, [0; 6]) != 1 {
        say(STDERR, b"Warning: pause should be the first process\n");
    }
    loop {
        let signal = system_call(
            number::RT_SIGTIMEDWAIT,
            [&raw const STOP as usize, 0, 0, SET_SIZE, 0, 0],
        );
        if signal == SIGTERM as isize {
            say(STDERR, b"Shutting down, got signal: Terminated\n");
            exit();
        }
        if signal == SIGINT as isize {
            say(STDERR, b"Shutting down, got signal: Interrupt\n");
            exit();
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit()
}
