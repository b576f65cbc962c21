//! TODO api
pub mod admission;
mod container_of_pod;
pub mod logs;
pub mod query;
pub mod streaming;
