//! What goes when room is made: never what a named image needs, unless all is said to go; what was not of use for longest, first.

use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

use layercake_cache::PartKind;

use super::{Image, Kind, Piece, Usage};

/// What is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Named images too.
    pub images: Named,
    /// Only what was last of use before this.
    pub before: Option<SystemTime>,
    /// No more than until the store takes this many bytes.
    pub until: Option<u64>,
}

/// What becomes of images that have a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Named {
    /// They stay, and everything that they need.
    #[default]
    Kept,
    /// They go like everything else, after it.
    Dropped,
}

/// What goes, as places in [`Usage::images`] and [`Usage::pieces`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The images that are forgotten.
    pub images: Vec<usize>,
    /// The pieces that are taken away, in the order in which that is safe: what leads to something before what it leads to.
    pub pieces: Vec<usize>,
    /// The room that this makes, in bytes.
    pub freed: u64,
}

impl Usage {
    /// What goes by this policy.
    #[must_use]
    pub fn choose(&self, policy: &Policy) -> Choice {
        let is_old = |used: SystemTime| policy.before.is_none_or(|before| used < before);
        let mut left: u64 = self.pieces.iter().map(|piece| piece.size).sum();
        let is_enough = |left: u64| policy.until.is_some_and(|until| left <= until);
        let mut kept: BTreeSet<usize> = (0..self.images.len()).collect();
        let mut choice = Choice::default();
        // An image that nobody has named is what a build has left that was not told a name.
        let unnamed = self.oldest_images(|image| !image.is_named() && is_old(image.used));
        let named = self.oldest_images(|image| image.is_named() && is_old(image.used));
        // What images do not need goes first, then those without a name, then the others.
        let mut rounds = vec![None];
        rounds.extend(unnamed.into_iter().map(Some));
        if policy.images == Named::Dropped {
            rounds.extend(named.into_iter().map(Some));
        }
        let mut gone: HashSet<usize> = HashSet::new();
        for image in rounds {
            if is_enough(left) {
                break;
            }
            if let Some(image) = image {
                kept.remove(&image);
                choice.images.push(image);
            }
            let mut loose: Vec<usize> = (0..self.pieces.len())
                .filter(|at| !gone.contains(at))
                .filter(|at| {
                    let piece = &self.pieces[*at];
                    let was_needed = image.is_none_or(|image| piece.images.contains(&image));
                    was_needed && may_go(piece, policy) && is_old(piece.used) && piece.images.is_disjoint(&kept)
                })
                .collect();
            loose.sort_by_key(|at| self.pieces[*at].used);
            for at in loose {
                // An image goes whole: half of one is of no use.
                if image.is_none() && is_enough(left) {
                    break;
                }
                left = left.saturating_sub(self.pieces[at].size);
                choice.freed += self.pieces[at].size;
                gone.insert(at);
            }
        }
        choice.pieces = gone.into_iter().collect();
        choice.pieces.sort_by_key(|at| (rank(self.pieces[*at].part.kind), *at));
        choice
    }

    fn oldest_images(&self, is_meant: impl Fn(&Image) -> bool) -> Vec<usize> {
        let mut meant: Vec<usize> = (0..self.images.len()).filter(|at| is_meant(&self.images[*at])).collect();
        meant.sort_by_key(|at| self.images[*at].used);
        meant
    }
}

/// Names and costs are small, and what is unknown may be somebody's.
fn may_go(piece: &Piece, policy: &Policy) -> bool {
    match piece.kind {
        // What was found out about contexts and trees, and what `explain` tells: small, and of use to what stays.
        Kind::Record if piece.targets == 0 => policy.before.is_some() || policy.images == Named::Dropped,
        Kind::Unknown => false,
        Kind::Note => piece.part.kind == PartKind::Claim,
        // Those of processes that have died are gone since the store was opened.
        Kind::Unfinished => !piece.part.path.parent().is_some_and(|folder| folder.ends_with("tmp")),
        _ => true,
    }
}

