//! What the caller asks for, and what the caller has to find out first. Pure values.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::ignore::Ignore;
use crate::oci::ContainerConfig;
use crate::operation::Git;
use crate::platform::Platform;
use crate::source::Span;

/// What the caller asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The stage to build; `None` is the last one.
    pub target: Option<String>,
    /// `--build-arg`; of equal names the last one counts.
    pub build_args: Vec<(String, String)>,
    /// `--label`; they override what `LABEL` says.
    pub labels: Vec<(String, String)>,
    /// What the image is for.
    pub platform: Platform,
    /// Where the build runs.
    pub build_platform: Platform,
    /// `--build-context`: what a name in `FROM`, `COPY --from` and `--mount=from` means instead.
    pub named_contexts: BTreeMap<String, NamedContext>,
    /// The `.dockerignore` of the build context. It only serves the linter here.
    pub ignore: Ignore,
}

impl Request {
    /// The last stage, with no arguments, for one platform that is also the builder's.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self {
            target: None,
            build_args: Vec::new(),
            labels: Vec::new(),
            build_platform: platform.clone(),
            platform,
            named_contexts: BTreeMap::new(),
            ignore: Ignore::default(),
        }
    }

    /// The value of a build argument.
    #[must_use]
    pub fn build_arg(&self, name: &str) -> Option<&str> {
        self.build_args.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// What a name means instead of the stage or image of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedContext {
    /// A folder that the executor knows by the context's name.
    Folder,
    /// A git repository.
    Git(Git),
    /// Another image.
    Image(String),
    /// A stage of this file.
    Stage(String),
}

/// A base image that the caller has to find out about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct BaseRequest {
    /// The reference as the Dockerfile has it, variables expanded.
    pub reference: String,
    /// The platform that is wanted.
    pub platform: Platform,
    /// The instruction that names it, for messages.
    pub span: Span,
    /// What may have been meant if there is no such image: a stage, or an image that many use.
    pub near: Option<String>,
}

/// What the caller found out about a base image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// The digest of its manifest; `None` if it does not matter.
    pub digest: Option<String>,
    /// The platform it is for.
    pub platform: Platform,
    /// Its config's `config`.
    pub config: ContainerConfig,
    /// Its config's `author`.
    pub author: Option<String>,
}

/// The base images that the caller knows about.
#[derive(Clone, Debug, Default)]
pub struct Bases {
    images: HashMap<(String, Platform), BaseImage>,
}

impl Bases {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the answer to a request.
    pub fn insert(&mut self, request: &BaseRequest, image: BaseImage) {
        self.images.insert((request.reference.clone(), request.platform.clone()), image);
    }

    /// What is known about an image.
    #[must_use]
    pub fn get(&self, reference: &str, platform: &Platform) -> Option<&BaseImage> {
        self.images.get(&(reference.to_owned(), platform.clone()))
    }
}
