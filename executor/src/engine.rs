//! Engines: those who run containers on this machine and take images in. docker, podman, and containerd by way of its clients.
//!
//! All of them read the archive that `docker save` writes, from their standard input or their socket.

mod error;
mod program;
mod socket;

use std::io::Write;
use std::path::PathBuf;

use serde::Deserialize;

use crate::image::error::Error as ImageError;

pub use error::{Error, Problem};

/// The program that an engine is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// Docker's.
    Docker,
    /// podman, which needs no service.
    Podman,
    /// The client of containerd that people use.
    Nerdctl,
    /// The client that comes with containerd.
    Ctr,
}

/// For how many platforms an archive has images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platforms {
    /// There is one image.
    One,
    /// There are several under one name, and all of them are wanted.
    Several,
}

/// An engine that has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// By way of a program on the path.
    Client(Client),
    /// Docker's daemon itself, by way of the socket on which it listens.
    Socket(PathBuf),
}

impl Engine {
    /// The one that is wanted, or else the first that answers. `sockets` are where docker's daemon may be listening; they
    /// count where its client is not installed.
    ///
    /// To be asked before this process becomes root of a user namespace, where podman would take it for root.
    ///
    /// # Errors
    /// If none answers; it says why for each.
    pub fn find(wanted: Option<Client>, sockets: &[PathBuf]) -> Result<Self, Error> {
        let wanted = wanted.map_or_else(|| Client::ALL.to_vec(), |client| vec![client]);
        let mut problems = Vec::new();
        for client in wanted {
            let Some(problem) = client.problem() else { return Ok(Self::Client(client)) };
            let may_listen = client == Client::Docker && problem.is_missing();
            let listening = sockets.iter().find(|socket| may_listen && socket::answers(socket));
            if let Some(socket) = listening {
                return Ok(Self::Socket(socket.clone()));
            }
            problems.push(problem);
        }
        Err(Error::Nobody(problems))
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Client(client) => client.program(),
            Self::Socket(_) => Client::Docker.program(),
        }
    }

    /// Whether its store can hold the images for several platforms under one name: containerd's can, and docker's where it is
    /// containerd's.
    #[must_use]
    pub fn holds_several(&self) -> bool {
        match self {
            Self::Client(client) => client.holds_several(),
            Self::Socket(_) => false,
        }
    }

    /// Gives it the archive that `write` writes; returns the lines that it says.
    ///
    /// # Errors
    /// If it does not take the image, or the archive cannot be written.
    pub fn load(
        &self,
        platforms: Platforms,
        write: impl FnOnce(&mut dyn Write) -> Result<(), ImageError>,
    ) -> Result<Vec<String>, Error> {
        match self {
            Self::Client(client) => program::load(*client, platforms, write),
            Self::Socket(socket) => socket::load(socket, write),
        }
    }
}
