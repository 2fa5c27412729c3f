//! Why a cache from elsewhere cannot be used.

use layercake_cache::{Digest, Error as StoreError};

use crate::fault::{Fault, PathError};
use crate::{change, image, layer, registry};

/// Why a cache from elsewhere cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refused an operation on a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The registry did.
    #[error(transparent)]
    Registry(Box<registry::error::Error>),
    /// The layout is none, or is damaged.
    #[error(transparent)]
    Image(#[from] image::error::Error),
    /// A layer is damaged.
    #[error(transparent)]
    Layer(#[from] layer::Error),
    /// A layer cannot be taken as a change set.
    #[error(transparent)]
    Change(#[from] change::Error),
    /// Nobody may be asked.
    #[error("the cache `{0}` lies in a registry, and no registry may be asked")]
    Offline(String),
    /// A layer holds something else than the cache says.
    #[error("the cache `{cache}` lies: its layer `{layer}` is not what its step is said to have made")]
    Lie {
        /// What the cache is called.
        cache: String,
        /// The blob.
        layer: Digest,
    },
    /// Only what is known is asked for, and no content.
    #[error("a layer of the cache would have to be fetched")]
    Unasked,
    /// The store does not have what was made, and no cache does.
    #[error("what a step has made is neither in the store nor in a cache")]
    Gone,
}

impl From<registry::error::Error> for Error {
    fn from(error: registry::error::Error) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl Error {
    /// Whether it is the cache that fails, so that a build can go on without it; and not this machine.
    #[must_use]
    pub fn is_the_caches(&self) -> bool {
        use registry::error::Error as Registry;
        match self {
            Self::Registry(error) => !matches!(**error, Registry::Full(_) | Registry::Store(_) | Registry::Stopped),
            Self::Image(error) => error.fault() == Fault::Input,
            Self::Store(StoreError::Digest { .. } | StoreError::Size { .. }) | Self::Offline(_) => true,
            Self::Store(_) | Self::Path(_) | Self::Layer(_) | Self::Change(_) | Self::Lie { .. } => false,
            Self::Gone | Self::Unasked => false,
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Store(_) | Self::Path(_) | Self::Gone | Self::Unasked => Fault::Environment,
            Self::Registry(error) => error.fault(),
            Self::Image(error) => error.fault(),
            Self::Layer(error) => error.fault(),
            Self::Change(error) => error.fault(),
            Self::Offline(_) | Self::Lie { .. } => Fault::Input,
        }
    }

    /// What to do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Offline(_) => Some("leave out `--cache-from` and `--cache-to`, or `--offline`".to_owned()),
            Self::Lie { cache, .. } => Some(format!("build without `--cache-from {cache}`, and make that cache anew")),
            _ => None,
        }
    }
}
