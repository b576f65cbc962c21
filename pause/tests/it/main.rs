//! The program under test as the kernel sees it: started as PID 1 of a PID namespace of its own.
//!
//! Making such namespaces needs root.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something it needs fails")]

mod arguments;
mod footprint;
mod inheritance;
mod init;
mod messages;
mod orphans;
mod peers;
mod reproducible;
mod signals;
mod startup;
