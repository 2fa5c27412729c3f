//! Drops what the target does not need.
//!
//! **Legality**: a plan's result is the tree of one node, and a node's tree depends on its inputs alone. What no path leads
//! from to the result cannot change it.
//!
//! **Profit**: nothing is run, fetched or copied for nobody.

use petgraph::Direction;

use crate::graph::Graph;

pub(super) fn run(graph: &mut Graph) {
    let mut is_needed = vec![false; graph.bound()];
    let mut pending = vec![graph.result];
    while let Some(node) = pending.pop() {
        if !std::mem::replace(&mut is_needed[node.index()], true) {
            pending.extend(graph.nodes.neighbors_directed(node, Direction::Incoming));
        }
    }
    // An image that the target starts from lies below its result, and so do the steps of its history.
    graph.nodes.retain_nodes(|_, node| is_needed[node.index()]);
}
