//! Graph to plan: puts the operations into an order and numbers them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use petgraph::Direction;
use petgraph::stable_graph::NodeIndex;
use petgraph::visit::EdgeRef;

use crate::graph::{Graph, HistoryEntry, Node};
use crate::plan::{PLAN_VERSION, Plan, PlannedHistory, PlannedImage, Step, StepId};

/// Freezes a graph of which every node is needed.
///
/// Of the operations whose inputs are there, the one that was lowered first comes first: that is the order of the
/// Dockerfile as far as dependencies allow, and always the same.
///
/// # Panics
/// If the graph has a cycle or its documents name nodes it does not have, which verification finds.
#[must_use]
pub fn freeze(mut graph: Graph) -> Plan {
    let order = order(&graph);
    let mut numbers = vec![None; graph.bound()];
    for (node, number) in order.iter().zip(0_u32..) {
        numbers[node.index()] = Some(StepId(number));
    }
    let number = |node: NodeIndex| {
        numbers.get(node.index()).copied().flatten().expect("a verified graph is acyclic, so every node was reached")
    };
    let mut steps = Vec::with_capacity(order.len());
    for node in &order {
        let inputs = graph.inputs(*node).into_iter().map(number).collect();
        // The graph is used up here: operations are moved, for they may hold whole environments.
        let Node { operation, origin } = std::mem::replace(&mut graph.nodes[*node], Node::empty());
        steps.push(Step { id: number(*node), operation, inputs, origin });
    }
    let history = graph.image.history.into_iter();
    let history = history.map(|HistoryEntry { entry, node, joined }| PlannedHistory {
        entry,
        step: node.map(number),
        joined: joined.into_iter().map(number).collect(),
    });
    let history = history.collect();
    Plan {
        version: PLAN_VERSION,
        target: graph.target,
        platform: graph.platform,
        steps,
        result: number(graph.result),
        image: PlannedImage {
            base: graph.image.base.map(number),
            config: graph.image.config,
            author: graph.image.author,
            history,
        },
    }
}

/// A topological order: of the nodes that are ready, always the one that was lowered first.
fn order(graph: &Graph) -> Vec<NodeIndex> {
    let mut waiting_for = vec![0_usize; graph.bound()];
    let mut ready = BinaryHeap::new();
    for node in graph.nodes.node_indices() {
        let inputs = graph.nodes.edges_directed(node, Direction::Incoming).count();
        waiting_for[node.index()] = inputs;
        if inputs == 0 {
            ready.push(Reverse(node));
        }
    }
    let mut order = Vec::with_capacity(graph.nodes.node_count());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for edge in graph.nodes.edges_directed(node, Direction::Outgoing) {
            let waiting = &mut waiting_for[edge.target().index()];
            *waiting -= 1;
            if *waiting == 0 {
                ready.push(Reverse(edge.target()));
            }
        }
    }
    order
}
