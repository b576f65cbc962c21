//! The emulator as a process of its own: started apart from the terminal, found again, stopped.

pub mod context;
pub mod keeper;
pub mod kubeconfig;
pub mod process;
