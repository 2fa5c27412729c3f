//! Passes connections to published ports on: listens where the machine's network is, connects where the container's is.
//!
//! A thread of ours can step into another network namespace and out of none else, so each connection is opened by a thread
//! that is there for it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use rustix::thread::LinkNameSpaceType;

use super::error::{Error, system};
use super::port::Port;
use crate::listen::until_stopped;

/// A port that is taken, and leads nowhere yet.
pub(super) struct Listening {
    listener: TcpListener,
    port: u16,
}

/// Ports that lead into a container, until this is dropped. Connections that are open then stay for as long as both sides
/// keep them.
pub(super) struct Proxy {
    /// Closing it wakes those that wait for connections.
    _stop: io::PipeWriter,
}

/// Takes the ports, before anything is started.
pub(super) fn listen(ports: &[Port]) -> Result<Vec<Listening>, Error> {
    let listen = |port: &Port| {
        let listener = TcpListener::bind(port.host).map_err(|source| Error::Publish { address: port.host, source })?;
        // Who gives up between the poll and the accept must not leave us waiting.
        listener.set_nonblocking(true).map_err(system("listen"))?;
        Ok(Listening { listener, port: port.container })
    };
    ports.iter().map(listen).collect()
}

impl Proxy {
    /// Starts passing on into a network namespace.
    pub(super) fn start(listening: Vec<Listening>, namespace: &OwnedFd) -> io::Result<Self> {
        let (stopped, stop) = io::pipe()?;
        let namespace = Arc::new(namespace.try_clone()?);
        for Listening { listener, port } in listening {
            let (stopped, namespace) = (stopped.try_clone()?, Arc::clone(&namespace));
            thread::Builder::new()
                .name(format!("port {port}"))
                .spawn(move || accept(&listener, port, &stopped, &namespace))?;
        }
        Ok(Self { _stop: stop })
    }
}

fn accept(listener: &TcpListener, port: u16, stopped: &io::PipeReader, namespace: &Arc<OwnedFd>) {
    until_stopped(listener, stopped, TcpListener::accept, |(outside, _)| {
        let namespace = Arc::clone(namespace);
        // A machine without a thread to spare drops the connection, and the client sees that.
        let _ = thread::Builder::new().name(format!("connection to port {port}")).spawn(move || {
            let _ = connect(port, &namespace).and_then(|inside| join(&outside, &inside));
        });
    });
}

/// Connects to a port on the loopback device of the namespace, from a thread that does nothing else.
fn connect(port: u16, namespace: &OwnedFd) -> io::Result<TcpStream> {
    rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .or_else(|_| TcpStream::connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port))))
}

/// Copies both ways. The end of one way is passed on, and the other one stays open.
fn join(outside: &TcpStream, inside: &TcpStream) -> io::Result<()> {
    outside.set_nonblocking(false)?;
    let (from, to) = (outside.try_clone()?, inside.try_clone()?);
    let inwards = thread::Builder::new().spawn(move || copy(&from, &to))?;
    copy(inside, outside);
    let _ = inwards.join();
    Ok(())
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    if io::copy(&mut from, &mut to).is_err() {
        // It cannot be told to the other side but by an end of both ways.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
        return;
    }
    let _ = to.shutdown(Shutdown::Write);
}
