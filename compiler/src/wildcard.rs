//! The patterns of `COPY` and `ADD` sources, which Go calls `filepath.Match`.

use crate::glob::{BadPattern, DoubleStar, Glob};

/// A pattern in which `*` and `?` stop at slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    glob: Glob,
}

impl Wildcard {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// If a bracket is not closed, or nothing stands behind a backslash.
    pub fn parse(pattern: &str) -> Result<Self, BadPattern> {
        Ok(Self { glob: Glob::parse(pattern, DoubleStar::Plain)? })
    }

    /// Whether the whole path matches. Of a path with several parts, each is matched by a part of the pattern.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.glob.matches(path)
    }

    /// Whether a path below this folder may match.
    #[must_use]
    pub fn may_match_below(&self, folder: &str) -> bool {
        folder.is_empty() || self.glob.may_match_from(&format!("{folder}/"))
    }
}

/// A pattern that matches this text and no other.
#[must_use]
pub fn literal(text: &str) -> String {
    if !has_wildcards(text) {
        return text.to_owned();
    }
    // A text with a backslash is only read as a pattern if it has a wildcard, and that one has to stay one.
    text.chars().fold(String::with_capacity(text.len()), |mut pattern, letter| {
        match letter {
            '*' | '?' | '[' => pattern.extend(['[', letter, ']']),
            '\\' => pattern.push_str(r"\\"),
            letter => pattern.push(letter),
        }
        pattern
    })
}

/// Whether a text has wildcards in it that are not escaped.
#[must_use]
pub fn has_wildcards(text: &str) -> bool {
    let mut is_escaped = false;
    text.bytes().any(|byte| match byte {
        _ if is_escaped => {
            is_escaped = false;
            false
        }
        b'\\' => {
            is_escaped = true;
            false
        }
        byte => matches!(byte, b'*' | b'?' | b'['),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stop_at_slashes() {
        let matches = |pattern: &str, path: &str| Wildcard::parse(pattern).unwrap().matches(path);
        assert!(matches("*.go", "main.go"));
        assert!(!matches("*.go", "cmd/main.go"));
        assert!(matches("a?[b-d]", "axc"));
        assert!(matches("a[^b]", "ac"));
        assert!(matches(r"a\*", "a*") && !matches(r"a\*", "ab"));
        assert!(Wildcard::parse("[a").is_err() && Wildcard::parse("a\\").is_err() && Wildcard::parse("[]").is_err());
        assert!(Wildcard::parse("src/*/x").unwrap().may_match_below("src/a"));
        assert!(!Wildcard::parse("src/*/x").unwrap().may_match_below("lib"));
    }

    #[test]
    fn a_literal_matches_itself_only() {
        for text in ["a", "a*", "[x]", "a?b", r"a\*[", "a]", r"\x", "^"] {
            let pattern = literal(text);
            assert!(pattern == text || Wildcard::parse(&pattern).unwrap().matches(text), "{text} {pattern}");
            assert!(pattern == text || has_wildcards(&pattern), "{pattern} is read as a pattern");
        }
        assert!(!Wildcard::parse(&literal("a*")).unwrap().matches("ab"));
        assert!(!Wildcard::parse(&literal("[x]")).unwrap().matches("x"));
    }

    #[test]
    fn escaped_wildcards_are_none() {
        assert!(has_wildcards("a*") && has_wildcards("[x]") && !has_wildcards(r"a\*"));
    }
}
