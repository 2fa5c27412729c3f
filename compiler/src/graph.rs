//! The operations of a build and what each works on, as a graph that passes may change.
//!
//! It prints as text but is never read back: Dockerfiles are the only input language.

mod text;

use crate::oci::{ContainerConfig, History};
use crate::operation::Operation;
use crate::plan::Origin;
use crate::platform::Platform;
use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;

/// A build that is not yet frozen. Edges lead from an input to what uses it.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The operations, and the slots that connect them.
    pub nodes: StableDiGraph<Node, Slot>,
    /// The target stage's name, or its place.
    pub target: String,
    /// What the image is for.
    pub platform: Platform,
    /// The operation whose tree is the image's.
    pub result: NodeIndex,
    /// The image's documents.
    pub image: ImageDocuments,
}

/// An operation and where it comes from.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub operation: Operation,
    /// Where it comes from, for people.
    pub origin: Origin,
}

impl Node {
    /// A node that does nothing.
    pub(crate) fn empty() -> Self {
        Self { operation: Operation::Scratch, origin: Origin { stage: String::new(), line: 0, name: String::new() } }
    }
}

/// Which input of an operation an edge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub usize);

/// The documents of the image to be made.
#[derive(Clone, Debug)]
pub struct ImageDocuments {
    /// The image that the target starts from.
    pub base: Option<NodeIndex>,
    /// The OCI config's `config`.
    pub config: ContainerConfig,
    /// The author.
    pub author: Option<String>,
    /// What follows the base's history.
    pub history: Vec<HistoryEntry>,
}

/// An entry of the history.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// What it says.
    pub entry: History,
    /// The operation that makes its layer; `None` exactly where it has none.
    pub node: Option<NodeIndex>,
    /// Operations before that one, in order, whose changes lie in the same layer.
    pub joined: Vec<NodeIndex>,
}

impl Graph {
    /// The inputs of a node, in the order of their slots.
    #[must_use]
    pub fn inputs(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let mut edges: Vec<(Slot, NodeIndex)> =
            self.nodes.edges_directed(node, Direction::Incoming).map(|edge| (*edge.weight(), edge.source())).collect();
        edges.sort_unstable_by_key(|(slot, _)| *slot);
        edges.into_iter().map(|(_, node)| node).collect()
    }

    /// One more than the greatest index of a node.
    pub(crate) fn bound(&self) -> usize {
        self.nodes.node_indices().next_back().map_or(0, |last| last.index() + 1)
    }

    /// Makes everything that used `old` use `new`, and takes `old` out.
    pub(crate) fn replace(&mut self, old: NodeIndex, new: NodeIndex) {
        let users: Vec<(NodeIndex, Slot)> =
            self.nodes.edges_directed(old, Direction::Outgoing).map(|edge| (edge.target(), *edge.weight())).collect();
        for (user, slot) in users {
            self.nodes.add_edge(new, user, slot);
        }
        self.nodes.remove_node(old);
        let moved = |node: &mut NodeIndex| {
            if *node == old {
                *node = new;
            }
        };
        moved(&mut self.result);
        self.image.base.as_mut().map(moved);
        let history = self.image.history.iter_mut();
        history.flat_map(|entry| entry.node.iter_mut().chain(&mut entry.joined)).for_each(moved);
    }
}
