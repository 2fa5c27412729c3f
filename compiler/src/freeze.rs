//! Graph to plan: puts the operations into an order and numbers them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use petgraph::Direction;
use petgraph::stable_graph::NodeIndex;

use crate::graph::Graph;
use crate::plan::{PLAN_VERSION, Plan, PlannedHistory, PlannedImage, Step, StepId};

/// Freezes a graph of which every node is needed.
///
/// Of the operations whose inputs are there, the one that was lowered first comes first: that is the order of the
/// Dockerfile as far as dependencies allow, and always the same.
///
/// # Panics
/// If the graph has a cycle or its documents name nodes it does not have, which verification finds.
#[must_use]
pub fn freeze(graph: &Graph) -> Plan {
    let mut waiting_for: HashMap<NodeIndex, usize> = HashMap::new();
    let mut ready = BinaryHeap::new();
    for node in graph.nodes.node_indices() {
        let inputs = graph.nodes.edges_directed(node, Direction::Incoming).count();
        waiting_for.insert(node, inputs);
        if inputs == 0 {
            ready.push(Reverse(node));
        }
    }
    let order = in_order(graph, ready, &mut waiting_for);
    let numbers: HashMap<NodeIndex, StepId> =
        order.iter().zip(0_u32..).map(|(node, number)| (*node, StepId(number))).collect();
    let number = |node: NodeIndex| *numbers.get(&node).expect("a verified graph is acyclic, so every node was reached");
    let steps = order.iter().map(|node| Step {
        id: number(*node),
        operation: graph.nodes[*node].operation.clone(),
        inputs: graph.inputs(*node).into_iter().map(number).collect(),
        origin: graph.nodes[*node].origin.clone(),
    });
    let history =
        graph.image.history.iter().map(|(entry, node)| PlannedHistory { entry: entry.clone(), step: node.map(number) });
    Plan {
        version: PLAN_VERSION,
        target: graph.target.clone(),
        platform: graph.platform.clone(),
        steps: steps.collect(),
        result: number(graph.result),
        image: PlannedImage {
            base: graph.image.base.map(number),
            config: graph.image.config.clone(),
            author: graph.image.author.clone(),
            history: history.collect(),
        },
    }
}

/// A topological order: of the nodes that are ready, always the one that was lowered first.
fn in_order(
    graph: &Graph,
    mut ready: BinaryHeap<Reverse<NodeIndex>>,
    waiting_for: &mut HashMap<NodeIndex, usize>,
) -> Vec<NodeIndex> {
    let mut order = Vec::with_capacity(waiting_for.len());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for edge in graph.nodes.edges_directed(node, Direction::Outgoing) {
            let user = petgraph::visit::EdgeRef::target(&edge);
            let Some(inputs) = waiting_for.get_mut(&user) else { continue };
            *inputs -= 1;
            if *inputs == 0 {
                ready.push(Reverse(user));
            }
        }
    }
    order
}
