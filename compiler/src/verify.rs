//! What holds for every graph, checked after lowering and after every pass.
//!
//! 1. There is no cycle.
//! 2. The slots of a node are numbered from 0 without gaps, and no two inputs share one.
//! 3. An operation has the number of inputs that its documentation demands: none; one; two; or one and those it refers to.
//! 4. Every slot that an operation refers to exists, and is not slot 0.
//! 5. What is copied comes from somewhere; a command has a program to run.
//! 6. Paths that have to be absolute are.
//! 7. The result, the base and the steps of the history are nodes of the graph; the base is an image.
//! 8. What is stacked is a step on the empty tree.
//! 9. An entry of the history has a node exactly where it has a layer; nothing lies in a layer that is not there.

use std::fmt;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::stable_graph::NodeIndex;

use crate::graph::{Graph, HistoryEntry};
use crate::operation::Operation;

/// An invariant that does not hold: a bug of the compiler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", node.map(|node| format!("%{}: ", node.index())).unwrap_or_default())]
pub struct Violation {
    /// Where; `None` if it is about the graph as a whole.
    pub node: Option<NodeIndex>,
    /// What does not hold.
    pub what: &'static str,
}

/// A graph that is malformed, and what made it so: a bug of the compiler.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{maker} has made a malformed graph: {violation}\n\n{graph}")]
pub struct Broken {
    /// Lowering, or the pass.
    pub maker: Maker,
    /// What does not hold of it.
    pub violation: Violation,
    /// The graph as it is now.
    pub graph: Box<Graph>,
}

/// What makes graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// The way from a program to a graph.
    Lowering,
    /// The pass of this name.
    Pass(&'static str),
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lowering => f.write_str("lowering"),
            Self::Pass(name) => write!(f, "the pass `{name}`"),
        }
    }
}

/// Holds what has just been made to all invariants.
///
/// # Errors
/// The first one that does not hold.
pub fn sound(graph: Graph, maker: Maker) -> Result<Graph, Broken> {
    match verify(&graph) {
        Ok(()) => Ok(graph),
        Err(violation) => Err(Broken { maker, violation, graph: Box::new(graph) }),
    }
}

/// Checks all invariants.
///
/// # Errors
/// The first one that does not hold.
pub fn verify(graph: &Graph) -> Result<(), Violation> {
    let fail = |node: Option<NodeIndex>, what| Err(Violation { node, what });
    // Not `is_cyclic_directed`: it recurses, and a chain of steps can be longer than a stack is deep.
    if toposort(&graph.nodes, None).is_err() {
        return fail(None, "there is a cycle");
    }
    let mut slots: Vec<usize> = Vec::new();
    for node in graph.nodes.node_indices() {
        slots.clear();
        slots.extend(graph.nodes.edges_directed(node, Direction::Incoming).map(|edge| edge.weight().0));
        slots.sort_unstable();
        if !slots.iter().copied().eq(0..slots.len()) {
            return fail(Some(node), "its slots are not numbered from 0 without gaps");
        }
        if let Err(what) = operation(&graph.nodes[node].operation, slots.len()) {
            return fail(Some(node), what);
        }
        if graph.nodes[node].operation == Operation::Stack && !is_on_scratch(graph, graph.inputs(node)[1]) {
            return fail(Some(node), "what it stacks is no step on the empty tree");
        }
    }
    documents(graph)
}

fn is_on_scratch(graph: &Graph, node: NodeIndex) -> bool {
    let below = graph.inputs(node).first().copied();
    below.is_some_and(|below| graph.nodes[below].operation == Operation::Scratch)
}

fn documents(graph: &Graph) -> Result<(), Violation> {
    let fail = |node, what| Err(Violation { node, what });
    if !graph.nodes.contains_node(graph.result) {
        return fail(Some(graph.result), "the result is no node");
    }
    if let Some(base) = graph.image.base {
        let is_image = graph.nodes.node_weight(base).is_some_and(|node| matches!(node.operation, Operation::Image(_)));
        if !is_image {
            return fail(Some(base), "the base is no image");
        }
    }
    for HistoryEntry { entry, node, joined } in &graph.image.history {
        if entry.empty_layer == node.is_some() {
            return fail(*node, "an entry of the history has a node but no layer, or the other way round");
        }
        if entry.empty_layer && !joined.is_empty() {
            return fail(joined.first().copied(), "what is joined lies in no layer");
        }
        if let Some(absent) = node.iter().chain(joined).find(|node| !graph.nodes.contains_node(**node)) {
            return fail(Some(*absent), "a step of the history is no node");
        }
    }
    Ok(())
}

