//! The emulator as a process of its own: started apart from the terminal, found again, stopped.

pub(crate) mod context;
pub(crate) mod kubeconfig;
pub(crate) mod process;
