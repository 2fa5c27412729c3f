//! Narrows the files of a git repository to the paths that its users read.
//!
//! **Legality**: a copy or a mount sees of its source what lies at the path that it names, and what the links on the way to it
//! lead to. A plan knows the paths and not the links, so who puts the files there adds what any link among them leads to, and
//! takes everything where that is not known (a submodule). A path that is not there is not there with or without the rest. Who
//! may look anywhere needs everything: a stage that begins there, a mount or copy of the root, a repository that keeps its
//! `.git`. Of a pattern, what stands before the first wildcard counts.
//!
//! **Profit**: nothing else is checked out; and as the tree is known by what is in it, a commit that changes other files alone
//! runs nothing again that has the files mounted. Contexts on this machine need no narrowing: of them nothing but what is named
//! is ever looked at.

use std::collections::BTreeSet;

use petgraph::Direction;
use petgraph::stable_graph::NodeIndex;
use petgraph::visit::EdgeRef;

use crate::graph::Graph;
use crate::operation::{Copy, Operation, Run};
use crate::wildcard::has_wildcards;

pub(super) fn run(graph: &mut Graph) {
    let nodes: Vec<NodeIndex> = graph.nodes.node_indices().collect();
    for node in nodes {
        let is_whole = matches!(&graph.nodes[node].operation, Operation::Git(git) if !git.keep_git_dir);
        let Some(paths) = is_whole.then(|| read(graph, node)).flatten() else { continue };
        if let Operation::Git(git) = &mut graph.nodes[node].operation {
            git.paths = outermost(&paths);
        }
    }
}

/// The paths that are read of a node; `None` is everything.
fn read(graph: &Graph, node: NodeIndex) -> Option<BTreeSet<String>> {
    if graph.result == node {
        return None;
    }
    let mut paths = BTreeSet::new();
    for edge in graph.nodes.edges_directed(node, Direction::Outgoing) {
        let slot = edge.weight().0;
        match &graph.nodes[edge.target()].operation {
            Operation::Copy(copy) if slot > 0 => paths.extend(copied(copy, slot)),
            Operation::Run(run) if slot > 0 => paths.extend(mounted(run, slot)),
            _ => return None,
        }
    }
    // The root has an empty path.
    (!paths.is_empty() && !paths.contains("")).then_some(paths)
}

fn copied(copy: &Copy, slot: usize) -> impl Iterator<Item = String> + '_ {
    let sources = copy.sources.iter().filter(move |source| source.input == slot);
    sources.map(|source| match source.path.split_once("/./") {
        // What follows the pivot is a pattern below it.
        Some((root, _)) if copy.parents => fixed(root),
        None if copy.parents => String::new(),
        _ => fixed(&source.path),
    })
}

fn mounted(run: &Run, slot: usize) -> impl Iterator<Item = String> + '_ {
    let reads = run.mounts.iter().filter_map(|mount| mount.kind.reads());
    reads.filter(move |(input, _)| *input == slot).map(|(_, source)| fixed(source))
}

/// The part of a path before the first name that may be a pattern, without a slash at its ends. As whoever reads it: `..`
/// leads up, and never out.
fn fixed(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let is_pattern = |part: &&str| has_wildcards(part) || part.contains('\\');
    let end = parts.iter().position(is_pattern).unwrap_or(parts.len());
    parts[..end].join("/")
}

/// Those that lie in no other.
fn outermost(paths: &BTreeSet<String>) -> Vec<String> {
    let lies_in_another = |path: &str| path.match_indices('/').any(|(end, _)| paths.contains(&path[..end]));
    paths.iter().filter(|path| !lies_in_another(path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_counts_up_to_the_first_pattern() {
        for (path, expected) in [
            ("/src/app", "src/app"),
            ("src/./*.c", "src"),
            ("/a/../b/", "b"),
            ("../b", "b"),
            ("/*/b", ""),
            (r"a/b\*/c", "a"),
            (".", ""),
        ] {
            assert_eq!(fixed(path), expected, "{path}");
        }
    }

    #[test]
    fn what_lies_in_another_path_is_not_said_twice() {
        let paths = ["a", "a/b", "a.b", "c/d", "c/d/e/f"].map(str::to_owned);
        assert_eq!(outermost(&paths.into()), ["a", "a.b", "c/d"]);
    }
}
