//! `kubectl-pod`, which kubectl runs as `kubectl pod`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A pod's shim is this executable, started anew; it must do so before any thread exists.
    #[cfg(target_os = "linux")]
    emulator::runtime::linux::shim_main_if_asked();
    kubectl_pod::main()
}
