//! What can go wrong between here and a registry.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use layercake_cache::{Digest, Error as StoreError};
use layercake_compiler::platform::Platform;

use crate::fault::Fault;
use crate::image::document::DocumentError;
use crate::image::error::Error as ImageError;
use crate::registry::credentials::CredentialError;
use crate::registry::tls::TlsProblem;

/// A failure of pulling, pushing or logging in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("cannot reach the registry `{host}`: {why}; {}", way_out(why, host))]
    Unreachable {
        /// The server.
        host: String,
        /// What was in the way.
        why: Obstacle,
    },
    /// The connection broke, again and again.
    #[error("the connection to `{host}` broke while {doing}: {why}")]
    Broken {
        /// The server.
        host: String,
        /// What was being done.
        doing: String,
        /// What the system says.
        why: String,
    },
    /// Credentials are needed, or those that were given are wrong.
    #[error("{}", unauthorized(host, what, *given, helper.as_ref()))]
    Unauthorized {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Whether credentials were given.
        given: Given,
        /// What went wrong with a credential helper, if something did.
        helper: Option<String>,
    },
    /// The credentials do not suffice.
    #[error("`{host}` does not allow access to `{what}`{}", detail(message))]
    Forbidden {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// The registry's words.
        message: String,
    },
    /// There is nothing of that name.
    #[error("`{what}` does not exist in `{host}`{}", detail(message))]
    NotFound {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// The registry's words.
        message: String,
    },
    /// The name is there, but not for this platform.
    #[error("`{what}` has no image for `{platform}`; it has: {}", platforms(available))]
    NotFor {
        /// What was asked for.
        what: String,
        /// For which platform.
        platform: Box<Platform>,
        /// What there is.
        available: Vec<Platform>,
    },
    /// Too many requests.
    #[error(
        "`{host}` refuses more requests for now (rate limit{}){}; wait, or use `layercake login {host}` for a higher limit{}",
        allowance.as_ref().map(|allowance| format!(" of {allowance}")).unwrap_or_default(),
        retry_after(after),
        detail(message)
    )]
    RateLimited {
        /// The registry.
        host: String,
        /// How long it wants to be left alone.
        after: Option<Duration>,
        /// How much it allows, if it says so.
        allowance: Option<Box<Allowance>>,
        /// The registry's words.
        message: String,
    },
    /// The registry has troubles of its own.
    #[error("`{host}` failed with status {status} while {doing}{}", detail(message))]
    Server {
        /// The registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// How long it wants to be left alone.
        after: Option<Duration>,
        /// What was being done.
        doing: String,
        /// The registry's words.
        message: String,
    },
    /// An answer that does not fit the question.
    #[error("`{host}` answered unexpectedly while {doing}: {problem}")]
    Unexpected {
        /// The server.
        host: String,
        /// What was being done.
        doing: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The content is not what was asked for.
    #[error("`{host}` sent content with the digest `{found}` for `{what}`, not `{expected}`")]
    WrongDigest {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// What was promised.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// The content has another length than was promised.
    #[error("`{host}` sent {found} bytes or more for `{digest}`, not {expected}")]
    WrongSize {
        /// The registry.
        host: String,
        /// What was asked for.
        digest: Digest,
        /// What was promised, in bytes.
        expected: u64,
        /// What came, in bytes.
        found: u64,
    },
    /// A document that no registry should hold.
    #[error(
        "`{host}` sent more than {limit} MiB for `{what}`, which should be a document of some kilobytes",
        limit = crate::image::document::LIMIT >> 20
    )]
    TooLong {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// A document of an image is not what it must be.
    #[error("`{what}` cannot be used: {problem}")]
    Document {
        /// What was asked for.
        what: String,
        /// What is wrong.
        problem: DocumentError,
    },
    /// A blob that is to be pushed is not here, and no other place is known to have it.
    #[error(
        "the layer `{digest}` of `{what}` is not in the store, and where it came from is not known; pull the image first"
    )]
    MissingLayer {
        /// The image.
        what: String,
        /// The layer.
        digest: Digest,
    },
    /// The name to push to has the digest of something else.
    #[error("`{what}` names the digest `{expected}`, but the image to be pushed has `{found}`; name a tag instead")]
    OtherDigest {
        /// What was to be pushed.
        what: String,
        /// The digest in the name.
        expected: Digest,
        /// The image's.
        found: Digest,
    },
    /// The disk is full.
    #[error(
        "no room is left for `{0}` in the store; make room on its disk, or choose another with `LAYERCAKE_HOME`: what has \
         come stays, and the next attempt goes on from there"
    )]
    Full(Digest),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored images'.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Credentials that cannot be read or written.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// A setting that cannot be used.
    #[error("the setting {setting} is wrong: {problem}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A file about registries that cannot be used.
    #[error("`{}` is not right: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the key or the place.
        problem: String,
    },
    /// A registry that is not to be asked here.
    #[error("`{what}` is blocked by `{}`; change it there, or name another registry", by.display())]
    Blocked {
        /// The repository.
        what: String,
        /// The file that says so.
        by: PathBuf,
    },
    /// Another blob's failure stopped this one. Never seen from outside.
    #[error("stopped")]
    Stopped,
}

