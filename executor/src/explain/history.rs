//! [`History`]: the builds that are remembered of the same inputs, the last one first.
//!
//! A build is a record under the hash of what it says, the list of them a name that changes. A build that is like the last one
//! changes neither, and nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use layercake_cache::{ContentKey, Error as StoreError, KeyHasher, Store};
use layercake_compiler::plan::StepId;
use serde::{Deserialize, Serialize};

use crate::build::key::Ingredients;

/// The shelf of the store that the lists lie on.
const SHELF: &str = "explain";

/// Builds that are remembered of the same inputs.
const MOST: usize = 16;

/// Which builds are builds of the same: those of the same target of the same Dockerfile with the same context. Arguments,
/// the platform and the Dockerfile's text are no part of it: how they change is what is to be explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The folder's path without links, or the address.
    pub context: String,
    /// The Dockerfile's path without links, or the address.
    pub file: String,
    /// As it was asked for, in lower case; empty where nothing was.
    pub target: String,
    /// Which of several platforms that are built at once; empty where there was one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub platform: String,
}

/// A build, as far as it has to be known to explain it or a later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The steps, as the plan has them.
    pub steps: Vec<Step>,
    /// Every `ARG` of the Dockerfile, and what was given for it or is its default.
    pub arguments: BTreeMap<String, String>,
    /// What the ignore files say, by the context's name; that of the build context is empty.
    pub ignored: BTreeMap<String, Vec<String>>,
}

/// One step of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its place in the plan.
    pub id: StepId,
    /// What it does.
    pub op: Op,
    /// The stage's name or index; empty for inputs.
    pub stage: String,
    /// The line of the Dockerfile, or 0.
    pub line: u32,
    /// The instruction.
    pub name: String,
    /// The steps it works on.
    pub inputs: Vec<StepId>,
    /// Those that its contents come from, in the order of the ingredients.
    pub sources: Vec<StepId>,
    /// The arguments that its instruction names.
    pub uses: BTreeSet<String>,
    /// Whether a lock file says which image, commit or file it is.
    #[serde(default, skip_serializing_if = "Held::is_free")]
    pub held: Held,
    /// Its key; `None` if it has none, or the build did not come to it.
    pub key: Option<String>,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are the operations of a plan")]
pub enum Op {
    Image,
    Scratch,
    Context,
    Inline,
    Http,
    Git,
    Copy,
    Run,
    MakeDir,
    Stack,
}

/// Whether a step is held to what a lock file has of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// It is what its name leads to.
    #[default]
    Free,
    /// It is what the lock file says.
    Locked,
}

impl Held {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
    fn is_free(&self) -> bool {
        *self == Self::Free
    }
}

/// How a step of a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There was nothing to do: an input.
    Given,
    /// The store had its result.
    Hit,
    /// It was done.
    Done,
    /// It was done, for nothing was to be taken from the cache.
    Refused,
    /// It failed.
    Failed,
    /// The build ended before it.
    Unreached,
}

/// A build in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The record that holds it.
    pub build: String,
    /// How its steps ended, in their order.
    pub outcomes: Vec<Outcome>,
    /// How they had ended the time before, if the same was built before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<Outcome>>,
}

/// The builds that are remembered of the same inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The inputs.
    pub subject: Subject,
    /// The last one first.
    pub builds: Vec<Entry>,
}

impl Subject {
    fn name(&self) -> String {
        let mut name = [self.context.as_str(), &self.file, &self.target].join("\0");
        if !self.platform.is_empty() {
            name.extend(["\0", &self.platform]);
        }
        name
    }
}

