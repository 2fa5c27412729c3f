//! [`Way`]: everything that a step looks at in the tree that it goes on, where that is little: a copy without `--link`, or the
//! making of a folder.
//!
//! What a copy changes there is decided by what it takes, and by:
//! - what stands at each name on the way to its destination: a folder, a link and where it leads, something else, or nothing;
//! - the mode, owner and extended attributes of each folder on that way. The change set carries them along, and what is made in
//!   a folder inherits setgid and access lists;
//! - the same of each folder in which it puts a folder's files: it keeps the attributes that the source does not have;
//! - whether a folder stands where a file is to be, or something else where a folder is: then the copy fails;
//! - the numbers of the users that `--chown` names.
//!
//! A file that is in a file's place says nothing: it is replaced, whatever it was. Nothing else is read, and nothing is removed
//! but what is replaced. Archives are unpacked by other rules, so a copy that has one depends on the whole tree. So does one of
//! several files whose way leads through the very folder that they go to (`/w/up -> /w`): the first may put something else there.
//!
//! Because that is everything, the step is done on a [skeleton](Way::write) of the way and not on the tree, which need not be here.

mod lookout;
mod seen;
mod skeleton;
mod text;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use layercake_cache::{ContentKey, KeyHasher};
use serde::{Deserialize, Serialize};

use super::copy::owner;
use crate::build::error::Error;
use crate::build::key::Ingredients;
use crate::build::outline::told;
use crate::build::site::{Site, Word};
use crate::build::tree::Tree;
use crate::overlay::Overlay;
use crate::root::Root;
pub use lookout::Lookout;
use seen::Seen;
use text::Text;

/// What was looked at, and whom a name of an owner means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// By path from the tree's root, in the order of the paths: a folder comes before what is in it.
    seen: Vec<(Text, Seen)>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
}

/// Whether times of folders count. They are part of a layer and of no key; but an image that is to be the same everywhere
/// must not have those of another tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// They do not.
    Ignored,
    /// Those before this one do, in seconds since 1970. Later ones become this one.
    Before(i64),
}

impl Times {
    /// What a build at this `SOURCE_DATE_EPOCH` counts.
    #[must_use]
    pub fn of(epoch: Option<i64>) -> Self {
        epoch.map_or(Self::Ignored, Self::Before)
    }
}

impl Way {
    /// What is seen in `tree`: what was seen before, or else what `look` finds there; `None` if the step depends on more of the
    /// tree. `whole` is the key that the step has with all of the tree.
    ///
    /// # Errors
    /// If the store cannot be read or written, the tree cannot be had, and what `look` fails with.
    pub fn find(
        tree: &Tree,
        whole: &ContentKey,
        site: &Site<'_>,
        look: impl FnOnce(&Root) -> Result<Option<Self>, Error>,
    ) -> Result<Option<Self>, Error> {
        let times = match Times::of(site.epoch) {
            Times::Ignored => String::new(),
            Times::Before(epoch) => epoch.to_string(),
        };
        let mut key = KeyHasher::new("layercake way of a step 2");
        let key = key.field(whole.to_string().as_bytes()).field(times.as_bytes()).finish();
        // Anybody's word will do: what is made is made on the way that it says, and is kept under that.
        if let Some(way) = (Site { word: Word::Anybodys, ..*site }).recall(&key)? {
            return Ok(way);
        }
        let mount = |lowers| -> Result<Root, Error> { Ok(Root::of(&Overlay { lowers, upper: None }.mount()?)?) };
        if let Some(told) = told(tree, site)? {
            let root = mount(told)?;
            if owner::are_in_outlines(&root)? {
                return look(&root);
            }
        }
        let mut root = mount(site.outline(tree)?)?;
        if !tree.is_read() && !owner::are_in_outlines(&root)? {
            root = mount(site.folders(tree)?)?;
        }
        let way = look(&root)?;
        site.remember(&key, &way)?;
        Ok(way)
    }

    /// Lists it.
    pub fn describe(&self, times: Times, ingredients: &mut Ingredients) {
        if let Some((uid, gid)) = self.owner {
            ingredients.add("owner below", format_args!("{uid}:{gid}"));
        }
        for (path, seen) in &self.seen {
            let place = Text::of(Path::new("/").join(path.path()).as_os_str().as_bytes());
            ingredients.add(format!("way {}", place.shown()), seen.words(path.path(), times));
        }
    }
}
