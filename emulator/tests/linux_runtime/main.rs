//! Real containers from busybox, as root. Without root these tests fail, and say so.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it should do"
)]

mod escape;
mod image_volumes;
mod isolation;
mod lifecycle;
mod machine;
mod network;
mod programs;
mod rootless;
mod setuid;
mod streams;
mod tracing;
mod user_namespace;
