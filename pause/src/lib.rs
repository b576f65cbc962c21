//! The infra container of a pod: a program of about a thousand bytes, and the image made from it.
//!
//! The program is in `program/`; the build script compiles it and this library carries the bytes, so that
//! whoever depends on it needs neither a file nor a registry at run time.

pub mod image;

/// The program for one architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The architecture as images name it: `amd64`, `arm64`.
    pub architecture: &'static str,
    /// An ELF executable that needs nothing but the kernel.
    pub bytes: &'static [u8],
}

/// The program for every architecture that the build could compile for.
pub const BINARIES: &[Binary] = include!(concat!(env!("OUT_DIR"), "/binaries.rs"));

/// The program for the architecture that this library was compiled for; empty where there is none.
pub const BINARY: &[u8] = own_binary();

/// The version that the program prints for `-v`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const fn own_binary() -> &'static [u8] {
    let mut index = 0;
    while index < BINARIES.len() {
        let letter = BINARIES[index].architecture.as_bytes()[1];
        if (cfg!(target_arch = "x86_64") && letter == b'm') || (cfg!(target_arch = "aarch64") && letter == b'r') {
            return BINARIES[index].bytes;
        }
        index += 1;
    }
    &[]
}
