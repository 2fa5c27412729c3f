//! Shares equal operations across stages: two nodes that do the same to the same inputs become one.
//!
//! **Legality**: an operation is a pure value that says everything its result depends on. For `RUN` this holds by the
//! same convention by which its result may be cached at all: an equal command on an equal tree need not run again. The
//! target's own chain of steps is left alone, so that a command which is there twice in a row still runs twice: the second
//! has another tree below it.
//!
//! **Profit**: stages that begin alike, as generated files and copied ones do, run what they share once.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use petgraph::stable_graph::NodeIndex;

use crate::graph::Graph;

pub(super) fn run(graph: &mut Graph) {
    // Nodes are numbered in the order in which they were lowered, so inputs have smaller numbers than what uses them, and
    // of equal nodes the one that comes first in the file stays.
    let nodes: Vec<NodeIndex> = graph.nodes.node_indices().collect();
    let mut known: HashMap<u64, Vec<NodeIndex>> = HashMap::new();
    for node in nodes {
        let inputs = graph.inputs(node);
        let mut hasher = DefaultHasher::new();
        (&graph.nodes[node].operation, &inputs).hash(&mut hasher);
        let alike = known.entry(hasher.finish()).or_default();
        let is_equal = |other: &NodeIndex| {
            graph.nodes[*other].operation == graph.nodes[node].operation && graph.inputs(*other) == inputs
        };
        match alike.iter().copied().find(is_equal) {
            Some(first) => graph.replace(node, first),
            None => alike.push(node),
        }
    }
}
