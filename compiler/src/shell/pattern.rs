//! The patterns of `${x#…}`, `${x%…}` and `${x/…/…}`: `*` and `?`, without bracket expressions, as BuildKit has them.
//!
//! Matching walks the text once and keeps the set of places in the pattern it may be at, so that no pattern takes more
//! than its length times the text's. As with the regular expressions of BuildKit, wildcards do not match a line break.

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    AnyOne,
    Any,
}

/// Which of several matches is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Shortest,
    Longest,
}

/// A backslash before a character that is no wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InvalidEscape(pub(super) Option<char>);

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidEscape> {
        let mut tokens = Vec::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            tokens.push(match character {
                '*' => Token::Any,
                '?' => Token::AnyOne,
                '\\' => match characters.peek() {
                    // These had to be escaped for the expansion's sake; the pattern means them as they are.
                    Some('}' | '/') => continue,
                    Some(&escaped @ ('*' | '?' | '\\')) => {
                        characters.next();
                        Token::Literal(escaped)
                    }
                    other => return Err(InvalidEscape(other.copied())),
                },
                literal => Token::Literal(literal),
            });
        }
        Ok(Self { tokens })
    }

    /// The same pattern, for the reversed text.
    fn reversed(&self) -> Self {
        Self { tokens: self.tokens.iter().rev().copied().collect() }
    }

    /// The text without the prefix that matches.
    pub(super) fn strip_prefix<'a>(&self, text: &'a str, length: Length) -> &'a str {
        let characters: Vec<(usize, char)> = text.char_indices().collect();
        let end = self.prefix(characters.iter().map(|(_, character)| *character), length);
        let skip = end.map_or(0, |count| characters.get(count).map_or(text.len(), |(at, _)| *at));
        &text[skip..]
    }

    /// The text without the suffix that matches.
    pub(super) fn strip_suffix<'a>(&self, text: &'a str, length: Length) -> &'a str {
        let characters: Vec<(usize, char)> = text.char_indices().collect();
        let end = self.reversed().prefix(characters.iter().rev().map(|(_, character)| *character), length);
        let keep = end.map_or(text.len(), |count| {
            let first = characters.len() - count;
            characters.get(first).map_or(text.len(), |(at, _)| *at)
        });
        &text[..keep]
    }

    /// How many characters at the beginning match.
    fn prefix(&self, characters: impl Iterator<Item = char>, length: Length) -> Option<usize> {
        let mut states = vec![None; self.tokens.len() + 1];
        self.enter(&mut states, 0, 0);
        let mut best = states[self.tokens.len()].map(|_| 0);
        for (count, character) in characters.enumerate() {
            if best.is_some() && length == Length::Shortest {
                break;
            }
            states = self.step(&states, character);
            if states.iter().all(Option::is_none) {
                break;
            }
            best = states[self.tokens.len()].map(|_| count + 1).or(best);
        }
        best
    }

    /// The leftmost match, the longest of those: from and to, in characters.
    fn find(&self, characters: &[char], from: usize) -> Option<(usize, usize)> {
        let accept = self.tokens.len();
        let mut states = vec![None; accept + 1];
        let mut best: Option<(usize, usize)> = None;
        for at in from..=characters.len() {
            if best.is_none() {
                self.enter(&mut states, 0, at);
            }
            if let Some(start) = states[accept] {
                best = match best {
                    Some((known, _)) if known < start => best,
                    _ => Some((start, at)),
                };
            }
            let Some(character) = characters.get(at) else { break };
            if let Some((start, _)) = best {
                for state in &mut states {
                    *state = state.filter(|begun| *begun <= start);
                }
            }
            states = self.step(&states, *character);
            if best.is_some() && states.iter().all(Option::is_none) {
                break;
            }
        }
        best
    }

    /// The text with the first match, or all, replaced. In the replacement `$0` is the match and `$$` a dollar sign, as in
    /// Go's templates, if all are replaced. `None` if it grows by more than `limit` bytes.
    pub(super) fn replace(&self, text: &str, replacement: &str, how_many: HowMany, limit: usize) -> Option<String> {
        let characters: Vec<char> = text.chars().collect();
        let mut out = String::new();
        let mut at = 0;
        let mut previous_end = None;
        while let Some((start, end)) = self.find(&characters, at) {
            out.extend(&characters[at..start]);
            if out.len() > text.len() + limit {
                return None;
            }
            let is_empty_after_match = start == end && previous_end == Some(start);
            if !is_empty_after_match {
                match how_many {
                    HowMany::First => out.push_str(replacement),
                    HowMany::All => out.push_str(&template(replacement, &characters[start..end])),
                }
            }
            previous_end = Some(end);
            at = end;
            if start == end {
                out.extend(characters.get(end));
                at += 1;
            }
            if how_many == HowMany::First || at > characters.len() {
                break;
            }
        }
        out.extend(characters.get(at..).unwrap_or_default());
        (out.len() <= text.len() + limit).then_some(out)
    }

    /// All places that are reached by reading one character.
    fn step(&self, states: &[Option<usize>], character: char) -> Vec<Option<usize>> {
        let mut next = vec![None; states.len()];
        for (place, token) in self.tokens.iter().enumerate() {
            let Some(start) = states[place] else { continue };
            match token {
                Token::Literal(literal) if *literal == character => self.enter(&mut next, place + 1, start),
                Token::AnyOne if character != '\n' => self.enter(&mut next, place + 1, start),
                Token::Any if character != '\n' => self.enter(&mut next, place, start),
                _ => {}
            }
        }
        next
    }

    /// Marks a place as reached, and those behind it that take no character. The earliest start wins.
    fn enter(&self, states: &mut [Option<usize>], place: usize, start: usize) {
        for (place, state) in states.iter_mut().enumerate().skip(place) {
            if state.is_some_and(|known| known <= start) {
                return;
            }
            *state = Some(start);
            if self.tokens.get(place) != Some(&Token::Any) {
                return;
            }
        }
    }
}

