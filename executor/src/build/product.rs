//! [`Product`]: what a step has become, as the steps that need it see it.

use layercake_compiler::operation::Inline;
use serde::{Deserialize, Serialize};

use super::tree::{Change, Tree};

/// What a step has become.
#[derive(Clone, Debug)]
pub enum Product {
    /// A tree, and what the step changed in the one below.
    Tree(Tree, Option<Made>),
    /// The context of this name. What of it counts is up to those that read it.
    Context(Option<String>),
    /// Files that the plan itself holds.
    Inline(Inline),
}

/// What a step changed, and when that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The change set.
    pub change: Change,
    /// When it was made, in seconds since 1970: however often it is taken from the cache, the image says the same.
    pub at: i64,
}

impl Product {
    /// What the step changed, if it changes trees.
    #[must_use]
    pub fn made(&self) -> Option<&Made> {
        match self {
            Self::Tree(_, made) => made.as_ref(),
            Self::Context(_) | Self::Inline(_) => None,
        }
    }

    /// The tree, if it is one.
    #[must_use]
    pub fn tree(&self) -> Option<&Tree> {
        match self {
            Self::Tree(tree, _) => Some(tree),
            Self::Context(_) | Self::Inline(_) => None,
        }
    }
}
