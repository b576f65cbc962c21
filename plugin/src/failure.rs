//! Why a command ended without doing what it was asked: the one error type of the program's surface.
//!
//! Each variant is a kind; the kind decides the words around the message, and the exit code.

use emulator::data_dir::DataDirError;
use emulator::emulator::EmulatorError;
use emulator::simulation::SimulationError;

use crate::cli::usage::UsageError;
use crate::cluster::error::ClusterError;
use crate::commands::pause_image::PauseImageError;
use crate::daemon::context::ContextError;
use crate::daemon::process::ProcessError;
use crate::manifest::Problem;
use crate::recording::RecordingError;
use crate::view::machine::go_template::Unfilled;
use crate::view::printer::Printer;
use crate::view::text::{Line, Tone};

/// What a command failed with.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line is wrong.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The API server, or the way to it; the message is kubectl's own, prefix and all.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A file.
    #[error(transparent)]
    Manifest(#[from] Problem),
    /// The pause image.
    #[error(transparent)]
    PauseImage(#[from] PauseImageError),
    /// A life cannot be simulated: the API would refuse the manifest.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// A template asks for what the answer does not have.
    #[error(transparent)]
    Unfilled(#[from] Unfilled),
    /// A recording cannot be kept.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The system has no resources for us to wait with.
    #[error("cannot start: {0}")]
    Runtime(#[source] std::io::Error),
    /// What was asked for is known by name and not supported.
    #[error("{what} is not supported: {why}")]
    Unsupported {
        /// What was asked for, as the user wrote it.
        what: String,
        /// Why not, and what works instead.
        why: String,
    },
    /// The folder of an emulator that lives as long as its command cannot be made, or removed.
    #[error("the emulator's temporary folder: {0}")]
    Folder(#[source] std::io::Error),
    /// The emulator could not do it, or could not be reached as a process; a full sentence.
    #[error("{0}")]
    Emulator(String),
}

impl From<DataDirError> for Failure {
    fn from(error: DataDirError) -> Self {
        Self::Emulator(error.to_string())
    }
}

impl From<EmulatorError> for Failure {
    fn from(error: EmulatorError) -> Self {
        Self::Emulator(error.to_string())
    }
}

impl From<ContextError> for Failure {
    fn from(error: ContextError) -> Self {
        Self::Emulator(error.to_string())
    }
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        Self::Emulator(error.to_string())
    }
}

impl Failure {
    /// Writes the failure to standard error.
    pub fn report(&self, printer: &mut Printer) {
        for (number, line) in self.to_string().lines().enumerate() {
            let line = match (number, self.is_prefixed()) {
                (0, true) => Line::new().tone(Tone::Bad, "error:").plain(" ").plain(line),
                _ => Line::from(line),
            };
            printer.error_line(&line);
        }
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        1
    }

    /// Whether the message is introduced by `error: `, as kubectl introduces its own.
    fn is_prefixed(&self) -> bool {
        match self {
            Self::Cluster(ClusterError::Flags(_)) => true,
            Self::Cluster(_) => false,
            Self::Usage(_)
            | Self::PauseImage(_)
            | Self::Manifest(_)
            | Self::Recording(_)
            | Self::Unfilled(_)
            | Self::Simulation(_)
            | Self::Runtime(_)
            | Self::Unsupported { .. }
            | Self::Emulator(_)
            | Self::Folder(_) => true,
        }
    }
}
