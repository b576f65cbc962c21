//! Flags of kubectl that concern kubectl alone: a command line written for it is taken as it is.
//!
//! What such a flag would change is not there: nothing is cached, nothing is compressed, nothing is logged late. What
//! cannot hold is refused by name.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::usage::UsageError;
use super::{duration, switch};

/// The flags.
#[derive(Clone, Debug, Default, Args)]
pub struct KubectlOnly {
    /// kubectl's cache of discovery; nothing is discovered here, and nothing kept
    #[arg(long, global = true, value_name = "FOLDER", hide = true)]
    cache_dir: Option<PathBuf>,
    /// Answers are never asked for compressed
    #[arg(
        long,
        global = true,
        hide = true,
        value_parser = switch::parse,
        value_name = switch::VALUE
    )]
    disable_compression: bool,
    /// kubectl's aliases and default flags, which are those of kubectl's own commands
    #[arg(long, global = true, value_name = "FILE", hide = true)]
    kuberc: Option<PathBuf>,
    /// What is logged is written at once
    #[arg(long, global = true, value_name = "DURATION", hide = true, value_parser = duration::parse_or_parse_error)]
    log_flush_frequency: Option<Duration>,
    /// Log levels of kubectl's source files
    #[arg(long, global = true, value_name = "PATTERN=N", hide = true)]
    vmodule: Option<String>,
    /// A profile of kubectl's own run
    #[arg(long, global = true, value_name = "NAME", hide = true)]
    profile: Option<String>,
    /// Where that goes
    #[arg(long, global = true, value_name = "FILE", hide = true)]
    profile_output: Option<PathBuf>,
    /// Compares the server's version with kubectl's
    #[arg(
        long,
        global = true,
        hide = true,
        value_parser = switch::parse,
        value_name = switch::VALUE
    )]
    match_server_version: bool,
}

impl KubectlOnly {
    /// Refuses what cannot hold.
    ///
    /// # Errors
    /// The flag, and why.
    pub fn check(&self) -> Result<(), UsageError> {
        match self.profile.as_deref() {
            None | Some("none" | "") => {}
            Some("cpu" | "heap" | "goroutine" | "threadcreate" | "block" | "mutex" | "trace") => {
                return Err(UsageError::new(
                    "--profile is not supported: it profiles Go programs, and this is none",
                ));
            }
            Some(other) => return Err(UsageError::new(format!("unknown profile '{other}'"))),
        }
        if self.match_server_version {
            return Err(UsageError::new(
                "--match-server-version is not supported: this plugin has no version of Kubernetes, and speaks to every \
                 server from 1.20 on",
            ));
        }
        Ok(())
    }
}
