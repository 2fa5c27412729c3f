//! What the parent and the supervisor say to each other: JSON in packets, with file descriptors beside it.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::frame::FrameSpec;
use super::outcome::Outcome;

/// The longest packet. Only the specification can be longer, and goes as a file.
const LONGEST: usize = 16 << 10;

/// The most descriptors in a packet.
const MOST_FILES: usize = 6;

/// What the parent says: to the supervisor to run something, and to process 1 to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order {
    /// Run a command in such a frame. Files: its specification, the socket to speak of it, the pipe for its failure, where its
    /// output and its errors go, and its input, where it has one. The supervisor passes this on to a spare process 1.
    Run(FrameSpec),
    /// Make such a frame, in which the next command will run.
    Prepare(FrameSpec),
    /// The network is connected: the command may start.
    Go,
}

/// What the supervisor and process 1 say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Report {
    /// Process 1 exists. Files: a descriptor of it.
    Forked,
    /// Its network namespace is there, and waits to be connected. Files: the namespace.
    Network,
    /// The terminal is there. Files: its controlling side.
    Terminal,
    /// It could not be run; the end.
    Failed(Failure),
    /// It ended; the end.
    Ended(Outcome),
}

/// A pair of connected sockets that keep packets apart.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Sends a message and copies of `files`.
pub(super) fn send<M: Serialize>(socket: BorrowedFd<'_>, message: &M, files: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let text = serde_json::to_vec(message).expect("messages have no maps with odd keys");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(files));
    }
    rustix::io::retry_on_intr(|| rustix::net::sendmsg(socket, &[IoSlice::new(&text)], &mut beside, SendFlags::NOSIGNAL))
        .map(drop)
}

/// Receives a message and its files; `None` where the other side is gone.
pub(super) fn receive<M: DeserializeOwned>(socket: BorrowedFd<'_>) -> Result<Option<(M, Vec<OwnedFd>)>, Errno> {
    let mut text = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut beside, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            result => break result?,
        }
    };
    let mut files = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            files.extend(received);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    let text = text.get(..received.bytes).unwrap_or_default();
    serde_json::from_slice(text).map(|message| Some((message, files))).map_err(|_| Errno::BADMSG)
}

/// Puts a value of any length into a file in memory.
pub(super) fn write_file<M: Serialize>(value: &M) -> std::io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create(c"layercake", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(value)?)?;
    file.rewind()?;
    Ok(file.into())
}

/// Takes it out again.
pub(super) fn read_file<M: DeserializeOwned>(file: OwnedFd) -> std::io::Result<M> {
    let mut text = Vec::new();
    File::from(file).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Reports what happened; a parent that is gone needs no report.
pub(super) fn report(socket: impl AsFd, report: &Report, files: &[BorrowedFd<'_>]) {
    let _ = send(socket.as_fd(), report, files);
}
