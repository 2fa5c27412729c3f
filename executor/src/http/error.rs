//! What can go wrong with a file that is fetched. The words that Go's client and BuildKit have are in each message.

use std::path::PathBuf;

use crate::fault::{Fault, PathError};
use crate::http::checksum::InvalidChecksum;
use crate::registry::error::{Error as ClientError, Obstacle};

/// A file could not be fetched. Nothing of it is left in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something else than `http:` or `https:`.
    #[error("unsupported protocol scheme: `{0}` begins with neither `http://` nor `https://`")]
    Scheme(String),
    /// A text that is no address.
    #[error("invalid URL `{address}`: {problem}")]
    Address {
        /// Without a password.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file's name that is none.
    #[error("cannot determine filename from URL `{address}`: `{}` is no name of a file", name.display())]
    Filename {
        /// Where the file is.
        address: String,
        /// What it would be called.
        name: PathBuf,
    },
    /// A checksum that is none.
    #[error(transparent)]
    InvalidChecksum(#[from] InvalidChecksum),
    /// A secret that is no header.
    #[error("the secret `{0}` cannot be sent in a header: it has more than one line, or is no text")]
    Secret(String),
    /// No connection.
    #[error("cannot fetch `{address}`: {}", obstacle(host, why))]
    Unreachable {
        /// Where the file is.
        address: String,
        /// Whom nobody reaches: where a redirect leads, perhaps.
        host: String,
        /// What was in the way.
        why: Obstacle,
    },
    /// The connection broke, again and again.
    #[error("cannot fetch `{address}`: the connection to `{host}` broke: {why}")]
    Broken {
        /// Where the file is.
        address: String,
        /// The server.
        host: String,
        /// What the system says.
        why: String,
    },
    /// The server says no.
    #[error("cannot fetch `{address}`: invalid response status {status}{}", meaning(*status))]
    Status {
        /// Where the file is.
        address: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer that makes no sense.
    #[error("cannot fetch `{address}`: `{host}` answered unexpectedly: {problem}")]
    Unexpected {
        /// Where the file is.
        address: String,
        /// The server.
        host: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// Another file than was wanted.
    #[error("digest mismatch for `{address}`: {found} (expected: {expected})")]
    Checksum {
        /// Where the file is.
        address: String,
        /// The checksum that was wanted.
        expected: String,
        /// The one that came.
        found: String,
    },
    /// It would have to be fetched, and may not be.
    #[error("`{0}` is not in the store, and no server may be asked")]
    Offline(String),
    /// A setting that cannot be used.
    #[error("the setting {setting} is wrong: {problem}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The store's.
    #[error(transparent)]
    Store(#[from] layercake_cache::Error),
    /// The disk's.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Nobody wants it any more.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// What a failure of the client means for the file at `address`.
    pub(super) fn of(error: ClientError, address: &str) -> Self {
        let address = address.to_owned();
        match error {
            ClientError::Unreachable { host, why } => Self::Unreachable { address, host, why },
            ClientError::Broken { host, why, .. } => Self::Broken { address, host, why },
            ClientError::Server { status, .. } => Self::Status { address, status },
            ClientError::RateLimited { .. } => Self::Status { address, status: 429 },
            ClientError::Unexpected { host, problem, .. } => Self::Unexpected { address, host, problem },
            ClientError::Setting { setting, problem } => Self::Setting { setting, problem },
            ClientError::File { path, problem } => Self::Setting {
                setting: "of trusted certificates",
                problem: format!("`{}`: {problem}", path.display()),
            },
            other => Self::Unexpected { address, host: String::new(), problem: other.to_string() },
        }
    }

    /// Whose fault it is. What the server does not have, the user has named wrongly.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Scheme(_)
            | Self::Address { .. }
            | Self::Filename { .. }
            | Self::InvalidChecksum(_)
            | Self::Secret(_)
            | Self::Checksum { .. }
            | Self::Setting { .. }
            | Self::Status { status: 404 | 410, .. } => Fault::Input,
            Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Status { .. }
            | Self::Unexpected { .. }
            | Self::Offline(_)
            | Self::Store(_)
            | Self::Path(_) => Fault::Environment,
            Self::Stopped => Fault::Command,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::Scheme(_) | Self::Address { .. } => "write an address such as `https://example.com/file.tar.gz`",
            Self::Filename { .. } => "name a file in the address, such as `https://example.com/file.tar.gz`",
            Self::Unreachable { why: Obstacle::Name, .. } => {
                "check the spelling of the host, and whether this machine has a network and a name server"
            }
            Self::Unreachable { why: Obstacle::Refused | Obstacle::NoRoute | Obstacle::Silence, .. } => {
                "check host and port, and whether a proxy is needed: `HTTP_PROXY` and `HTTPS_PROXY` name it"
            }
            Self::Unreachable { why: Obstacle::Tls(_), .. } => {
                "add the server's certificate authority to the system's, or name its file in `SSL_CERT_FILE`"
            }
            Self::Unreachable { why: Obstacle::Proxy(_), .. } => "check what `HTTP_PROXY` and `HTTPS_PROXY` name",
            Self::Status { status: 401 | 403 | 407, .. } => {
                "give a token with `--secret id=HTTP_AUTH_TOKEN_<host>,env=NAME`, or a header with \
                 `--secret id=HTTP_AUTH_HEADER_<host>,env=NAME`"
            }
            Self::Status { status: 404 | 410, .. } => "correct the address, or ask its owner where the file has gone",
            Self::Status { status: 429 | 500.., .. } | Self::Broken { .. } => "try again later",
            Self::Checksum { .. } => {
                "find out whether the file was replaced; if it is what you want, write its new checksum"
            }
            Self::Offline(_) => "leave out `--offline`, or build once without it",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// Go's words for what is in the way, and ours.
fn obstacle(host: &str, why: &Obstacle) -> String {
    match why {
        Obstacle::Name => format!("no such host: the name of `{host}` cannot be resolved"),
        Obstacle::Refused => format!("connection refused by `{host}`"),
        Obstacle::NoRoute => format!("no route to host `{host}`"),
        Obstacle::Silence => format!("`{host}` does not answer (i/o timeout)"),
        Obstacle::Tls(problem) if problem.is_the_certificates() => {
            format!("tls: failed to verify certificate of `{host}`: {problem}")
        }
        Obstacle::Tls(problem) => format!("tls: no secure connection to `{host}` can be made: {problem}"),
        Obstacle::Proxy(text) => format!("proxyconnect: the proxy on the way to `{host}` is of no use: {text}"),
        Obstacle::Other(text) => format!("cannot connect to `{host}`: {text}"),
    }
}

/// What a status means, where that is not for specialists only.
fn meaning(status: u16) -> &'static str {
    match status {
        401 | 403 => " (the server does not show it to everybody)",
        404 => " (not found)",
        410 => " (it is gone)",
        407 => " (the proxy wants to know who asks)",
        429 => " (too many requests)",
        500.. => " (the server has troubles of its own)",
        _ => "",
    }
}
