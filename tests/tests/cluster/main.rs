//! A real Kubernetes 1.20: kubelet, containerd and control plane, with the pause image below every pod.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

mod archive;
mod around;
mod infra;
mod seed;
mod workloads;