/// Which matches are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HowMany {
    First,
    All,
}

/// Fills Go's template for a match without groups: every group but the whole is empty.
fn template(replacement: &str, matched: &[char]) -> String {
    let mut out = String::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let is_name = |character: char| character == '_' || character.is_alphanumeric();
        let (name, after_name) = match after.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some((name, after_name)) if name.chars().all(is_name) => (name, after_name),
            _ => after.split_at(after.find(|character| !is_name(character)).unwrap_or(after.len())),
        };
        match name {
            "" => out.push('$'),
            "0" => out.extend(matched),
            _ => {}
        }
        rest = if name.is_empty() { after } else { after_name };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn prefixes_and_suffixes() {
        use Length::{Longest, Shortest};
        assert_eq!(pattern("*.").strip_prefix("archive.tar.gz", Shortest), "tar.gz");
        assert_eq!(pattern("*.").strip_prefix("archive.tar.gz", Longest), "gz");
        assert_eq!(pattern(".*").strip_suffix("archive.tar.gz", Shortest), "archive.tar");
        assert_eq!(pattern(".*").strip_suffix("archive.tar.gz", Longest), "archive");
        assert_eq!(pattern("*").strip_prefix("a\nb", Longest), "\nb");
        assert_eq!(pattern("").strip_suffix("ab", Longest), "ab");
    }

    fn replace(text: &str, wildcards: &str, replacement: &str, how_many: HowMany) -> String {
        pattern(wildcards).replace(text, replacement, how_many, 1 << 20).unwrap()
    }

    #[test]
    fn replacements() {
        use HowMany::{All, First};
        assert_eq!(replace("banana", "a", "-", All), "b-n-n-");
        assert_eq!(replace("banana", "a", "-", First), "b-nana");
        assert_eq!(replace("banana!", "a*a", "-", All), "b-!");
        assert_eq!(replace("ab", "", "-", All), "-a-b-");
        assert_eq!(replace("ab", "*", "x", All), "x");
        assert_eq!(replace("ab", "b", "[$0$$$1]", All), "a[b$]");
        assert_eq!(pattern("a").replace("aaa", "0123456789", All, 20), None);
    }

    #[test]
    fn many_stars_take_no_more_than_length_times_length() {
        let text = "a".repeat(20_000);
        let stars = "*a".repeat(40) + "b";
        assert_eq!(replace(&text, &stars, "", HowMany::All), text);
    }
}
