//! Addresses as texts: what percent signs mean in them, and how they are shown.

/// A text without percent signs that stand for other bytes; one that makes no sense stays.
#[must_use]
pub fn decode(text: &str) -> Vec<u8> {
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

/// An address as people may see it: without user and password. How these are left out is BuildKit's `urlutil`.
#[must_use]
pub fn redacted(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((user, host)) => {
            let hidden = if user.contains(':') { "xxxxx:xxxxx" } else { "xxxxx" };
            format!("{scheme}://{hidden}@{host}{}", &rest[end..])
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_stand_for_bytes() {
        for (text, bytes) in
            [("a%20b", &b"a b"[..]), ("%41", b"A"), ("%", b"%"), ("%4", b"%4"), ("%zz", b"%zz"), ("%ff", b"\xff")]
        {
            assert_eq!(decode(text), bytes, "{text}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        for (address, shown) in [
            ("https://me:pass@h/x@y", "https://xxxxx:xxxxx@h/x@y"),
            ("https://token@h", "https://xxxxx@h"),
            ("https://h/a@b", "https://h/a@b"),
            ("git@h:a", "git@h:a"),
        ] {
            assert_eq!(redacted(address), shown);
        }
    }
}
