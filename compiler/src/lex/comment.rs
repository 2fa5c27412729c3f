//! What a comment is, and what the comments above an instruction say about a name.

/// Whether a physical line is a comment: its first character that is not whitespace is `#`.
pub(crate) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The description of a name among the comments above its definition: `# NAME what it is for`.
pub(crate) fn description<'a>(comments: impl IntoIterator<Item = &'a str>, name: &str) -> &'a str {
    if name.is_empty() {
        return "";
    }
    let described = |comment: &'a str| comment.strip_prefix(name)?.strip_prefix(' ');
    comments.into_iter().find_map(described).unwrap_or_default()
}
