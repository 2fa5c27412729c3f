//! What happens during a build, told as it happens; how it looks is the listener's business.

use std::time::Duration;

use layercake_compiler::plan::StepId;

use super::key::Ingredients;
use super::site::Reuse;

/// Who is told. It is called from several threads.
pub type Listener<'a> = &'a (dyn Fn(Event<'_>) + Sync);

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It is known what a step is made from: next it is looked up.
    Described {
        /// Which.
        step: StepId,
        /// All of what it is made from.
        ingredients: &'a Ingredients,
        /// Whether its result may come from the cache.
        reuse: Reuse,
    },
    /// A step is being done: it is not in the cache.
    Started {
        /// Which.
        step: StepId,
    },
    /// A command wrote something, on either stream.
    Output {
        /// The step that it belongs to.
        step: StepId,
        /// What it wrote, as it came.
        bytes: &'a [u8],
    },
    /// A step's result is known.
    Finished {
        /// Which.
        step: StepId,
        /// How.
        how: Finish,
    },
    /// Something is on its way: a layer being fetched, unpacked, packed or sent.
    Transfer {
        /// What is done with it, as a verb: `pull`, `unpack`.
        action: &'static str,
        /// What it is: a digest or a name.
        what: &'a str,
        /// Its size in bytes, if known.
        size: Option<u64>,
    },
    /// Something that the user should know, and that is no error.
    Note {
        /// In plain words.
        text: &'a str,
    },
}

/// How a step came to its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The cache had it.
    Cached,
    /// It was done, in this time.
    Done(Duration),
    /// It failed, after this time.
    Failed(Duration),
}
