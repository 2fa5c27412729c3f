//! [`Tree`]: an immutable tree of files, known by how it came to be, whether or not it is on this machine.

use std::fmt;
use std::sync::Arc;

use layercake_cache::{ContentId, Digest};
use serde::{Deserialize, Serialize};

use crate::change::ChangeSet;
use crate::image::descriptor::Descriptor;
use crate::image::local::LocalImage;

/// What a tree *is*: the BLAKE3 of its layers' contents, lowest first. Nothing is fetched to know it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeId(ContentId);

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An immutable tree: layers on layers. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Tree {
    id: TreeId,
    layers: Arc<Vec<Layer>>,
    /// Whether a step reads the files of its image, as far as a plan tells. It is no part of what the tree is.
    is_read: bool,
}

/// What one layer of a tree is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A layer of an image, perhaps not here yet.
    Image(Arc<ImageLayer>),
    /// The change set of a step.
    Change(Change),
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLayer {
    /// The digest of its uncompressed tar.
    pub diff_id: Digest,
    /// The blob, as the manifest names it.
    pub blob: Descriptor,
}

impl Tree {
    /// The tree that holds nothing.
    #[must_use]
    pub fn scratch() -> Self {
        Self { id: identify(None, b"scratch"), layers: Arc::default(), is_read: true }
    }

    /// The tree of an image: known by its diff ids.
    #[must_use]
    pub fn of_image(image: &LocalImage) -> Self {
        let layers = image.manifest.layers.iter().zip(&image.config.rootfs.diff_ids);
        let layers: Vec<ImageLayer> =
            layers.map(|(blob, diff_id)| ImageLayer { diff_id: *diff_id, blob: blob.clone() }).collect();
        let id = layers
            .iter()
            .fold(Self::scratch().id, |id, layer| identify(Some(id), layer.diff_id.to_string().as_bytes()));
        let layers = Arc::new(layers.into_iter().map(|layer| Layer::Image(Arc::new(layer))).collect());
        Self { id, layers, is_read: true }
    }

    /// The same, to which steps only add.
    #[must_use]
    pub fn only_added_to(self) -> Self {
        Self { is_read: false, ..self }
    }

    /// Whether a step may read the files of its image.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// This tree with a change set on top; itself if that changes nothing.
    #[must_use]
    pub fn with(&self, change: &Change) -> Self {
        if change.is_empty {
            return self.clone();
        }
        let mut layers = self.layers.to_vec();
        layers.push(Layer::Change(*change));
        Self { id: identify(Some(self.id), change.id.as_bytes()), layers: Arc::new(layers), is_read: self.is_read }
    }

    /// What it is.
    #[must_use]
    pub fn id(&self) -> TreeId {
        self.id
    }

    /// Those of its layers that are an image's, lowest first.
    pub fn image_layers(&self) -> impl Iterator<Item = &ImageLayer> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::Image(layer) => Some(layer.as_ref()),
            Layer::Change(_) => None,
        })
    }

    /// Its layers, lowest first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

/// What a step changed in the tree below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The change set: what the ids of trees are made from.
    pub id: ContentId,
    /// The folder of the store that holds it, in overlay form.
    pub folder: ContentId,
    /// Whether it changes nothing. It is a layer of the image all the same.
    pub is_empty: bool,
}

impl From<ChangeSet> for Change {
    fn from(found: ChangeSet) -> Self {
        Self { id: found.id, folder: found.folder, is_empty: found.is_empty() }
    }
}

fn identify(below: Option<TreeId>, what: &[u8]) -> TreeId {
    let mut hasher = blake3::Hasher::new_derive_key("layercake tree 1");
    if let Some(below) = below {
        hasher.update(below.0.as_bytes());
    }
    TreeId(ContentId::new(hasher.update(what).finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str) -> Change {
        let id = ContentId::new(blake3::hash(name.as_bytes()));
        Change { id, folder: id, is_empty: false }
    }

    #[test]
    fn a_tree_is_its_layers_in_their_order() {
        let (a, b) = (change("a"), change("b"));
        let tree = |changes: &[Change]| changes.iter().fold(Tree::scratch(), |tree, change| tree.with(change)).id();
        assert_eq!(tree(&[a, b]), tree(&[a, b]));
        assert_ne!(tree(&[a, b]), tree(&[b, a]));
        assert_ne!(tree(&[a]), tree(&[a, a]));
    }

    #[test]
    fn what_changes_nothing_is_the_same_tree() {
        let nothing = Change { is_empty: true, ..change("nothing") };
        assert_eq!(Tree::scratch().with(&nothing).id(), Tree::scratch().id());
    }
}
