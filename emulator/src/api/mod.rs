//! TODO api
pub mod admission;
mod container_of_pod;
pub mod logs;
mod merge_keys;
mod openapi;
pub mod query;
pub mod streaming;
