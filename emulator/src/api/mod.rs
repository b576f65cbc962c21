//! TODO api
pub mod admission;
