//! [`Usage`]: what a store holds, what of it images need, and when each piece was last of use.
//!
//! Which piece leads to which is read from the pieces themselves: 64 hexadecimal digits in a record or a document that are the
//! name of another piece lead there. That needs to know no format, and errs on the side of keeping.

pub mod choice;
pub mod damage;
pub mod doubt;
mod graph;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use layercake_cache::{Part, PartKind, Store};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::image::error::Error;
use crate::image::local::{Images, NamedImage};
use crate::image::reference::Reference;
use graph::Graph;

/// What a store holds.
#[derive(Debug)]
pub struct Usage {
    /// Every piece.
    pub pieces: Vec<Piece>,
    /// The images, those without a name too.
    pub images: Vec<Image>,
    /// What could not be looked at, in words.
    pub unreadable: Vec<String>,
    /// Documents and records among that: what they lead to is not known, and may seem to be needed by nobody.
    pub unread: Vec<String>,
}

/// A piece of a store.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Where it lies, and what it is called there.
    pub part: Part,
    /// What it is.
    pub kind: Kind,
    /// What it is good for, in words; empty if nobody has said it.
    pub description: String,
    /// The room that it takes, in bytes.
    pub size: u64,
    /// When it was last of use: itself, or what needs it.
    pub used: SystemTime,
    /// The images that need it, as places in [`Usage::images`].
    pub images: BTreeSet<usize>,
    /// How many other pieces it leads to.
    pub targets: usize,
}

/// An image of a store.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its names lead to the same; none at all for one that is kept without.
    pub names: Vec<NamedImage>,
    /// When it was last of use.
    pub used: SystemTime,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A manifest, an index or a configuration.
    Document,
    /// A layer as it travels.
    Layer,
    /// A file from a server.
    File,
    /// A layer's files, or what a step has made.
    Folder,
    /// What is remembered of steps.
    Record,
    /// The folder of a `RUN --mount=type=cache`.
    CacheMount,
    /// A git repository.
    Git,
    /// A download or a step that did not come to its end, or is under way.
    Unfinished,
    /// Names, costs, and what else is small and changes.
    Note,
    /// What another version has left.
    Unknown,
}

impl Kind {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 10] = [
        Self::Document,
        Self::Layer,
        Self::File,
        Self::Folder,
        Self::Record,
        Self::CacheMount,
        Self::Git,
        Self::Unfinished,
        Self::Note,
        Self::Unknown,
    ];

    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Layer => "layer",
            Self::File => "file",
            Self::Folder => "folder",
            Self::Record => "record",
            Self::CacheMount => "cachemount",
            Self::Git => "git",
            Self::Unfinished => "unfinished",
            Self::Note => "note",
            Self::Unknown => "unknown",
        }
    }

    /// Whether there are many small ones that nobody wants to see one by one.
    #[must_use]
    pub fn is_small(self) -> bool {
        matches!(self, Self::Document | Self::Record | Self::Note)
    }
}

impl Usage {
    /// Looks at everything in the store. Nothing counts as used by being looked at.
    ///
    /// # Errors
    /// If the list of images cannot be read. Of other pieces, what cannot be read is named in [`Self::unreadable`].
    pub fn read(store: &Store) -> Result<Self, Error> {
        Self::look(store, &HashMap::new())
    }

    /// The same again, in a fraction of the time: what never changes is as large as it was.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn again(&self, store: &Store) -> Result<Self, Error> {
        let folders = self.pieces.iter().filter(|piece| piece.part.kind == PartKind::Folder);
        Self::look(store, &folders.map(|piece| (piece.part.name.as_str(), piece.size)).collect())
    }

    fn look(store: &Store, known: &HashMap<&str, u64>) -> Result<Self, Error> {
        let (parts, failed) = store.parts();
        let mut unreadable: Vec<String> = failed.iter().map(ToString::to_string).collect();
        let mut unread = unreadable.clone();
        let graph = Graph::read(&parts, &mut unread);
        unreadable.clone_from(&unread);
        let mut by_target: BTreeMap<_, Vec<NamedImage>> = BTreeMap::new();
        for named in Images::new(store).list()? {
            by_target.entry(named.descriptor.digest).or_default().push(named);
        }
        let used = graph.last_uses(&parts);
        let places: HashMap<&str, usize> = parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.kind == PartKind::Blob)
            .map(|(at, part)| (part.name.as_str(), at))
            .collect();
        let mut images = Vec::new();
        let mut needed: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); parts.len()];
        for (digest, names) in by_target {
            let top = places.get(digest.hex().as_str()).copied();
            for at in top.iter().flat_map(|top| graph.needed(*top)) {
                needed[at].insert(images.len());
            }
            images.push(Image { names, used: top.map_or(SystemTime::UNIX_EPOCH, |top| used[top]) });
        }
        // What is remembered of a step whose outcome an image needs: without it the next build would do the step again.
        for (at, _) in parts.iter().enumerate().filter(|(_, part)| part.kind == PartKind::Record) {
            let of_targets =
                graph.targets(at).iter().flat_map(|to| needed[*to].iter().copied()).collect::<BTreeSet<_>>();
            needed[at].extend(of_targets);
        }
        let size = |part: &Part| match known.get(part.name.as_str()) {
            Some(size) if part.kind == PartKind::Folder => Ok(*size),
            _ => part.size().map_err(|error| error.to_string()),
        };
        let sizes: Vec<Result<u64, String>> = parts.par_iter().map(size).collect();
        let mut pieces = Vec::with_capacity(parts.len());
        for (at, ((part, size), images)) in parts.into_iter().zip(sizes).zip(needed).enumerate() {
            let size = size.unwrap_or_else(|error| {
                unreadable.push(error);
                0
            });
            let label = part.label();
            let kind = graph.kind(at, &part, label.as_deref());
            let description = label.unwrap_or_default();
            let targets = graph.targets(at).len();
            pieces.push(Piece { kind, description, size, used: used[at], images, targets, part });
        }
        Ok(Self { pieces, images, unreadable, unread })
    }

    /// The names of the images that need a piece, as people write them; an image without one by its digest.
    #[must_use]
    pub fn needed_by(&self, piece: &Piece) -> Vec<String> {
        let names = piece.images.iter().flat_map(|image| &self.images[*image].names);
        let name = |named: &NamedImage| {
            named.reference.as_ref().map_or_else(|| named.descriptor.digest.to_string(), Reference::familiar)
        };
        names.map(name).collect()
    }
}

impl Image {
    /// Whether somebody has given it a name.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.names.iter().any(|named| named.reference.is_some())
    }
}
