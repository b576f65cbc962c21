//! Packets with descriptors over a unix socket.

use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    path::Path,
};

use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind,
    connect, listen, recv, recvmsg, sendmsg, socket, socketpair,
};

/// Descriptors that one packet may bring.
const MOST_DESCRIPTORS: usize = 4;

/// Both ends of a new connection.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?)
}

/// Listens on `name` in a new folder. The folder's own mode (0700) keeps others out.
pub(super) fn listen_in(folder: &Path, name: &str) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    with_short_path(folder, name, |address| bind(listener.as_raw_fd(), address))?;
    listen(&listener, Backlog::new(8)?)?;
    Ok(listener)
}

/// Connects to `name` in a folder.
pub(super) fn connect_in(folder: &Path, name: &str) -> io::Result<OwnedFd> {
    let stream = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    with_short_path(folder, name, |address| connect(stream.as_raw_fd(), address))?;
    Ok(stream)
}

/// A socket's path has 108 bytes at most; the folder's may be longer, a descriptor's is not.
fn with_short_path(folder: &Path, name: &str, act: impl FnOnce(&UnixAddr) -> nix::Result<()>) -> io::Result<()> {
    let folder = std::fs::File::open(folder)?;
    let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
    Ok(act(&UnixAddr::new(path.as_str())?)?)
}

/// The next connection that waits.
pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let fd = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?;
    // SAFETY: accept4 has just made this descriptor and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends one packet.
pub(super) fn send(to: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<()>(to.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None) {
            Ok(_) => return Ok(()),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// One packet and what came with it.
pub(super) type Packet = (Vec<u8>, Vec<OwnedFd>);

/// Receives one packet, however large; none at the end of the connection.
pub(super) fn receive(from: BorrowedFd<'_>) -> io::Result<Option<Packet>> {
    let length = loop {
        match recv(from.as_raw_fd(), &mut [], MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC) {
            Ok(0) => return Ok(None),
            Ok(length) => break length,
            Err(nix::errno::Errno::EINTR) => {}
            Err(nix::errno::Errno::ECONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    };
    let mut bytes = vec![0; length];
    let mut space = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let mut descriptors = Vec::new();
    let taken = {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let message = recvmsg::<()>(
            from.as_raw_fd(),
            &mut slices,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )?;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = control {
                // SAFETY: the kernel has just installed these descriptors for this process.
                descriptors.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        message.bytes
    };
    bytes.truncate(taken);
    Ok(Some((bytes, descriptors)))
}

/// A connected descriptor does not make its caller wait any more.
pub(super) fn do_not_block(fd: BorrowedFd<'_>) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Borrows them all.
pub(super) fn borrow(descriptors: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    descriptors.iter().map(AsFd::as_fd).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_arrives_whole_with_its_descriptors() {
        let (a, b) = pair().expect("pair");
        let large = vec![7; 150_000];
        send(a.as_fd(), &large, &[a.as_fd()]).expect("send");
        let (bytes, descriptors) = receive(b.as_fd()).expect("receive").expect("a packet");
        assert_eq!(bytes, large);
        assert_eq!(descriptors.len(), 1);
        drop((a, descriptors));
        assert!(receive(b.as_fd()).expect("the end").is_none());
    }

    #[test]
    fn a_folder_with_a_path_longer_than_a_socket_address_works() {
        let folder = tempfile::tempdir().expect("folder");
        let deep = folder.path().join("x".repeat(200));
        std::fs::create_dir(&deep).expect("deep folder");
        let listener = listen_in(&deep, "s").expect("listen");
        let client = connect_in(&deep, "s").expect("connect");
        let server = accept(listener.as_fd()).expect("accept");
        send(client.as_fd(), b"hello", &[]).expect("send");
        assert_eq!(receive(server.as_fd()).expect("receive").expect("a packet").0, b"hello");
    }
}