fn rank(kind: PartKind) -> u8 {
    match kind {
        PartKind::Record => 0,
        PartKind::Folder => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::path::PathBuf;
    use std::time::Duration;

    use layercake_cache::{Digest, Part};
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::image::descriptor::Descriptor;
    use crate::image::local::NamedImage;
    use crate::image::media::{Family, MediaType};

    const IMAGES: usize = 4;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn usage() -> impl Strategy<Value = Usage> {
        let image = (any::<bool>(), 0..20_u64);
        let piece = (1..100_u64, 0..20_u64, btree_set(0..IMAGES, 0..3));
        (vec(image, IMAGES), vec(piece, 0..12)).prop_map(|(images, pieces)| {
            let image = |(number, (is_named, used)): (usize, (bool, u64))| {
                let reference = is_named.then(|| format!("image:{number}").parse().unwrap());
                let descriptor = Descriptor::new(MediaType::Manifest(Family::Oci), Digest::of(&[]), 0);
                Image { names: vec![NamedImage { reference, descriptor }], used: at(used) }
            };
            let piece = |(number, (size, used, images)): (usize, (u64, u64, BTreeSet<usize>))| {
                let part =
                    Part { kind: PartKind::Blob, name: number.to_string(), path: PathBuf::new(), used: at(used) };
                let (kind, used, description) = (Kind::Layer, at(used), String::new());
                Piece { part, kind, description, size, used, images, targets: 0 }
            };
            Usage {
                images: images.into_iter().enumerate().map(image).collect(),
                pieces: pieces.into_iter().enumerate().map(piece).collect(),
                unreadable: Vec::new(),
            }
        })
    }

    fn policy() -> impl Strategy<Value = Policy> {
        (any::<bool>(), proptest::option::of(0..20_u64), proptest::option::of(0..600_u64)).prop_map(
            |(all, before, until)| Policy {
                images: if all { Named::Dropped } else { Named::Kept },
                before: before.map(at),
                until,
            },
        )
    }

    proptest! {
        #[test]
        fn what_stays_is_whole_and_what_goes_may(usage in usage(), policy in policy()) {
            let choice = usage.choose(&policy);
            let dropped: BTreeSet<usize> = choice.images.iter().copied().collect();
            for image in &dropped {
                prop_assert!(policy.images == Named::Dropped || !usage.images[*image].is_named());
            }
            for piece in choice.pieces.iter().map(|at| &usage.pieces[*at]) {
                prop_assert!(piece.images.is_subset(&dropped), "an image that stays needs it");
                prop_assert!(policy.before.is_none_or(|before| piece.used < before), "it was used lately");
            }
            let freed: u64 = choice.pieces.iter().map(|at| usage.pieces[*at].size).sum();
            prop_assert_eq!(freed, choice.freed);
        }

        #[test]
        fn everything_goes_that_may_unless_there_is_room(usage in usage(), policy in policy()) {
            let choice = usage.choose(&policy);
            let total: u64 = usage.pieces.iter().map(|piece| piece.size).sum();
            if policy.until.is_some_and(|until| total - choice.freed <= until) {
                // No more than is needed: without the last piece or image it would not have been enough.
                prop_assert!(choice.images.len() + choice.pieces.len() == 0 || total > policy.until.unwrap_or(0));
                return Ok(());
            }
            let dropped: BTreeSet<usize> = choice.images.iter().copied().collect();
            for (place, piece) in usage.pieces.iter().enumerate() {
                let is_loose = piece.images.is_subset(&dropped) && policy.before.is_none_or(|before| piece.used < before);
                prop_assert_eq!(choice.pieces.contains(&place), is_loose);
            }
        }

        #[test]
        fn what_was_used_longest_ago_goes_first(usage in usage(), until in 0..600_u64) {
            let loose = usage.pieces.iter().filter(|piece| piece.images.is_empty());
            let choice = usage.choose(&Policy { until: Some(until), ..Policy::default() });
            let is_gone = |piece: &Piece| choice.pieces.iter().any(|at| usage.pieces[*at].part == piece.part);
            let latest_gone = loose.clone().filter(|piece| is_gone(piece)).map(|piece| piece.used).max();
            for piece in loose.filter(|piece| !is_gone(piece)) {
                prop_assert!(latest_gone.is_none_or(|latest| latest <= piece.used));
            }
        }
    }
}
