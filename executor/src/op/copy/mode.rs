//! What `--chmod` says: an octal mode, or changes in the words of `chmod(1)`.
//!
//! Source: POSIX `chmod`, "symbolic mode", with an empty umask.

/// What `--chmod` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModeChange {
    /// The mode itself, set-id and sticky bits included.
    Absolute(u32),
    /// Changes to the mode a file has, in order.
    Symbolic(Vec<Clause>),
}

/// One `u+x`: for whom, how, what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The bits of those it is for.
    who: u32,
    action: Action,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Add,
    Remove,
    Set,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// Letters of `rwxXst`.
    Letters(String),
    /// What the owner, the group or the others have: the shift of their bits.
    Copy(u32),
}

/// A text that is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mode: expected an octal number up to 07777, or changes such as `u+x,go-w`")]
pub struct InvalidMode(pub String);

const USER: u32 = 0o4700;
const GROUP: u32 = 0o2070;
const OTHER: u32 = 0o0007;
const STICKY: u32 = 0o1000;

impl ModeChange {
    /// Reads what stands after `--chmod=`.
    ///
    /// # Errors
    /// If it is neither a number nor a list of changes.
    pub fn parse(text: &str) -> Result<Self, InvalidMode> {
        let invalid = || InvalidMode(text.to_owned());
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match u32::from_str_radix(text, 8) {
                Ok(mode) if mode <= 0o7777 => Ok(Self::Absolute(mode)),
                _ => Err(invalid()),
            };
        }
        let mut clauses = Vec::new();
        for clause in text.split(',') {
            parse_clause(clause, &mut clauses).ok_or_else(invalid)?;
        }
        Ok(Self::Symbolic(clauses))
    }

    /// The mode that a file or folder of mode `mode` gets.
    #[must_use]
    pub fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        match self {
            Self::Absolute(mode) => *mode,
            Self::Symbolic(clauses) => clauses.iter().fold(mode & 0o7777, |mode, clause| clause.apply(mode, is_folder)),
        }
    }
}

fn parse_clause(text: &str, clauses: &mut Vec<Clause>) -> Option<()> {
    let start = text.find(['+', '-', '='])?;
    let who = text[..start].chars().try_fold(0, |who, letter| match letter {
        'u' => Some(who | USER),
        'g' => Some(who | GROUP),
        'o' => Some(who | OTHER),
        'a' => Some(who | USER | GROUP | OTHER | STICKY),
        _ => None,
    })?;
    let who = if start == 0 { USER | GROUP | OTHER | STICKY } else { who };
    let mut rest = &text[start..];
    while let Some(letter) = rest.chars().next() {
        let action = match letter {
            '+' => Action::Add,
            '-' => Action::Remove,
            '=' => Action::Set,
            _ => return None,
        };
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |end| end + 1);
        let what = match &rest[1..end] {
            "u" => What::Copy(6),
            "g" => What::Copy(3),
            "o" => What::Copy(0),
            letters if letters.chars().all(|letter| "rwxXst".contains(letter)) => What::Letters(letters.to_owned()),
            _ => return None,
        };
        clauses.push(Clause { who, action, what });
        rest = &rest[end..];
    }
    Some(())
}

impl Clause {
    fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        let executable = is_folder || mode & 0o111 != 0;
        let bits = match &self.what {
            What::Copy(shift) => (mode >> shift & 7) * 0o111,
            What::Letters(letters) => letters.chars().fold(0, |bits, letter| {
                bits | match letter {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' => 0o111,
                    'X' if executable => 0o111,
                    's' => 0o6000,
                    't' => STICKY,
                    _ => 0,
                }
            }),
        } & (self.who | if self.sticky_for_all() { STICKY } else { 0 });
        match self.action {
            Action::Add => mode | bits,
            Action::Remove => mode & !bits,
            Action::Set => mode & !self.who & 0o7777 | bits,
        }
    }

    /// `o+t` means the sticky bit too; `u+t` does not.
    fn sticky_for_all(&self) -> bool {
        self.who & OTHER != 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    /// What GNU `chmod` makes of the same modes.
    #[test]
    fn symbolic_modes_are_those_of_chmod() {
        let cases = [
            ("u+x", 0o644, false, 0o744),
            ("+x", 0o644, false, 0o755),
            ("go-r", 0o644, false, 0o600),
            ("a=r", 0o755, false, 0o444),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o600, true, 0o755),
            ("u+s,g+s,+t", 0o755, false, 0o7755),
            ("g=u", 0o640, false, 0o660),
            ("o=", 0o777, false, 0o770),
            ("u+r-w", 0o300, false, 0o500),
            ("u-s", 0o4755, false, 0o755),
        ];
        for (text, before, is_folder, after) in cases {
            let found = ModeChange::parse(text).unwrap().apply(before, is_folder);
            assert_eq!(found, after, "{text} on {before:o}: {found:o}, expected {after:o}");
        }
    }

    #[test]
    fn octal_modes_replace() {
        assert_eq!(ModeChange::parse("4755").unwrap().apply(0o600, false), 0o4755);
        assert_eq!(ModeChange::parse("0").unwrap().apply(0o600, true), 0);
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for text in ["10000", "8", "999", "u", "x+u", "u+q", "u+x,", ",", "rwx", ""] {
            assert!(ModeChange::parse(text).is_err(), "{text}");
        }
    }
}
