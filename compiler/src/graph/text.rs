//! The graph as text and as JSON: as a plan is written, but that a node keeps its number from lowering on, so that what a pass
//! took out is missing and nothing else has moved.
//!
//! A malformed graph is written too: that is when it is needed most.

use std::fmt;

use petgraph::stable_graph::NodeIndex;
use serde::{Serialize, Serializer};

use crate::graph::{Graph, HistoryEntry};
use crate::plan::text::{Called, write_image, write_steps};
use crate::plan::{PlannedHistory, PlannedImage, Step, StepId};
use crate::platform::Platform;

/// A graph in the terms of a plan.
#[derive(Serialize)]
struct Numbered<'g> {
    target: &'g str,
    platform: &'g Platform,
    /// By their numbers.
    nodes: Vec<Step>,
    result: StepId,
    image: PlannedImage,
}

fn number(node: NodeIndex) -> StepId {
    StepId(u32::try_from(node.index()).expect("an index has 32 bits"))
}

fn numbered(graph: &Graph) -> Numbered<'_> {
    let nodes = graph.nodes.node_indices().map(|node| {
        let inputs = graph.inputs(node).into_iter().map(number).collect();
        let found = &graph.nodes[node];
        Step { id: number(node), operation: found.operation.clone(), inputs, origin: found.origin.clone() }
    });
    let history = graph.image.history.iter();
    let history = history.map(|HistoryEntry { entry, node, joined }| PlannedHistory {
        entry: entry.clone(),
        step: node.map(number),
        joined: joined.iter().copied().map(number).collect(),
    });
    Numbered {
        target: &graph.target,
        platform: &graph.platform,
        nodes: nodes.collect(),
        result: number(graph.result),
        image: PlannedImage {
            base: graph.image.base.map(number),
            config: graph.image.config.clone(),
            author: graph.image.author.clone(),
            history: history.collect(),
        },
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbered = numbered(self);
        writeln!(f, "graph: `{}` for {}", numbered.target, numbered.platform)?;
        write_steps(f, &numbered.nodes, Called::Numbers)?;
        write_image(f, &numbered.image, numbered.result, Called::Numbers)
    }
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        numbered(self).serialize(serializer)
    }
}
