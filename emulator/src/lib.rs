//! One Kubernetes node and its API server in one process, running real containers.
#![cfg_attr(
    not(target_os = "linux"),
    allow(
        dead_code,
        unused_imports,
        reason = "what puts the parts together is there on Linux alone"
    )
)]

pub mod api;
pub mod clock;
pub mod container_config;
pub mod controllers;
pub mod data_dir;
mod disk_usage;
pub mod emulator;
pub mod events;
pub mod features;
pub mod host_ports;
pub mod image;
pub mod kubelet;
#[cfg(target_os = "linux")]
mod mapped_namespace;
#[cfg(target_os = "linux")]
mod mount_tree;
pub mod network;
pub mod node_edges;
mod observations;
#[cfg(target_os = "linux")]
mod overlay;
mod pod_ids;
pub mod probe;
pub mod quantity;
pub mod runtime;
pub mod scheduler;
#[cfg(target_os = "linux")]
mod scoped_open;
pub mod simulation;
pub mod static_pods;
pub mod store;
mod token_objects;
mod token_request;
pub mod tokens;
pub mod uid;
pub mod volumes;
pub mod yaml;
