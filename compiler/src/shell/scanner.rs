//! The characters of a word, one at a time.

/// Reads a text character by character and knows where it is.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next character, left where it is.
    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// The next character, taken.
    pub(super) fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Takes the next character if it is this one.
    pub(super) fn take_if(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// Takes characters as long as they are wanted.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Takes characters up to the one that is wanted, and that one; `None` if it does not come.
    pub(super) fn take_until(&mut self, wanted: char) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        let length = rest.find(wanted)?;
        self.at += length + wanted.len_utf8();
        Some(&rest[..length])
    }

    /// Bytes taken so far.
    pub(super) fn offset(&self) -> usize {
        self.at
    }
}
