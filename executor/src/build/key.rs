//! [`Ingredients`]: what a step is made from, by name. The one list is what the key is a hash of and what an
//! explanation shows, so the two cannot disagree.

use std::fmt::Display;

use layercake_cache::{ContentKey, KeyHasher};
use serde::{Deserialize, Serialize};

/// The domain of the keys of steps. The number grows when an ingredient changes its meaning.
const DOMAIN: &str = "layercake step 1";

/// What a step is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ingredients(Vec<(String, String)>);

impl Ingredients {
    /// Adds an ingredient. Names may repeat; order counts.
    pub fn add(&mut self, name: impl Into<String>, value: impl Display) -> &mut Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The key of what is made from these.
    #[must_use]
    pub fn key(&self) -> ContentKey {
        let mut hasher = KeyHasher::new(DOMAIN);
        for (name, value) in &self.0 {
            hasher.field(name.as_bytes()).field(value.as_bytes());
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lists_run_together() {
        let key = |pairs: &[(&str, &str)]| {
            let mut ingredients = Ingredients::default();
            for (name, value) in pairs {
                ingredients.add(*name, value);
            }
            ingredients.key()
        };
        assert_eq!(key(&[("a", "b")]), key(&[("a", "b")]));
        assert_ne!(key(&[("a", "bc")]), key(&[("ab", "c")]));
        assert_ne!(key(&[("a", "b"), ("c", "d")]), key(&[("a", "bcd")]));
        assert_ne!(key(&[("a", "b"), ("c", "d")]), key(&[("c", "d"), ("a", "b")]));
    }
}
