//! Puts what neighbours of the image's own steps make into one layer: `COPY` and `WORKDIR` that follow one another.
//!
//! **Legality**: the steps stay what they are, with their keys and their trees; only what the image calls a layer changes. Of two
//! of these steps the second has the first one's tree below it, so where both make something of one name, both make a folder, or
//! the second replaces what is no folder. Neither removes anything. So what lies in either lies in the tree of both, and the upper
//! one's where both have it: one layer with that makes of any tree what the two make, one after the other. This does not hold for
//! commands, which remove; for archives that are unpacked; nor for linked copies, of which one may put a file where the other
//! has a folder. The history keeps its entries, of which all but the last say that they have no layer.
//!
//! **Profit**: an image of as many layers as it has parts: fewer to ask for, send and mount. Its price is that a layer is sent
//! again when any of its parts has changed, and that everybody sees it: so it is for those who ask for it. Steps of other stages
//! are left alone, since nobody sees their layers, and one step for several would copy everything again after each change.

use petgraph::stable_graph::NodeIndex;

use crate::graph::{Graph, HistoryEntry};
use crate::operation::{Operation, Unpack};

pub(super) fn run(graph: &mut Graph) {
    let mut history = std::mem::take(&mut graph.image.history);
    let mut last: Option<usize> = None;
    for place in 0..history.len() {
        let Some(node) = history[place].node else { continue };
        let earlier = last.filter(|earlier| {
            let below = graph.inputs(node).first().copied();
            history[*earlier].node == below && below.is_some_and(|below| adds(graph, below)) && adds(graph, node)
        });
        if let Some(earlier) = earlier {
            let HistoryEntry { entry, node, joined } = &mut history[earlier];
            entry.empty_layer = true;
            let mut parts = std::mem::take(joined);
            parts.extend(node.take());
            history[place].joined = parts;
        }
        last = Some(place);
    }
    graph.image.history = history;
}

/// Whether a step only ever adds to the tree, or replaces what is no folder by what is none.
fn adds(graph: &Graph, node: NodeIndex) -> bool {
    match &graph.nodes[node].operation {
        Operation::Copy(copy) => copy.unpack == Unpack::Never && !copy.link,
        Operation::MakeDir(_) => true,
        _ => false,
    }
}
