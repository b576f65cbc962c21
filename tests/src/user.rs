//! Who runs the tests.

use std::os::unix::fs::MetadataExt;

/// Whether it is root; the same tests are run by an ordinary user too (`tests/as-user`).
///
/// # Panics
/// Where there is no `/proc`.
#[must_use]
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").expect("a process has a folder").uid() == 0
}
