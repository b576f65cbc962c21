//! The table.

use std::fmt::Write as _;

use crate::measure::{Figures, times};
use crate::program::Program;

/// Measures all programs, and puts them side by side.
pub(crate) fn table(programs: &[Program], rounds: usize) -> String {
    let mut text = String::from(
        "| program | bytes | system calls to sleep | RSS / private KiB | start µs | stop µs | reaping 10,000: CPU ms / switches \
         | wakeups in 5 s | 100,000 SIGCHLD: CPU ms | lost of 400 stops within 2 ms |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let times = times(programs, rounds);
    for (program, (start, stop)) in programs.iter().zip(times) {
        let figures = Figures::of(program);
        let _ = writeln!(
            text,
            "| {} | {}{} | {} | {} / {} | {start} | {stop} | {:.1} / {} | {} | {:.1} | {} |",
            program.name,
            program.bytes(),
            if program.is_dynamic() { " and libc" } else { "" },
            figures.calls,
            figures.resident_kib,
            figures.private_kib,
            figures.reaping.as_secs_f64() * 1000.0,
            figures.reaping_switches,
            figures.wakeups,
            figures.storm.as_secs_f64() * 1000.0,
            figures.lost,
        );
    }
    let _ = writeln!(
        text,
        "\nEach as PID 1 of a new PID namespace. Start and stop: medians of {rounds}. Memory and CPU: of the program itself, \
         without what it runs."
    );
    text
}
