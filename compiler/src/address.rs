//! Credentials in addresses (`https://user:password@host/…`): where they stand in a text, and what to show instead.
//!
//! They are taken out of an address before it is kept, hashed or printed, so that no plan, key, history or message has them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// What stands for a user or a password where an address is shown, as in BuildKit.
const MASK: &str = "xxxxx";

/// `user[:password]` of an address. It is never serialized, and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// Percent signs resolved.
    pub user: String,
    /// Percent signs resolved; empty if there is none.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// An address without its credentials, and those. The user of an address without a password is kept unless the scheme is
/// that of HTTP: for SSH it says whom to log in as, for HTTP it is often a token.
#[must_use]
pub fn take_credentials(address: &str) -> (Cow<'_, str>, Option<Credentials>) {
    let colon = address.find("://").unwrap_or(address.len());
    let Some(part) = secrets(address).find(|secret| secret.start == colon + 3) else {
        return (Cow::Borrowed(address), None);
    };
    let text = &address[part.clone()];
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let credentials = Credentials { user: decode(user), password: decode(password) };
    let kept = if is_http(&address[..colon]) { String::new() } else { format!("{user}@") };
    let rest = format!("{}{kept}{}", &address[..part.start], &address[part.end + 1..]);
    (Cow::Owned(rest), Some(credentials))
}

/// A text with `xxxxx` for the user and the password of every address in it.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    replace(text, |_| MASK.to_owned())
}

/// A text with as many `x` for the user and the password of every address in it as they have bytes: every other byte stays
/// where it is.
#[must_use]
pub fn redact_in_place(text: &str) -> Cow<'_, str> {
    replace(text, |secret| "x".repeat(secret.len()))
}

fn replace(text: &str, mask: impl Fn(&str) -> String) -> Cow<'_, str> {
    let mut redacted = String::new();
    let mut end = 0;
    for secret in secrets(text) {
        redacted.push_str(&text[end..secret.start]);
        let parts = text[secret.clone()].split(':').map(|part| match part {
            // A variable says nothing of its value.
            "" => String::new(),
            part if part.starts_with('$') => part.to_owned(),
            part => mask(part),
        });
        redacted.push_str(&parts.collect::<Vec<_>>().join(":"));
        end = secret.end;
    }
    if end == 0 {
        return Cow::Borrowed(text);
    }
    redacted.push_str(&text[end..]);
    Cow::Owned(redacted)
}

/// Where `user:password` of addresses stands in a text: in front of an `@`, which is no part of it.
fn secrets(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices("://").filter_map(|(colon, separator)| {
        let start = colon + separator.len();
        let ends = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'' | '\\') || c.is_whitespace();
        let authority = text[start..].split(ends).next().unwrap_or_default();
        let length = authority.rfind('@')?;
        let user = &authority[..length];
        let is_secret = !user.is_empty() && (user.contains(':') || is_http(&text[..colon]));
        is_secret.then_some(start..start + length)
    })
}

/// Whether the scheme that this text ends in is that of HTTP.
fn is_http(text: &str) -> bool {
    let scheme = text.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// A text without percent signs that stand for other characters; one that would be no text then stays.
pub(crate) fn decode(text: &str) -> String {
    String::from_utf8(decode_bytes(text)).unwrap_or_else(|_| text.to_owned())
}

/// A text without percent signs that stand for other bytes; one that makes no sense stays.
#[must_use]
pub fn decode_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked() {
        for (text, shown) in [
            ("ADD https://ann:secret@host/a.git /", "ADD https://xxxxx:xxxxx@host/a.git /"),
            ("https://token@host", "https://xxxxx@host"),
            ("https://:secret@host", "https://:xxxxx@host"),
            ("https://a:b@c@host/x@y", "https://xxxxx:xxxxx@host/x@y"),
            ("ssh://git@host/a", "ssh://git@host/a"),
            ("ssh://git:pw@host/a", "ssh://xxxxx:xxxxx@host/a"),
            ("HTTPS://t@h http://u:p@h", "HTTPS://xxxxx@h http://xxxxx:xxxxx@h"),
            ("https://${TOKEN}@host $X:y@z", "https://${TOKEN}@host $X:y@z"),
            ("https://user:$PASS@host", "https://xxxxx:$PASS@host"),
            ("git@host:a.git", "git@host:a.git"),
            ("https://host/a@b", "https://host/a@b"),
            ("no address", "no address"),
        ] {
            assert_eq!(redact(text), shown);
        }
        assert_eq!(redact_in_place("https://ann:p@host"), "https://xxx:x@host");
    }

    #[test]
    fn credentials_are_taken_out() {
        let taken = |address| {
            let (rest, credentials) = take_credentials(address);
            (rest.into_owned(), credentials.map(|found| (found.user, found.password)))
        };
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(taken("https://a%40b:p%3Aq@host/x.git"), ("https://host/x.git".to_owned(), pair("a@b", "p:q")));
        assert_eq!(taken("https://token@host/x.git"), ("https://host/x.git".to_owned(), pair("token", "")));
        assert_eq!(taken("ssh://git:pw@host/x"), ("ssh://git@host/x".to_owned(), pair("git", "pw")));
        assert_eq!(taken("ssh://git@host/x"), ("ssh://git@host/x".to_owned(), None));
        assert_eq!(taken("git@host:x"), ("git@host:x".to_owned(), None));
        assert!(!format!("{:?}", take_credentials("https://a:b@c").1).contains('b'));
    }

    #[test]
    fn percent_signs_stand_for_bytes() {
        for (text, bytes) in
            [("a%20b", &b"a b"[..]), ("%41", b"A"), ("%", b"%"), ("%4", b"%4"), ("%zz", b"%zz"), ("%ff", b"\xff")]
        {
            assert_eq!(decode_bytes(text), bytes, "{text}");
        }
    }
}
