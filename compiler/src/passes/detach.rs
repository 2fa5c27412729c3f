//! Makes copies and folders independent of the tree that they go on, as far as they are. A linked copy is made on the empty tree, and put
//! on the tree below when both are there. Any other is done again only if what it looks at in that tree has changed.
//!
//! **Legality**: `--link` says that what is copied does not depend on the tree below, and it is made apart from that tree with or
//! without this pass; only when it may begin changes. Where a name of a user is looked up in the tree below, the copy stays where
//! it is. Copies without `--link` stay too, even if no step below touches their paths: the tree may have links (`/b -> /a`) and
//! folders of which a plan knows nothing. But once that tree is there, it is known what of it the copy looks at: where the way
//! to its destination leads, which folders it meets there with which attributes, and the numbers of the users that it names.
//! Whoever carries out the plan lists all of that, and where it cannot (an archive is unpacked), takes the whole tree. Making a
//! folder looks at nothing but the way to it.
//!
//! **Profit**: what is copied from another stage is copied while the steps below still run, and a copy whose turn comes late in
//! the file may be the first to be done. A command that has changed does not make the copies after it again, and their layers stay
//! what they are: nothing is packed or sent.

use petgraph::Direction;
use petgraph::stable_graph::NodeIndex;
use petgraph::visit::EdgeRef;

use crate::graph::{Graph, Node, Slot};
use crate::operation::{Below, Copy, Operation, Unpack};
use crate::plan::Origin;

pub(super) fn run(graph: &mut Graph) {
    let is_scratch = |node: &NodeIndex| graph.nodes[*node].operation == Operation::Scratch;
    let mut scratch = graph.nodes.node_indices().find(is_scratch);
    let copies: Vec<NodeIndex> = graph
        .nodes
        .node_indices()
        .filter(|node| matches!(&graph.nodes[*node].operation, Operation::Copy(copy) if is_independent(copy)))
        .filter(|node| !graph.inputs(*node).first().is_some_and(is_scratch))
        .collect();
    for copy in copies {
        let scratch = *scratch.get_or_insert_with(|| graph.nodes.add_node(empty_tree()));
        detach(graph, copy, scratch);
    }
    let nodes: Vec<NodeIndex> = graph.nodes.node_indices().collect();
    for node in nodes {
        let is_on_scratch =
            graph.inputs(node).first().is_some_and(|below| graph.nodes[*below].operation == Operation::Scratch);
        match &mut graph.nodes[node].operation {
            Operation::Copy(copy) if !is_on_scratch && copy.unpack != Unpack::Always => copy.below = Below::Way,
            Operation::MakeDir(folder) if !is_on_scratch => folder.below = Below::Way,
            _ => {}
        }
    }
}

/// Whether nothing of the tree below is looked at. A user or group that is no number would be looked up in it.
fn is_independent(copy: &Copy) -> bool {
    let is_number = |part: &str| part.parse::<u32>().is_ok();
    copy.link && copy.owner.as_deref().is_none_or(|owner| owner.split(':').all(is_number))
}

/// Puts a [`Operation::Stack`] where the copy is, so that all that knew the copy's tree now knows the stack's, and the copy
/// on the empty tree.
fn detach(graph: &mut Graph, place: NodeIndex, scratch: NodeIndex) {
    let node = &mut graph.nodes[place];
    let operation = std::mem::replace(&mut node.operation, Operation::Stack);
    let origin = node.origin.clone();
    let copy = graph.nodes.add_node(Node { operation, origin });
    let edges = graph.nodes.edges_directed(place, Direction::Incoming);
    let sources: Vec<_> =
        edges.filter(|edge| edge.weight().0 > 0).map(|edge| (edge.id(), edge.source(), *edge.weight())).collect();
    graph.nodes.add_edge(scratch, copy, Slot(0));
    for (edge, source, slot) in sources {
        graph.nodes.remove_edge(edge);
        graph.nodes.add_edge(source, copy, slot);
    }
    graph.nodes.add_edge(copy, place, Slot(1));
}

/// The empty tree, as lowering makes it.
fn empty_tree() -> Node {
    let origin = Origin { stage: String::new(), line: 0, name: "FROM scratch".to_owned() };
    Node { operation: Operation::Scratch, origin }
}
