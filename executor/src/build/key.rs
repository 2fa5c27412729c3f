//! [`Ingredients`]: what a step is made from, by name. The one list is what the key is a hash of and what an
//! explanation shows, so the two cannot disagree.

use std::fmt::Display;

use layercake_cache::{ContentKey, KeyHasher};
use layercake_compiler::address::redact;
use layercake_compiler::lint::is_secret;
use serde::{Deserialize, Serialize};

/// The domain of the keys of steps. The number grows when an ingredient changes its meaning.
const DOMAIN: &str = "layercake step 2";

/// What a step is made from. It is kept in the store, so there is no secret in it: what looks like one is a hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ingredients(Vec<(String, String)>);

impl Ingredients {
    /// Adds an ingredient. Names may repeat; order counts.
    pub fn add(&mut self, name: impl Into<String>, value: impl Display) -> &mut Self {
        let value = value.to_string();
        let shown = redact(&value);
        let value = if shown == value { value } else { format!("{shown} {}", hidden(&value)) };
        self.0.push((name.into(), value));
        self
    }

    /// Adds those of another list.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// Adds a variable and its value. That of one whose name promises a secret is hashed.
    pub fn add_variable(&mut self, name: &str, value: &str) -> &mut Self {
        let value = if is_secret(name) && !value.is_empty() { hidden(value) } else { value.to_owned() };
        self.add(format!("variable {name}"), value)
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

/// What stands for a text that is not to be kept.
#[must_use]
pub fn hidden(value: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("layercake hidden ingredient 1");
    format!("(hidden, {})", &hasher.update(value.as_bytes()).finalize().to_hex()[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_part_of_the_key_and_not_of_the_list() {
        let of = |password: &str| {
            let mut ingredients = Ingredients::default();
            ingredients.add("argument 0", format!("curl https://ann:{password}@example.org"));
            ingredients.add_variable("NPM_TOKEN", password).add_variable("PLAIN", "seen");
            ingredients
        };
        let texts = |list: &Ingredients| list.iter().map(|(_, value)| value.to_owned()).collect::<String>();
        assert_ne!(of("s3cret").key(), of("s3cres").key());
        assert!(!texts(&of("s3cret")).contains("s3cret") && texts(&of("s3cret")).contains("seen"));
    }

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
