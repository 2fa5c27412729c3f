//! `.dockerignore`: which paths stay out of the build context.
//!
//! The semantics are moby/patternmatcher's: patterns are anchored at the root, what matches a folder matches all below it,
//! the last pattern that matches decides, and `!` takes back, below an excluded folder too. `COPY --exclude` is the same.

use crate::glob::{DoubleStar, Glob};
use crate::path;

/// A list of patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
    glob: Glob,
    effect: Effect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Exclude,
    Include,
}

/// A pattern that is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// A `!` with nothing behind it.
    #[error("illegal exclusion pattern: \"!\"")]
    LoneExclamation,
    /// A bracket that is not closed, or nothing behind a backslash.
    #[error("`{0}`: syntax error in pattern")]
    Syntax(String),
}

/// The patterns of a `.dockerignore`: lines without comments, blanks, and slashes at their beginning.
#[must_use]
pub fn parse_file(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (mark, pattern) = line.strip_prefix('!').map_or(("", line), |pattern| ("!", pattern.trim()));
            if pattern.is_empty() {
                return mark.to_owned();
            }
            let cleaned = path::clean(pattern);
            let anchored = if cleaned.len() > 1 { cleaned.strip_prefix('/').unwrap_or(&cleaned) } else { &cleaned };
            format!("{mark}{anchored}")
        })
        .collect()
}

impl Ignore {
    /// The patterns of a `.dockerignore`.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        Self::new(parse_file(text))
    }

    /// A list of patterns, such as those of `COPY --exclude`.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, InvalidPattern> {
        let mut list = Self::default();
        for pattern in patterns {
            let pattern = pattern.as_ref().trim();
            if pattern.is_empty() {
                continue;
            }
            let cleaned = path::clean(pattern);
            let (effect, text) = match cleaned.strip_prefix('!') {
                Some("") => return Err(InvalidPattern::LoneExclamation),
                Some(text) => (Effect::Include, text),
                None => (Effect::Exclude, cleaned.as_str()),
            };
            let glob = Glob::parse(text, DoubleStar::Deep).map_err(|_| InvalidPattern::Syntax(text.to_owned()))?;
            list.patterns.push(Pattern { text: text.to_owned(), glob, effect });
        }
        Ok(list)
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether any pattern takes back what others exclude.
    #[must_use]
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.effect == Effect::Include)
    }

    /// The patterns in their order, cleaned; one that takes back begins with `!`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.patterns.iter().map(|pattern| match pattern.effect {
            Effect::Exclude => pattern.text.clone(),
            Effect::Include => format!("!{}", pattern.text),
        })
    }

    /// The patterns that exclude, cleaned.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &str> {
        let excluding = self.patterns.iter().filter(|pattern| pattern.effect == Effect::Exclude);
        excluding.map(|pattern| pattern.text.as_str())
    }

    /// Whether a path, relative to the root, is excluded.
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        // What matches a folder matches what is in it, and the last pattern that matches decides.
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let matches = |pattern: &&Pattern| ends.clone().any(|end| pattern.glob.matches(&path[..end]));
        self.patterns.iter().rev().find(matches).is_some_and(|pattern| pattern.effect == Effect::Exclude)
    }

    /// Where a walk begins.
    #[must_use]
    pub fn root(&self) -> Matches {
        Matches { by_pattern: vec![false; self.patterns.len()], excluded: false }
    }

    /// What the patterns say about a path (from the root), given what they said about its parent.
    #[must_use]
    pub fn below(&self, parent: &Matches, path: &str) -> Matches {
        let mut excluded = false;
        let verdicts = self.patterns.iter().zip(&parent.by_pattern).map(|(pattern, matched_parent)| {
            let matched = *matched_parent || pattern.glob.matches(path);
            if matched {
                excluded = pattern.effect == Effect::Exclude;
            }
            matched
        });
        let by_pattern = verdicts.collect();
        Matches { by_pattern, excluded }
    }

    /// Whether anything below a folder may be included: if not, a walk need not enter it.
    #[must_use]
    pub fn may_include_below(&self, folder: &str, matches: &Matches) -> bool {
        let below = format!("{folder}/");
        !matches.excluded
            || self.patterns.iter().zip(&matches.by_pattern).any(|(pattern, matched)| {
                pattern.effect == Effect::Include && !matched && pattern.glob.may_match_from(&below)
            })
    }
}

/// What the patterns say about one path. A walk keeps it for each folder it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matches {
    by_pattern: Vec<bool>,
    /// Whether the path is excluded.
    pub excluded: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignore(patterns: &[&str]) -> Ignore {
        Ignore::new(patterns).unwrap()
    }

    #[test]
    fn the_last_match_decides_and_parents_count() {
        let list = ignore(&["docs", "!docs/README.md", "docs/*.bak"]);
        assert!(list.excludes("docs/guide.md"));
        assert!(!list.excludes("docs/README.md"));
        assert!(list.excludes("docs/a.bak"));
        assert!(!list.excludes("src/docs"));
    }

    #[test]
    fn a_walk_enters_only_where_something_may_come_back() {
        let list = ignore(&["a", "b", "!b/c/d"]);
        let at = |folder: &str| list.below(&list.root(), folder);
        assert!(!list.may_include_below("a", &at("a")));
        assert!(list.may_include_below("b", &at("b")));
        assert!(list.may_include_below("c", &at("c")));
        let b = at("b");
        assert!(!list.may_include_below("b/x", &list.below(&b, "b/x")));
        assert!(list.may_include_below("b/c", &list.below(&b, "b/c")));
    }

    #[test]
    fn a_file_is_read_line_by_line() {
        assert_eq!(parse_file("\u{feff}# no\n /a/ \n\n! b\n!\n#x\n /"), ["a", "!b", "!", "/"]);
        assert_eq!(Ignore::parse("!"), Err(InvalidPattern::LoneExclamation));
        assert!(Ignore::parse("[a").is_err());
    }
}
