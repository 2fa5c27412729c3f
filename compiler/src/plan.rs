//! The frozen plan: steps in topological order, and the image they make. What the executor is given and `compile` prints.

mod column;
mod cost;
mod diagram;
mod dot;
mod forecast;
mod geometry;
mod html;
mod joint;
mod layout;
mod mermaid;
mod names;
mod readers;
mod ready;
mod route;
mod svg;
pub(crate) mod text;

pub use cost::Costs;
pub use forecast::{Expected, Forecast, Outlook, Span, spoken};
pub use joint::Joint;
pub use names::Names;
pub use ready::Ready;

use serde::{Deserialize, Serialize};

use crate::oci::{ContainerConfig, History};
use crate::operation::Operation;
use crate::platform::Platform;

/// The version of the forms that a plan is written in; it grows when a reader of the old ones would go wrong.
///
/// 2: the text calls steps by name, and has no lines.
pub const PLAN_VERSION: u32 = 2;

/// A build, decided: nothing in it depends on a variable, a base image's configuration or the order of evaluation.
///
/// **Invariant**: `steps[i].id` is `i`, inputs have smaller ids, and every step is needed for `result`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// The target stage's name, or its index where it has none.
    pub target: String,
    /// What the image is for.
    pub platform: Platform,
    /// In topological order.
    pub steps: Vec<Step>,
    /// The step whose tree is the image's.
    pub result: StepId,
    /// The image's documents.
    pub image: PlannedImage,
}

/// The place of a step in [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl StepId {
    /// As an index into [`Plan::steps`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One operation and what it works on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its place.
    pub id: StepId,
    /// What it does.
    #[serde(flatten)]
    pub operation: Operation,
    /// The slots that [`Operation`] documents.
    pub inputs: Vec<StepId>,
    /// Where it comes from, for people: no part of any key.
    pub origin: Origin,
}

/// Where a step comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The stage's name, or its index where it has none; empty for inputs that belong to none.
    pub stage: String,
    /// The line of the Dockerfile, from 1; 0 where there is none (a trigger of the base image).
    pub line: u32,
    /// The instruction as people know it, on one line: `RUN apt-get update`.
    pub name: String,
}

impl PlannedHistory {
    /// The steps whose changes lie in its layer, in order.
    pub fn steps(&self) -> impl Iterator<Item = StepId> {
        self.joined.iter().copied().chain(self.step)
    }
}

/// The documents of the image that a plan makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedImage {
    /// The image that the target stage starts from, whose layers and history come first; `None` for scratch.
    pub base: Option<StepId>,
    /// The OCI config's `config`.
    pub config: ContainerConfig,
    /// `MAINTAINER`, or the base's author.
    pub author: Option<String>,
    /// What follows the base's history, in the order of the Dockerfile.
    pub history: Vec<PlannedHistory>,
}

/// One history entry of the image to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedHistory {
    /// The entry.
    #[serde(flatten)]
    pub entry: History,
    /// The step that makes its layer; `None` exactly where `entry.empty_layer`.
    pub step: Option<StepId>,
    /// Steps before that one, in order, whose changes lie in the same layer. What each changes is added to what those before it
    /// changed: none of them removes anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<StepId>,
}
