//! Pod addresses: a bridge in a network namespace of the node's own, a link to it for each pod, and one from the machine.

#[cfg(target_os = "linux")]
mod links;
#[cfg(target_os = "linux")]
mod loopback;
#[cfg(target_os = "linux")]
mod machine_link;
#[cfg(target_os = "linux")]
mod namespace;
mod subnet;

pub(crate) use subnet::ADDRESSES as POD_ADDRESSES;

#[cfg(target_os = "linux")]
pub use links::{Network, NetworkError};
#[cfg(target_os = "linux")]
pub use loopback::bring_up_loopback;
#[cfg(target_os = "linux")]
pub use namespace::{NodeNamespace, in_namespace, new_namespace};
#[cfg(target_os = "linux")]
pub(crate) use namespace::{of_process, on_a_thread};
