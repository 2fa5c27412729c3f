//! [`Name`]: what a `RUN --device` asks for.

use super::error::Error;

/// What is asked for: `vendor.example/class`, and which of its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// `vendor.example/class`.
    pub kind: String,
    /// Which of its devices.
    pub which: Which,
}

/// Which devices of a kind are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first.
    First,
    /// All of them (`=*`).
    All,
    /// The one of this name, or else all of the class that their annotations name so.
    Named(String),
}

impl Name {
    /// Reads `vendor.example/class[=NAME]`.
    ///
    /// # Errors
    /// If it is no such name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (kind, name) = text.split_once('=').unwrap_or((text, ""));
        let is_valid = kind.split_once('/').is_some_and(|(vendor, class)| is_word(vendor, ".") && is_word(class, ""));
        if !is_valid {
            return Err(Error::Name(text.to_owned()));
        }
        let which = match name {
            "" => Which::First,
            "*" => Which::All,
            name => Which::Named(name.to_owned()),
        };
        Ok(Self { kind: kind.to_owned(), which })
    }
}

/// A vendor or a class: begins with a letter, ends with a letter or digit, and has `_`, `-` and `besides` between them.
fn is_word(text: &str, besides: &str) -> bool {
    let is_inner = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter) || besides.contains(letter);
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.ends_with(|letter: char| letter.is_ascii_alphanumeric())
        && text.chars().all(is_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn names_have_a_vendor_and_a_class() {
        let name = |text: &str| Name::parse(text).unwrap();
        assert_eq!(name("nvidia.com/gpu").which, Which::First);
        assert_eq!(name("nvidia.com/gpu=*").which, Which::All);
        assert_eq!(name("v-1.a/c_2=0").which, Which::Named("0".to_owned()));
        for text in
            ["", "gpu", "nvidia.com/", "/gpu", "1a/gpu", "nvidia.com/gpu.x", "a/b/c", "nvidia.com./gpu", "/dev/fuse"]
        {
            assert!(Name::parse(text).is_err(), "{text}");
        }
    }
}
