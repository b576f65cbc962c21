//! Why a container could not be started.

use std::{fmt::Display, io};

/// What went wrong, without the runtime's lead-in.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in super::super) struct LaunchError(pub(in super::super) String);

/// An error in the kernel's words, as other runtimes write them: no capital, no number.
pub(in super::super) fn words(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

/// Says what was being done when an error came.
pub(super) trait During<T> {
    fn during(self, what: impl Display) -> Result<T, LaunchError>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, what: impl Display) -> Result<T, LaunchError> {
        self.map_err(|error| LaunchError(format!("error during container init: {what}: {}", words(&error.into()))))
    }
}
