//! Patterns over slash-separated paths, matched in one walk over the path whatever the pattern is.
//!
//! `*`, `?` and `[…]` as Go's `filepath.Match` has them; `**`, which crosses slashes, as moby/patternmatcher has it.

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
    /// What every match begins with.
    prefix: String,
    /// What every match ends with.
    suffix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`: one character that is no slash.
    One,
    /// `*`: any that are no slashes.
    Star,
    /// `[…]`: a slash only if it is named.
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// `**` before more: nothing, or anything up to a slash.
    Folders,
    /// `**` where anything at all may stand.
    Anything,
}

/// Whether `**` means more than `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DoubleStar {
    /// It crosses slashes.
    Deep,
    /// It is two stars.
    Plain,
}

/// A pattern that is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

impl Glob {
    /// Compiles a pattern.
    pub(crate) fn parse(text: &str, double_star: DoubleStar) -> Result<Self, BadPattern> {
        let mut tokens = Vec::new();
        let mut characters = text.chars().peekable();
        let mut is_first = true;
        let mut begins_deep = false;
        while let Some(character) = characters.next() {
            match character {
                '*' if double_star == DoubleStar::Deep && characters.peek() == Some(&'*') => {
                    characters.next();
                    let has_slash = characters.next_if_eq(&'/').is_some();
                    begins_deep |= is_first && !has_slash;
                    tokens.push(if characters.peek().is_none() { Token::Anything } else { Token::Folders });
                }
                '*' => tokens.push(Token::Star),
                '?' => tokens.push(Token::One),
                '\\' => tokens.push(Token::Literal(characters.next().ok_or(BadPattern)?)),
                '[' => tokens.push(class(&mut characters)?),
                literal => tokens.push(Token::Literal(literal)),
            }
            is_first = false;
        }
        // `**name`, with nothing else in it, means what ends in `name`; this is how moby/patternmatcher reads it.
        if begins_deep && tokens.len() > 1 && is_plain(&tokens[1..]) {
            tokens[0] = Token::Anything;
        }
        let literal = |token: &Token| if let Token::Literal(character) = token { Some(*character) } else { None };
        let prefix = tokens.iter().map_while(literal).collect();
        let suffix: Vec<char> = tokens.iter().rev().map_while(literal).collect();
        Ok(Self { prefix, suffix: suffix.into_iter().rev().collect(), tokens })
    }

    /// Whether the whole path matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        // Nearly all paths differ from nearly all patterns at one end, and nearly all patterns are one of these.
        let (Some(_), Some(above)) = (path.strip_prefix(&self.prefix), path.strip_suffix(&self.suffix)) else {
            return false;
        };
        match self.tokens.as_slice() {
            [Token::Folders, rest @ ..] if is_plain(rest) => above.is_empty() || above.ends_with('/'),
            [Token::Anything, rest @ ..] if is_plain(rest) => true,
            tokens if is_plain(tokens) => above.is_empty(),
            tokens => self.run(path).is_some_and(|states| states[tokens.len()].at),
        }
    }

    /// Whether anything that begins with this text may match.
    pub(crate) fn may_match_from(&self, prefix: &str) -> bool {
        self.run(prefix).is_some()
    }

    /// The places in the pattern that reading a text may lead to; `None` if there are none.
    fn run(&self, text: &str) -> Option<Vec<State>> {
        // Most paths differ from most patterns in the first character.
        if let (Some(Token::Literal(literal)), Some(first)) = (self.tokens.first(), text.chars().next())
            && *literal != first
        {
            return None;
        }
        let mut states = vec![State::default(); self.tokens.len() + 1];
        let mut next = states.clone();
        self.enter(&mut states, 0);
        for character in text.chars() {
            next.fill(State::default());
            self.step(&states, &mut next, character);
            std::mem::swap(&mut states, &mut next);
            if states.iter().all(|state| !state.at && !state.inside) {
                return None;
            }
        }
        Some(states)
    }

    /// The places that reading one character leads to.
    fn step(&self, states: &[State], next: &mut [State], character: char) {
        for (place, token) in self.tokens.iter().enumerate() {
            let State { at, inside } = states[place];
            match token {
                Token::Literal(literal) if at && *literal == character => self.enter(next, place + 1),
                Token::One if at && character != '/' => self.enter(next, place + 1),
                Token::Star if at && character != '/' => self.enter(next, place),
                Token::Anything if at => self.enter(next, place),
                Token::Class { is_negated, ranges } if at => {
                    let is_named = ranges.iter().any(|(low, high)| (*low..=*high).contains(&character));
                    if is_named != *is_negated {
                        self.enter(next, place + 1);
                    }
                }
                Token::Folders if at || inside => {
                    next[place].inside = true;
                    if character == '/' {
                        self.enter(next, place + 1);
                    }
                }
                _ => {}
            }
        }
    }

    /// Marks a place as reached, and those behind it that may take no character.
    fn enter(&self, states: &mut [State], place: usize) {
        for (place, state) in states.iter_mut().enumerate().skip(place) {
            if std::mem::replace(&mut state.at, true) {
                return;
            }
            if !matches!(self.tokens.get(place), Some(Token::Star | Token::Anything | Token::Folders)) {
                return;
            }
        }
    }
}

/// Whether there is nothing in it that stands for something else.
fn is_plain(tokens: &[Token]) -> bool {
    tokens.iter().all(|token| matches!(token, Token::Literal(_)))
}

/// Whether a place in the pattern is reached: before its token, or in the middle of it.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    at: bool,
    inside: bool,
}

/// What stands between brackets, up to and with the closing one.
fn class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, BadPattern> {
    let is_negated = characters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && characters.next_if_eq(&']').is_some() {
            return Ok(Token::Class { is_negated, ranges });
        }
        let low = class_character(characters)?;
        let high = if characters.next_if_eq(&'-').is_some() { class_character(characters)? } else { low };
        ranges.push((low, high));
    }
}

fn class_character(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, BadPattern> {
    match characters.next() {
        Some('\\') => characters.next().ok_or(BadPattern),
        None | Some('-' | ']') => Err(BadPattern),
        Some(character) => Ok(character),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// What is told from the ends of a path, the walk over it would have said too.
        #[test]
        fn the_quick_ways_agree_with_the_walk(pattern in "(\\*\\*|\\*\\*/|[ab/]|\\*|\\?|\\[a-b\\]){0,5}", path in "[ab/]{0,6}") {
            let glob = Glob::parse(&pattern, DoubleStar::Deep).unwrap();
            let walked = glob.run(&path).is_some_and(|states| states[glob.tokens.len()].at);
            prop_assert_eq!(glob.matches(&path), walked, "`{}` and `{}`", pattern, path);
        }
    }
}
