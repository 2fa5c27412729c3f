//! Program to graph: one node for each statement, one for each distinct tree from outside.

use std::collections::HashMap;

use petgraph::stable_graph::{NodeIndex, StableDiGraph};

use crate::address::redact;
use crate::graph::{Graph, HistoryEntry, ImageDocuments, Node, Slot};
use crate::oci::History;
use crate::operation::Operation;
use crate::plan::Origin;
use crate::program::{Program, Stage, StageId, Tree};

/// Lowers a program.
///
/// # Panics
/// If the program breaks its invariants, which is a bug.
#[must_use]
pub fn lower(program: &Program) -> Graph {
    let mut lowering =
        Lowering { program, nodes: StableDiGraph::new(), leaves: HashMap::new(), stages: HashMap::new() };
    for stage in &program.stages {
        lowering.stage(stage);
    }
    let target = program.stage(program.target).expect("the target is one of the stages");
    let result = lowering.stages[&program.target].result;
    let image = lowering.documents(program, target);
    let (name, platform) = (target.name.clone(), program.platform.clone());
    Graph { nodes: lowering.nodes, target: name, platform, result, image }
}

struct Lowering<'p> {
    program: &'p Program,
    nodes: StableDiGraph<Node, Slot>,
    /// Trees that come from outside, so that equal ones are one node.
    leaves: HashMap<&'p Tree, NodeIndex>,
    stages: HashMap<StageId, Lowered>,
}

struct Lowered {
    result: NodeIndex,
    /// The node of each statement.
    statements: Vec<NodeIndex>,
}

impl<'p> Lowering<'p> {
    fn stage(&mut self, stage: &'p Stage) {
        if self.stages.contains_key(&stage.id) {
            return;
        }
        let from = Origin { stage: stage.name.clone(), line: stage.line, name: stage.from.clone() };
        let mut below = self.tree(&stage.base, &from);
        let mut statements = Vec::with_capacity(stage.statements.len());
        for statement in &stage.statements {
            let inputs: Vec<NodeIndex> =
                statement.inputs.iter().map(|tree| self.tree(tree, &statement.origin)).collect();
            let node = Node { operation: statement.operation.clone(), origin: statement.origin.clone() };
            let node = self.nodes.add_node(node);
            for (slot, input) in std::iter::once(below).chain(inputs).enumerate() {
                self.nodes.add_edge(input, node, Slot(slot));
            }
            statements.push(node);
            below = node;
        }
        self.stages.insert(stage.id, Lowered { result: below, statements });
    }

    /// The node of a tree that is used at `origin`.
    fn tree(&mut self, tree: &'p Tree, origin: &Origin) -> NodeIndex {
        if let Tree::Stage(id) = tree {
            // Only a stage that a context replaces comes after its users, and that one needs no other.
            if !self.stages.contains_key(id) {
                let program = self.program;
                self.stage(program.stage(*id).expect("a stage that is used is part of the program"));
            }
            return self.stages[id].result;
        }
        if let Some(known) = self.leaves.get(tree) {
            return *known;
        }
        let (operation, name) = match tree {
            Tree::Scratch => (Operation::Scratch, "FROM scratch".to_owned()),
            Tree::Image(image) => (Operation::Image(image.clone()), format!("FROM {}", image.reference)),
            Tree::Context(context) => {
                let name =
                    context.name.as_deref().map_or_else(|| "context".to_owned(), |name| format!("context {name}"));
                (Operation::Context(context.clone()), name)
            }
            Tree::Inline(inline) => {
                let names: Vec<String> = inline.files.iter().map(|file| format!("<<{}", file.name)).collect();
                (Operation::Inline(inline.clone()), names.join(" "))
            }
            Tree::Http(http) => (Operation::Http(http.clone()), redact(&http.url).into_owned()),
            Tree::Git(git) => (Operation::Git(git.clone()), git.remote.clone()),
            Tree::Stage(_) => unreachable!("handled above"),
        };
        // Contexts and the empty tree belong to no line in particular.
        let origin = match tree {
            Tree::Scratch | Tree::Context(_) => Origin { stage: String::new(), line: 0, name },
            _ => Origin { stage: String::new(), line: origin.line, name },
        };
        let node = self.nodes.add_node(Node { operation, origin });
        self.leaves.insert(tree, node);
        node
    }

    /// The documents of the image: the history is that of the target and of every stage it starts from.
    fn documents(&self, program: &'p Program, target: &'p Stage) -> ImageDocuments {
        let mut chain = vec![target];
        let base = loop {
            let last = chain.last().map_or(target, |stage| stage);
            match &last.base {
                Tree::Stage(id) => chain.extend(program.stage(*id)),
                tree @ Tree::Image(_) => break self.leaves.get(tree).copied(),
                _ => break None,
            }
        };
        let entries = chain.iter().rev().flat_map(|stage| {
            stage.history.iter().map(|entry| {
                let node = entry.statement.map(|statement| self.stages[&stage.id].statements[statement]);
                HistoryEntry { entry: History::clone(&entry.entry), node, joined: Vec::new() }
            })
        });
        ImageDocuments {
            base,
            config: program.config.clone(),
            author: program.author.clone(),
            history: entries.collect(),
        }
    }
}
