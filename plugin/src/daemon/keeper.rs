//! A process that takes away what a command leaves behind where the command itself is killed.

use std::{
    env, io,
    path::Path,
    process::{Child, Command, Stdio},
};

/// Waits for this process to end. Dropped without `dismiss`, it cleans up, as after any end.
pub struct Keeper(Child);

impl Keeper {
    /// Starts one for the emulator in `folder`. It learns of this process's end from a pipe, which no signal can keep
    /// from being closed; it has a process group of its own, so that no Ctrl-C reaches it.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["emulator", "keep", "--data-dir"]).arg(folder);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(Self(command.spawn()?))
    }

    /// There is nothing left to clean up.
    pub fn dismiss(mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
