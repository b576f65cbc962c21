//! `kubectl pod emulator status`.

use std::process::ExitCode;

use emulator::data_dir::DataDir;

use super::DataDirFlag;
use crate::daemon::process;
use crate::failure::Failure;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// Says whether the emulator runs, and where. Exit code 1 where it does not, for scripts.
pub(super) fn run(flag: &DataDirFlag, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let data_dir = flag.path();
    let Some(running) = DataDir::running(&data_dir) else {
        printer.line(&Line::from(
            "The emulator does not run. Start it with: kubectl pod emulator start",
        ));
        return Ok(ExitCode::FAILURE);
    };
    let rows = [
        ("Server", running.server.clone()),
        ("Process", running.pid.to_string()),
        ("Data", data_dir.display().to_string()),
        ("Log", process::log_path(&data_dir).display().to_string()),
    ];
    printer.line(&Line::from("The emulator runs."));
    for (name, value) in rows {
        printer.line(&Line::from(format!("  {name:<8} {value}").as_str()));
    }
    Ok(ExitCode::SUCCESS)
}
