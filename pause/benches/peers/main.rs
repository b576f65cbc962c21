//! Pause beside its peers: size, system calls, memory, start, stop, reaping, wakeups, storms, lost stops.
//!
//! `pause/bench` gathers the peers and runs this as `peers [--rounds N] NAME=PROGRAM[ ARGUMENT…] …`. All of them run as PID 1 of a
//! PID namespace of their own; the measures of time go round by round through all programs, so that a busy moment
//! meets every one of them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends where the system refuses"
)]

#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
fn main() {
    process::take_turns_first();
    let mut rounds = 100;
    let mut programs = vec![program::Program::ours()];
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo's own flag for benchmarks.
            "--bench" => {}
            "--rounds" => {
                rounds = arguments
                    .next()
                    .and_then(|number| number.parse().ok())
                    .expect("--rounds N")
            }
            peer => programs.push(program::Program::named(peer).expect("NAME=PROGRAM")),
        }
    }
    print!("{}", table::table(&programs, rounds));
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("pause runs on Linux, and so does its benchmark");
}
