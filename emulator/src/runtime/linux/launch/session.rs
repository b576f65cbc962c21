//! The session keyring: what a login has put there is not a container's.

/// `KEYCTL_JOIN_SESSION_KEYRING` (keyctl(2)).
const JOIN_SESSION_KEYRING: libc::c_long = 1;

/// Begins a session with no keys in it. Where the kernel has no keys, or a filter lets nobody ask for them, there is
/// nothing to leave.
pub(super) fn leave() {
    // SAFETY: no name is given: the pointer is null, which asks for a new keyring of no name.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}
