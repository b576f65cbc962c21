//! The loopback of the network that this process is in: the API listens there, and a new network (`unshare -n`) has it down.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// Brings it up where it is down.
///
/// # Errors
/// Where it is down and this process may not bring it up, with what to do about it.
pub fn bring_up_loopback() -> Result<(), String> {
    bring_up().map_err(|error| {
        format!(
            "the loopback interface of this network is down, and cannot be brought up here ({error}): run `ip link set lo \
             up` as root of this network namespace, or start the emulator outside of it"
        )
    })
}

fn bring_up() -> io::Result<()> {
    let family = AddressFamily::Inet;
    let socket: OwnedFd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: all of it is numbers and bytes, for which zeros are values.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    ask(&socket, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: the kernel has just written the flags.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let up = libc::c_short::try_from(libc::IFF_UP).unwrap_or_default();
    if flags & up != 0 {
        return Ok(());
    }
    request.ifr_ifru.ifru_flags = flags | up;
    ask(&socket, libc::SIOCSIFFLAGS, &mut request)
}

fn ask(socket: &OwnedFd, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the pointer is to what both requests read and write.
    match unsafe { libc::ioctl(socket.as_raw_fd(), what, std::ptr::from_mut(request)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
