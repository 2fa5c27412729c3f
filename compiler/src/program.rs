//! A Dockerfile of which every variable has its value and every name its meaning. What is still missing is the graph.
//!
//! **Invariant**: a stage that a tree names comes earlier in [`Program::stages`], or is replaced by a context.

mod text;

use serde::Serialize;

use crate::oci::{ContainerConfig, History};
use crate::operation::{Context, Git, Http, Image, Inline, Operation};
use crate::plan::Origin;
use crate::platform::Platform;

/// The stages that the target needs, and the image it makes.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    /// In the order of the Dockerfile.
    pub stages: Vec<Stage>,
    /// The stage to build.
    pub target: StageId,
    /// What the image is for.
    pub platform: Platform,
    /// The config of the image.
    pub config: ContainerConfig,
    /// Its author.
    pub author: Option<String>,
    /// The time that everything in the image is said to be of, in seconds since 1970.
    pub source_date_epoch: Option<i64>,
}

/// The place of a stage in the Dockerfile, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct StageId(pub usize);

/// One stage.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// Its place in the Dockerfile.
    pub id: StageId,
    /// Its name, or its place where it has none.
    pub name: String,
    /// The platform of its base.
    pub platform: Platform,
    /// The line of its `FROM`.
    pub line: u32,
    /// Its `FROM`, as people know it.
    pub from: String,
    /// The tree it starts from.
    pub base: Tree,
    /// What changes the tree, in order.
    pub statements: Vec<Statement>,
    /// What it adds to its base's history, in order.
    pub history: Vec<Entry>,
}

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tree {
    /// Nowhere: the empty tree.
    Scratch,
    /// The result of a stage.
    Stage(StageId),
    /// An image.
    Image(Image),
    /// The build context, or a named one.
    Context(Context),
    /// The Dockerfile itself.
    Inline(Inline),
    /// An address.
    Http(Http),
    /// A git repository.
    Git(Git),
}

/// Something that changes the tree of its stage.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// What it does.
    #[serde(flatten)]
    pub operation: Operation,
    /// What its input slots from 1 on are; slot 0 is the tree below.
    pub inputs: Vec<Tree>,
    /// Where it comes from.
    pub origin: Origin,
}

/// One entry of a stage's history.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The entry.
    #[serde(flatten)]
    pub entry: History,
    /// The index in [`Stage::statements`] of what makes its layer.
    pub statement: Option<usize>,
}

impl Program {
    /// A stage by its place in the Dockerfile.
    #[must_use]
    pub fn stage(&self, id: StageId) -> Option<&Stage> {
        let at = self.stages.partition_point(|stage| stage.id < id);
        self.stages.get(at).filter(|stage| stage.id == id)
    }
}
