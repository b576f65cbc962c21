//! `kubectl_complete-pod`, which kubectl asks when a command line that begins with `kubectl pod` is to be completed.
//!
//! It hands over to the `kubectl-pod` beside it, which knows the answer: the program itself stays small.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let name = format!("kubectl-pod{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(&name));
    let program = beside
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from(name));
    let asked = Command::new(program)
        .arg("__complete")
        .args(std::env::args_os().skip(1))
        .status();
    // Without an answer, the shell offers nothing.
    match asked {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