/// How many requests a registry allows in which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many.
    pub requests: u64,
    /// In which time.
    pub window: Option<Duration>,
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests", self.requests)?;
        match self.window.map(|window| window.as_secs()) {
            Some(seconds) if seconds > 0 && seconds % 3600 == 0 => write!(f, " in {} h", seconds / 3600),
            Some(seconds) => write!(f, " in {seconds} s"),
            None => Ok(()),
        }
    }
}

/// Whether credentials were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// They were, and are refused.
    Credentials,
    /// None are known.
    Nothing,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// The name cannot be resolved.
    #[error("its name cannot be resolved")]
    Name,
    /// Nobody listens.
    #[error("the connection was refused")]
    Refused,
    /// There is no answer.
    #[error("it does not answer")]
    Silence,
    /// No network, or none that leads there.
    #[error("no way leads there (no route)")]
    NoRoute,
    /// No secure connection.
    #[error("no secure connection can be made: {0}")]
    Tls(TlsProblem),
    /// The proxy does not want to.
    #[error("the proxy refused: {0}")]
    Proxy(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Whose fault it is. What the registry does not have, the user has named wrongly.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotFound { .. } | Self::NotFor { .. } | Self::Document { .. } | Self::Setting { .. } => Fault::Input,
            Self::MissingLayer { .. } | Self::OtherDigest { .. } | Self::File { .. } => Fault::Input,
            Self::Image(error) => error.fault(),
            Self::Stopped => Fault::Bug,
            Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::Unexpected { .. }
            | Self::WrongDigest { .. }
            | Self::WrongSize { .. }
            | Self::TooLong { .. }
            | Self::Blocked { .. }
            | Self::Full(_)
            | Self::Store(_)
            | Self::Credentials(_) => Fault::Environment,
        }
    }
}

impl Error {
    /// What to do, where the message does not say it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::Broken { .. } => "check the network and try again; what has come is not fetched again",
            Self::Forbidden { host, .. } => {
                return Some(format!(
                    "ask its owner for the right, or use `layercake login {host}` with another account"
                ));
            }
            Self::NotFound { .. } => "check the name and the tag",
            Self::NotFor { .. } => "name one of them with `--platform`",
            Self::Server { .. } => "try again later",
            Self::WrongDigest { .. } | Self::WrongSize { .. } => {
                "try again; if it stays so, the registry or a proxy on the way changes what it sends"
            }
            Self::TooLong { .. } => "check the name: what is there is no image",
            Self::Unexpected { host, .. } => return Some(format!("check that `{host}` is a registry")),
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// What helps depends on what is in the way.
fn way_out(why: &Obstacle, host: &str) -> String {
    match why {
        Obstacle::Tls(problem) => problem.help(host),
        _ => "without a network, images come into the store by `layercake load` or `layercake import`".to_owned(),
    }
}

fn unauthorized(host: &str, what: &str, given: Given, helper: Option<&String>) -> String {
    let helper = helper.map(|problem| format!(" ({problem})")).unwrap_or_default();
    match given {
        Given::Credentials => {
            format!("`{host}` refuses the credentials for `{what}`; renew them with `layercake login {host}`{helper}")
        }
        Given::Nothing => {
            format!(
                "`{host}` does not show `{what}` to everybody, or it does not exist; try `layercake login {host}`{helper}"
            )
        }
    }
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn retry_after(after: &Option<Duration>) -> String {
    after.filter(|after| !after.is_zero()).map(|after| format!(", for {} s", after.as_secs())).unwrap_or_default()
}

fn platforms(available: &[Platform]) -> String {
    let names: Vec<String> = available.iter().map(|platform| format!("`{platform}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
