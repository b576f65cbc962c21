//! Pod addresses: a bridge on the node, and for each pod a link to it.

#[cfg(target_os = "linux")]
mod links;
#[cfg(target_os = "linux")]
mod loopback;
#[cfg(target_os = "linux")]
mod namespace;
mod subnet;

pub(crate) use subnet::ADDRESSES as POD_ADDRESSES;

#[cfg(target_os = "linux")]
pub use links::{Network, NetworkError};
#[cfg(target_os = "linux")]
pub use loopback::bring_up_loopback;
#[cfg(target_os = "linux")]
pub(crate) use namespace::of_process;
#[cfg(target_os = "linux")]
pub use namespace::{NodeNamespace, in_namespace, new_namespace};