impl History {
    /// What is remembered of builds of `subject`: nothing at first, or if it cannot be read.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn load(store: &Store, subject: &Subject) -> Result<Self, StoreError> {
        let found = store.named(SHELF, &subject.name())?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(found.unwrap_or_else(|| Self { subject: subject.clone(), builds: Vec::new() }))
    }

    /// Everything that builds are remembered of.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn subjects(store: &Store) -> Result<Vec<Subject>, StoreError> {
        let values = store.shelf(SHELF)?;
        Ok(values
            .iter()
            .filter_map(|bytes| serde_json::from_slice::<Self>(bytes).ok())
            .map(|found| found.subject)
            .collect())
    }

    /// Remembers a build and what its steps were made from. Writes nothing if it is as the last one was, and all was there.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn add<'a>(
        mut self,
        store: &Store,
        build: &Build,
        outcomes: Vec<Outcome>,
        ingredients: impl Iterator<Item = &'a Ingredients>,
    ) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(build).expect("its keys are texts");
        let key = KeyHasher::new("layercake build 1").field(&bytes).finish();
        let name = key.to_string();
        let document = document_key(&name);
        let is_as_before = self.builds.first().is_some_and(|last| last.build == name && last.outcomes == outcomes);
        let is_hit = |outcome: &Outcome| matches!(outcome, Outcome::Hit | Outcome::Given);
        // What was a hit is not looked into.
        let is_still = is_as_before && outcomes.iter().all(is_hit);
        if is_still && store.has_record(&document) {
            return Ok(());
        }
        for ingredients in ingredients {
            let key = ingredients_key(&ingredients.key().to_string());
            if !store.has_record(&key) {
                store.put_record(&key, &serde_json::to_vec(ingredients).expect("texts are always JSON"))?;
            }
        }
        if !store.has_record(&document) {
            store.put_record(&document, &bytes)?;
        }
        if is_still {
            return Ok(());
        }
        let before = self.builds.iter().position(|entry| entry.build == name).map(|place| self.builds.remove(place));
        self.builds.insert(0, Entry { build: name, outcomes, before: before.map(|before| before.outcomes) });
        self.builds.truncate(MOST);
        let value = serde_json::to_vec(&self).expect("texts are always JSON");
        store.put_named(SHELF, &self.subject.name(), &value)
    }
}

/// A build of the list; `None` if its record is gone or damaged.
///
/// # Errors
/// If the store cannot be read.
pub fn build(store: &Store, entry: &Entry) -> Result<Option<Build>, StoreError> {
    let bytes = store.record(&document_key(&entry.build))?;
    let build: Option<Build> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(build.filter(|build| build.steps.len() == entry.outcomes.len()))
}

/// What the step of this key was made from; `None` if that is gone, or has another key.
///
/// # Errors
/// If the store cannot be read.
pub fn ingredients(store: &Store, key: &str) -> Result<Option<Ingredients>, StoreError> {
    let bytes = store.record(&ingredients_key(key))?;
    let found: Option<Ingredients> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(found.filter(|found| found.key().to_string() == key))
}

fn ingredients_key(key: &str) -> ContentKey {
    KeyHasher::new("layercake ingredients of a step 1").field(key.as_bytes()).finish()
}

fn document_key(name: &str) -> ContentKey {
    KeyHasher::new("layercake document of a build 1").field(name.as_bytes()).finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;

    use super::*;

    fn list(pairs: &[(String, String)]) -> Ingredients {
        let mut list = Ingredients::default();
        for (name, value) in pairs {
            list.add(name, value);
        }
        list
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_kept_hashes_to_the_key_or_is_not_believed(
            one in prop::collection::vec((".*", ".*"), 0..8),
            other in prop::collection::vec((".*", ".*"), 0..8),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            let subject = Subject { context: "/c".to_owned(), file: "/c/f".to_owned(), target: String::new(), platform: String::new() };
            let build = Build { steps: Vec::new(), arguments: BTreeMap::new(), ignored: BTreeMap::new() };
            let (one, other) = (list(&one), list(&other));
            let key = one.key().to_string();
            History::load(&store, &subject).unwrap().add(&store, &build, Vec::new(), [&one].into_iter()).unwrap();
            prop_assert_eq!(ingredients(&store, &key).unwrap().unwrap(), one.clone());
            // Another list in its place.
            let bytes = serde_json::to_vec(&other).unwrap();
            store.put_record(&ingredients_key(&key), &bytes).unwrap();
            prop_assert_eq!(ingredients(&store, &key).unwrap(), (one == other).then_some(other));
        }
    }
}
