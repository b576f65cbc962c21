//! What the tests that cross the crates share: the tools they run, and an emulator of their own.
//!
//! `tests/run` sees to the tools; a test whose tool is missing fails and names it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where something that it needs fails"
)]

pub mod emulator;
pub mod kubectl;
pub mod leftovers;
pub mod output;
pub mod tools;
