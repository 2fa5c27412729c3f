//! Walks over trees: one level after the other, the folders of a level in parallel.
//!
//! Level by level rather than folder by folder, so that neither the stack nor the number of open files grows with the
//! depth of the tree: a step may make a folder in a folder a thousand times.

use std::ffi::CString;
use std::ops::Range;

use rayon::prelude::*;

/// What was found in one folder.
#[derive(Debug)]
pub struct Folder<F, L> {
    /// What is known of the folder itself.
    pub own: F,
    /// What is in it, in the order of the names.
    pub entries: Vec<(CString, Entry<L>)>,
}

/// Something in a folder.
#[derive(Debug)]
pub enum Entry<L> {
    /// A folder, which is visited in its turn.
    Folder,
    /// Anything else.
    Leaf(L),
}

/// Something on the way through a tree.
#[derive(Debug)]
pub enum Item<'a, F, L> {
    /// A folder; what is in it follows.
    Folder(&'a F),
    /// Anything else.
    Leaf(&'a L),
}

/// All folders below one or several, level by level.
#[derive(Debug)]
pub struct Walk<F, L> {
    folders: Vec<(Folder<F, L>, Range<usize>)>,
}

impl<F: Send, L: Send> Walk<F, L> {
    /// Visits folders and all that is below them. `visit` looks into one, and says what is to be visited for each
    /// [`Entry::Folder`] that it found, in their order.
    ///
    /// # Errors
    /// The first of `visit`.
    pub fn new<T: Send, E: Send>(
        first: Vec<T>,
        visit: impl Fn(T) -> Result<(Folder<F, L>, Vec<T>), E> + Sync,
    ) -> Result<Self, E> {
        let mut folders = Vec::new();
        let mut level = first;
        while !level.is_empty() {
            let visited: Vec<_> = level.into_par_iter().map(&visit).collect::<Result<_, _>>()?;
            // The next level comes right after this one.
            let mut start = folders.len() + visited.len();
            level = Vec::new();
            for (folder, inner) in visited {
                folders.push((folder, start..start + inner.len()));
                start += inner.len();
                level.extend(inner);
            }
        }
        Ok(Self { folders })
    }

    /// The folder of this number; those that the walk began with come first, and each comes before what is in it.
    #[must_use]
    pub fn folder(&self, index: usize) -> &Folder<F, L> {
        &self.folders[index].0
    }

    /// The number of folders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.folders.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// For each folder whether it stays, if a folder that `goes_when_empty` does when nothing stays in it.
    pub fn staying(&self, goes_when_empty: impl Fn(&F) -> bool) -> Vec<bool> {
        let mut stays = vec![true; self.folders.len()];
        for (index, (folder, inner)) in self.folders.iter().enumerate().rev() {
            let leaves = folder.entries.len() - inner.len();
            let has_something = leaves > 0 || stays[inner.clone()].contains(&true);
            stays[index] = has_something || !goes_when_empty(&folder.own);
        }
        stays
    }

    /// The numbers of the folders in a folder.
    #[must_use]
    pub fn inner(&self, index: usize) -> Range<usize> {
        self.folders[index].1.clone()
    }

    /// Goes through a folder and all below it that stays, in the order of the paths, component by component. `path` is
    /// the folder's; it is as it was afterwards.
    pub fn each(&self, index: usize, stays: &[bool], path: &mut Vec<u8>, mut see: impl FnMut(&[u8], Item<'_, F, L>)) {
        if !stays[index] {
            return;
        }
        see(path, Item::Folder(&self.folders[index].0.own));
        let begin = |index: usize, length| (index, 0, self.folders[index].1.start, length);
        let mut way = vec![begin(index, path.len())];
        while let Some((index, next, inner, length)) = way.last_mut() {
            path.truncate(*length);
            let Some((name, entry)) = self.folders[*index].0.entries.get(*next) else {
                way.pop();
                continue;
            };
            *next += 1;
            if *length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            match entry {
                Entry::Leaf(leaf) => see(path, Item::Leaf(leaf)),
                Entry::Folder => {
                    let index = *inner;
                    *inner += 1;
                    if stays[index] {
                        see(path, Item::Folder(&self.folders[index].0.own));
                        way.push(begin(index, path.len()));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    /// The tree that a text describes: a letter is a leaf, and brackets are a folder.
    fn visit(text: &'static str) -> Result<(Folder<(), char>, Vec<&'static str>), ()> {
        let (mut entries, mut inner, mut depth, mut start) = (Vec::new(), Vec::new(), 0, 0);
        for (index, letter) in text.char_indices() {
            let name = CString::new(entries.len().to_string()).unwrap();
            match letter {
                '(' => {
                    depth += 1;
                    start = if depth == 1 { index + 1 } else { start };
                }
                ')' => {
                    depth -= 1;
                    if depth == 0 {
                        entries.push((name, Entry::Folder));
                        inner.push(&text[start..index]);
                    }
                }
                letter if depth == 0 => entries.push((name, Entry::Leaf(letter))),
                _ => (),
            }
        }
        Ok((Folder { own: (), entries }, inner))
    }

    fn order(text: &'static str, goes_when_empty: bool) -> String {
        let walk = Walk::new(vec![text], visit).unwrap();
        let mut seen = Vec::new();
        let stays = walk.staying(|()| goes_when_empty);
        walk.each(0, &stays, &mut Vec::new(), |path, item| {
            let kind = match item {
                Item::Folder(()) => '/',
                Item::Leaf(leaf) => *leaf,
            };
            seen.push(format!("{}{kind}", String::from_utf8_lossy(path)));
        });
        seen.join(" ")
    }

    #[test]
    fn parents_come_before_children_and_names_in_order() {
        assert_eq!(order("a(b(c)d)(e)f", false), "/ 0a 1/ 1/0b 1/1/ 1/1/0c 1/2d 2/ 2/0e 3f");
    }

    #[test]
    fn empty_folders_go_with_those_that_held_nothing_else() {
        assert_eq!(order("(())a((b)())", true), "/ 1a 2/ 2/0/ 2/0/0b");
        assert_eq!(order("(())", true), "");
        assert_eq!(order("(())", false), "/ 0/ 0/0/");
    }
}
