//! What the tests that cross the crates share: the tools they run, an emulator of their own, and a real cluster.
//!
//! `tests/run` sees to the tools; a test whose tool is missing fails and names it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where something that it needs fails"
)]

#[cfg(target_os = "linux")]
pub mod cluster;
pub mod emulator;
pub mod kubectl;
pub mod leftovers;
pub mod output;
#[cfg(target_os = "linux")]
pub mod podman;
pub mod registry;
pub mod tools;
#[cfg(unix)]
pub mod user;
