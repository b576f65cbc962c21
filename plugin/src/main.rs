//! `kubectl-pod`, which kubectl runs as `kubectl pod`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kubectl_pod::main()
}
