//! Where there are no namespaces and cgroups, there is no emulator: everything says so.

use std::{convert::Infallible, path::Path, time::Duration};

use super::{Connection, EmulatorError, Options};
use crate::data_dir::Running;

fn elsewhere() -> EmulatorError {
    EmulatorError::Machine("the emulator runs on Linux: it makes containers out of namespaces and cgroups".to_owned())
}

/// An emulator that runs; there is none here.
pub struct Emulator(Infallible);

impl Emulator {
    /// Starts none.
    ///
    /// # Errors
    /// That it needs Linux.
    #[expect(clippy::unused_async, reason = "as on Linux")]
    pub async fn start(_options: Options) -> Result<Self, EmulatorError> {
        Err(elsewhere())
    }

    /// How to connect to it.
    pub fn connection(&self) -> &Connection {
        match self.0 {}
    }

    /// What this machine keeps it from.
    pub fn limitations(&self) -> &[String] {
        match self.0 {}
    }

    /// How its pods are reached.
    pub fn reach(&self) -> Option<String> {
        match self.0 {}
    }

    /// How long its pods may take to end.
    pub fn stop_timeout(&self) -> Option<Duration> {
        match self.0 {}
    }

    /// Stops it.
    ///
    /// # Errors
    /// None: it does not run.
    #[expect(clippy::unused_async, reason = "as on Linux")]
    pub async fn stop(self, _timeout: Duration, _at_once: impl Future<Output = ()>) -> Result<(), EmulatorError> {
        match self.0 {}
    }
}

/// How to connect to one that runs.
///
/// # Errors
/// That it needs Linux.
pub fn connection(_data_dir: &Path, _running: &Running) -> Result<Connection, EmulatorError> {
    Err(elsewhere())
}

/// Takes away what one left.
///
/// # Errors
/// That it needs Linux.
#[expect(clippy::unused_async, reason = "as on Linux")]
pub async fn clean_up(_data_dir: &Path) -> Result<bool, EmulatorError> {
    Err(elsewhere())
}

/// Loads images.
///
/// # Errors
/// That it needs Linux.
pub fn load(_data_dir: &Path, _archive: &Path) -> Result<Vec<String>, EmulatorError> {
    Err(elsewhere())
}

/// Makes the process fit to run one.
///
/// # Errors
/// That it needs Linux.
pub fn prepare_process(_data_dir: &Path) -> Result<(), EmulatorError> {
    Err(elsewhere())
}

/// Ends when the process is asked to stop; nothing asks here.
pub fn asked_to_stop() -> impl Future<Output = ()> {
    std::future::pending()
}
