//! Who may use the machine beside whom: what a test leaves behind can only be told while no other one adds to it.

use std::fs::File;

use crate::tools;

/// A turn on the machine, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

impl Turn {
    /// Beside others.
    #[must_use]
    pub fn shared() -> Self {
        Self::take(File::lock_shared)
    }

    /// While nobody else has one.
    #[must_use]
    pub fn alone() -> Self {
        Self::take(File::lock)
    }

    fn take(lock: fn(&File) -> std::io::Result<()>) -> Self {
        std::fs::create_dir_all(tools::cache()).expect("the cache can be made");
        let file = File::create(tools::cache().join("emulators.lock")).expect("the cache can be written");
        lock(&file).expect("locks work");
        Self { _lock: file }
    }
}
