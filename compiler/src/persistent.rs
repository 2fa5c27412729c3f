//! A map that shares what it has in common with the maps it was made from, so that stages can inherit without copying.
//!
//! It is a treap: a search tree by name that is also a heap by the names' hashes, and so has one shape for each set of
//! names, about as deep as the logarithm of its size. Source: Seidel and Aragon, *Randomized Search Trees* (1996).

use std::cmp::Ordering;
use std::sync::Arc;

/// A map from names to values; cloning it takes constant time.
#[derive(Clone, Debug)]
pub(crate) struct Map<V> {
    root: Tree<V>,
    length: usize,
}

type Tree<V> = Option<Arc<Node<V>>>;

#[derive(Clone, Debug)]
struct Node<V> {
    name: Arc<str>,
    priority: u64,
    value: V,
    left: Tree<V>,
    right: Tree<V>,
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self { root: None, length: 0 }
    }
}

impl<V: Clone> Map<V> {
    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        let mut tree = &self.root;
        while let Some(node) = tree {
            tree = match name.cmp(&node.name) {
                Ordering::Less => &node.left,
                Ordering::Greater => &node.right,
                Ordering::Equal => return Some(&node.value),
            };
        }
        None
    }

    /// How many names it has.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Gives a name a value.
    pub(crate) fn insert(&mut self, name: &str, value: V) {
        self.length += usize::from(self.get(name).is_none());
        let node = Node { name: name.into(), priority: priority(name), value, left: None, right: None };
        self.root = Some(Arc::new(insert(self.root.as_ref(), node)));
    }

    /// All of them, in the order of the names.
    pub(crate) fn iter(&self) -> Iter<'_, V> {
        let mut iter = Iter { pending: Vec::new() };
        iter.descend(&self.root);
        iter
    }
}

/// The tree with a node added; those on the way to it are made anew.
fn insert<V: Clone>(tree: Option<&Arc<Node<V>>>, new: Node<V>) -> Node<V> {
    let Some(tree) = tree else { return new };
    let mut node = Node::clone(tree);
    match new.name.cmp(&node.name) {
        Ordering::Equal => {
            node.value = new.value;
            node
        }
        Ordering::Less => {
            let mut left = insert(node.left.as_ref(), new);
            if left.priority <= node.priority {
                node.left = Some(Arc::new(left));
                return node;
            }
            node.left = left.right.take();
            left.right = Some(Arc::new(node));
            left
        }
        Ordering::Greater => {
            let mut right = insert(node.right.as_ref(), new);
            if right.priority <= node.priority {
                node.right = Some(Arc::new(right));
                return node;
            }
            node.right = right.left.take();
            right.left = Some(Arc::new(node));
            right
        }
    }
}

/// A hash of a name (FNV-1a, its bits mixed as splitmix64 does), the same on every run.
fn priority(name: &str) -> u64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Walks a map in the order of the names.
pub(crate) struct Iter<'a, V> {
    pending: Vec<&'a Node<V>>,
}

impl<'a, V> Iter<'a, V> {
    fn descend(&mut self, mut tree: &'a Tree<V>) {
        while let Some(node) = tree {
            self.pending.push(node);
            tree = &node.left;
        }
    }
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a Arc<str>, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.pending.pop()?;
        self.descend(&node.right);
        Some((&node.name, &node.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_maps_do_not_see_what_newer_ones_change() {
        let mut old = Map::default();
        for number in 0..1000 {
            old.insert(&format!("n{number}"), number);
        }
        let mut new = old.clone();
        new.insert("n7", -1);
        new.insert("extra", 0);
        assert_eq!((old.get("n7"), old.get("extra")), (Some(&7), None));
        assert_eq!((new.get("n7"), new.get("extra")), (Some(&-1), Some(&0)));
        let names: Vec<&str> = new.iter().map(|(name, _)| &**name).collect();
        assert!(names.is_sorted() && names.len() == 1001);
    }

    #[test]
    fn a_million_ordered_names_do_not_make_a_deep_tree() {
        fn depth<V>(tree: &Tree<V>) -> usize {
            tree.as_ref().map_or(0, |node| 1 + depth(&node.left).max(depth(&node.right)))
        }
        let mut map = Map::default();
        for number in 0..20_000 {
            map.insert(&format!("{number:06}"), ());
        }
        assert!(depth(&map.root) < 60);
    }
}
