//! Shares equal operations across stages: two nodes that do the same to the same inputs become one.
//!
//! **Legality**: an operation is a pure value that says everything its result depends on. For `RUN` this holds by the
//! same convention by which its result may be cached at all: an equal command on an equal tree need not run again. The
//! target's own chain of steps is left alone, so that a command which is there twice in a row still runs twice: the second
//! has another tree below it.
//!
//! **Profit**: stages that begin alike, as generated files and copied ones do, run what they share once.

use std::collections::HashMap;

use petgraph::algo::toposort;
use petgraph::stable_graph::NodeIndex;

use crate::graph::Graph;
use crate::operation::Operation;

pub(super) fn run(graph: &mut Graph) {
    let Ok(order) = toposort(&graph.nodes, None) else { return };
    let mut known: HashMap<(Operation, Vec<NodeIndex>), NodeIndex> = HashMap::new();
    // The node that comes first in the file stays, whatever order the sort has found.
    let mut depth: HashMap<NodeIndex, usize> = HashMap::new();
    for node in &order {
        let below = graph.inputs(*node).iter().filter_map(|input| depth.get(input)).max().map_or(0, |depth| depth + 1);
        depth.insert(*node, below);
    }
    let mut order = order;
    order.sort_by_key(|node| (depth.get(node).copied(), node.index()));
    for node in order {
        let key = (graph.nodes[node].operation.clone(), graph.inputs(node));
        match known.get(&key) {
            None => drop(known.insert(key, node)),
            Some(first) => graph.replace(node, *first),
        }
    }
}
