//! What a build leaves behind to be explained by: hashing it gives the keys of its steps.

use std::path::Path;

use layercake_cache::Store;
use layercake_executor::explain::history::{self, History};
use proptest::prelude::{TestCaseError, prop_assert, prop_assert_eq};

/// For every step with a key, of every build that is remembered, the list that is shown hashes to that key.
pub(crate) fn hashes_to_the_keys(store: &Path) -> Result<(), TestCaseError> {
    let store = Store::open(store).unwrap();
    for subject in History::subjects(&store).unwrap() {
        for entry in History::load(&store, &subject).unwrap().builds {
            let build = history::build(&store, &entry).unwrap();
            prop_assert!(build.is_some(), "a build is not remembered as it was");
            for key in build.iter().flat_map(|build| &build.steps).filter_map(|step| step.key.as_ref()) {
                let ingredients = history::ingredients(&store, key).unwrap();
                let hashed = ingredients.map(|ingredients| ingredients.key().to_string());
                prop_assert_eq!(hashed.as_ref(), Some(key), "an explanation is not what a key was made from");
            }
        }
    }
    Ok(())
}