fn operation(operation: &Operation, inputs: usize) -> Result<(), &'static str> {
    let has = |slot: usize| (1..inputs).contains(&slot);
    let is_absolute = |path: &str| path.starts_with('/');
    let wrong_inputs = "it has another number of inputs than its operation";
    match operation {
        Operation::Image(_)
        | Operation::Scratch
        | Operation::Context(_)
        | Operation::Inline(_)
        | Operation::Http(_)
        | Operation::Git(_) => {
            if inputs != 0 {
                return Err(wrong_inputs);
            }
        }
        Operation::Stack => {
            if inputs != 2 {
                return Err(wrong_inputs);
            }
        }
        Operation::MakeDir(make_dir) => {
            if inputs != 1 {
                return Err(wrong_inputs);
            }
            if !is_absolute(&make_dir.path) {
                return Err("the folder it makes is not absolute");
            }
        }
        Operation::Copy(copy) => {
            if copy.sources.is_empty() || !copy.sources.iter().all(|source| has(source.input)) {
                return Err("it copies nothing, or from a slot that does not exist");
            }
            if !is_absolute(&copy.destination) {
                return Err("its destination is not absolute");
            }
        }
        Operation::Run(run) => {
            if inputs == 0 || run.arguments.is_empty() {
                return Err("it runs nothing, or nowhere");
            }
            for mount in &run.mounts {
                if mount.kind.reads().is_some_and(|(slot, _)| !has(slot)) {
                    return Err("it mounts from a slot that does not exist");
                }
                if mount.target.as_deref().is_some_and(|target| !is_absolute(target)) {
                    return Err("a mount's target is not absolute");
                }
            }
            if !is_absolute(&run.workdir) {
                return Err("its folder is not absolute");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use petgraph::stable_graph::StableDiGraph;

    use super::*;
    use crate::graph::{ImageDocuments, Node, Slot};
    use crate::oci::{ContainerConfig, History};
    use crate::operation::{Below, MakeDir};
    use crate::plan::Origin;
    use crate::platform::Platform;

    fn connect(graph: &mut Graph, from: NodeIndex, to: NodeIndex, slot: usize) {
        graph.nodes.add_edge(from, to, Slot(slot));
    }

    fn node(operation: Operation) -> Node {
        Node { operation, origin: Origin { stage: String::new(), line: 0, name: String::new() } }
    }

    fn graph() -> (Graph, NodeIndex, NodeIndex) {
        let mut nodes = StableDiGraph::new();
        let scratch = nodes.add_node(node(Operation::Scratch));
        let folder = nodes.add_node(node(Operation::MakeDir(MakeDir {
            path: "/a".to_owned(),
            owner: None,
            below: Below::default(),
        })));
        nodes.add_edge(scratch, folder, Slot(0));
        let image = ImageDocuments {
            base: None,
            config: ContainerConfig::default(),
            author: None,
            history: vec![HistoryEntry { entry: History::default(), node: Some(folder), joined: Vec::new() }],
        };
        let platform = Platform::new("linux", "amd64", "");
        (Graph { nodes, target: "0".to_owned(), platform, result: folder, image }, scratch, folder)
    }

    #[test]
    fn what_breaks_a_graph_is_named_and_the_graph_is_shown() {
        let (mut graph, _, _) = graph();
        graph.image.history[0].node = None;
        let broken = sound(graph, Maker::Pass("eager")).expect_err("an entry has lost its step").to_string();
        assert_eq!(
            broken,
            "the pass `eager` has made a malformed graph: an entry of the history has a node but no layer, or the other way \
             round\n\ngraph: `0` for linux/amd64\n\n%0 = scratch\n\n%1 = make-dir %0\n    path      /a\n\nimage %1\n\n\
             history\n    -  \n"
        );
        let (mut graph, scratch, folder) = self::graph();
        connect(&mut graph, folder, scratch, 7);
        let broken = sound(graph, Maker::Lowering).expect_err("there is a cycle").to_string();
        assert!(broken.starts_with("lowering has made a malformed graph: there is a cycle\n\ngraph"), "{broken}");
    }

    #[test]
    fn a_sound_graph_passes_and_each_fault_is_found() {
        let (sound, scratch, folder) = graph();
        assert_eq!(verify(&sound), Ok(()));

        let faults: [fn(&mut Graph, NodeIndex, NodeIndex); 7] = [
            |graph, scratch, folder| connect(graph, folder, scratch, 0),
            |graph, scratch, folder| connect(graph, scratch, folder, 0),
            |graph, scratch, folder| connect(graph, scratch, folder, 1),
            |graph, scratch, _| graph.image.base = Some(scratch),
            |graph, _, _| graph.image.history[0].node = None,
            |graph, _, _| graph.image.history[0].joined.push(NodeIndex::end()),
            |graph, _, folder| drop(graph.nodes.remove_node(folder)),
        ];
        for fault in faults {
            let mut broken = sound.clone();
            fault(&mut broken, scratch, folder);
            assert!(verify(&broken).is_err());
        }
    }
}
