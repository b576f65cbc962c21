//! `kubectl pod completion`: the program that kubectl asks to complete `kubectl pod`, for who has none yet.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::view::printer::Printer;

/// What `completion` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "kubectl's own completion has to be loaded (see kubectl completion --help). It asks a program of the name
kubectl_complete-pod for what follows `kubectl pod`. `cargo install` brings one; krew links none, so write one:

  kubectl pod completion > ~/.local/bin/kubectl_complete-pod    # or into any other folder of PATH
  chmod +x ~/.local/bin/kubectl_complete-pod"
)]
pub struct Arguments {}

/// The program: kubectl finds `kubectl-pod` on PATH, and so does this.
const SCRIPT: &str = "#!/bin/sh\n# kubectl asks this to complete `kubectl pod`.\nexec kubectl-pod __complete \"$@\"\n";

/// Runs it.
///
/// # Errors
/// None: it writes a text.
pub fn run(_arguments: &Arguments, printer: &mut Printer) -> Result<ExitCode, Failure> {
    printer.document(SCRIPT);
    Ok(ExitCode::SUCCESS)
}
