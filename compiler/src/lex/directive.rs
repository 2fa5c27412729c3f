//! Parser directives: the `# name=value` comments at the very top of a file.

use crate::ast::{Directive, DirectiveName};
use crate::source::Span;

/// Reads directives line by line until the first line that is none.
#[derive(Debug, Default)]
pub(crate) struct Directives {
    seen: Vec<Directive>,
    over: bool,
}

/// What a line is to the reader of directives.
pub(crate) enum DirectiveLine {
    /// No directive, and no later line can be one.
    Other,
    /// A directive.
    Found,
    /// A directive that has been there before.
    Repeated(DirectiveName, Span),
}

impl Directives {
    /// Looks at the next line: its text, without leading whitespace and line break, and where that begins.
    pub(crate) fn read(&mut self, line: &str, start: usize) -> DirectiveLine {
        if self.over {
            return DirectiveLine::Other;
        }
        match directive(line, "#", start) {
            None => {
                self.over = true;
                DirectiveLine::Other
            }
            Some(found) if self.seen.iter().any(|seen| seen.name == found.name) => {
                DirectiveLine::Repeated(found.name, found.span)
            }
            Some(found) => {
                self.seen.push(found);
                DirectiveLine::Found
            }
        }
    }

    /// The last one that was found.
    pub(crate) fn last(&self) -> Option<&Directive> {
        self.seen.last()
    }

    /// All that were found, in order.
    pub(crate) fn into_found(self) -> Vec<Directive> {
        self.seen
    }
}

/// One directive behind a comment prefix: a name of letters and digits, `=`, and a value that is not empty.
pub(crate) fn directive(line: &str, prefix: &str, start: usize) -> Option<Directive> {
    let body = line.strip_prefix(prefix)?.trim_start();
    let (name, value) = body.split_once('=')?;
    let name = match name.trim_end_matches(BLANK).to_ascii_lowercase().as_str() {
        "syntax" => DirectiveName::Syntax,
        "escape" => DirectiveName::Escape,
        "check" => DirectiveName::Check,
        _ => return None,
    };
    let value = value.trim_matches(BLANK);
    if value.is_empty() {
        return None;
    }
    let span = Span::new(start, start + line.trim_end().len());
    Some(Directive { name, value: value.to_owned(), span })
}

/// What `\s` means to Go's regular expressions.
const BLANK: [char; 5] = [' ', '\t', '\n', '\r', '\x0c'];

/// The syntax that a file asks for: the image's name and the whole value.
///
/// Beside `# syntax=`, `// syntax=` and a JSON object with a `syntax` field count, and a `#!` line may come first: a file
/// in another language names its frontend in its own way of commenting.
pub(crate) fn syntax(text: &str) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    named(text, DirectiveName::Syntax, "#").or_else(|| named(text, DirectiveName::Syntax, "//")).or_else(|| {
        let object = text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
        let object: serde_json::Map<String, serde_json::Value> = object?;
        Some(object.get("syntax")?.as_str()?.to_owned())
    })
}

/// The value of the directive of that name among the comments at the top of a file, below a `#!` line if there is one.
pub(crate) fn named(text: &str, name: DirectiveName, prefix: &str) -> Option<String> {
    let text = if text.starts_with("#!") { text.split_once('\n')?.1 } else { text };
    let mut seen = Vec::new();
    for line in text.lines() {
        let found = directive(line, prefix, 0)?;
        if found.name == name {
            return Some(found.value);
        }
        if seen.contains(&found.name) {
            return None;
        }
        seen.push(found.name);
    }
    None
}
