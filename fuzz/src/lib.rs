//! What untrusted input must not do. Each module is one fuzz target: it takes any bytes, and panics where something
//! comes of them that must not.
//!
//! `fuzz/run` lets libFuzzer find such bytes; the usual tests replay what it has kept (`fuzz/corpus/`).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what must not be ends the program: that is the finding"
)]

mod api_server;
#[cfg(target_os = "linux")]
pub mod images;
pub mod manifests;
pub mod patches;
mod screen;
pub mod selectors;
pub mod streams;

/// A target: takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in `fuzz/corpus/` as well.
pub const TARGETS: &[(&str, Target)] = &[
    #[cfg(target_os = "linux")]
    ("images", images::check),
    ("manifests", manifests::check),
    ("patches", patches::check),
    ("selectors", selectors::check),
    ("streams", streams::check),
];
