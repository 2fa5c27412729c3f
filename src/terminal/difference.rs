//! Two texts as a difference that people and `patch` can read: the unified form of diff(1).

use std::time::Duration;

use similar::{Algorithm, ChangeTag, TextDiff};

use super::paint::Paint;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// How long the shortest difference is looked for; then a longer one will do.
const PATIENCE: Duration = Duration::from_secs(2);

/// The difference between two texts; empty if there is none.
#[must_use]
pub fn unified(old: (&str, &str), new: (&str, &str), paint: Paint) -> String {
    let ((old_name, old), (new_name, new)) = (old, new);
    let difference = TextDiff::configure().algorithm(Algorithm::Myers).timeout(PATIENCE).diff_lines(old, new);
    let mut unified = difference.unified_diff();
    let hunks = unified.context_radius(CONTEXT).iter_hunks();
    let mut text = String::new();
    for hunk in hunks {
        if text.is_empty() {
            text = format!("{}\n{}\n", paint.red(format!("--- {old_name}")), paint.green(format!("+++ {new_name}")));
        }
        text.push_str(&paint.cyan(hunk.header()));
        text.push('\n');
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            let line = match change.tag() {
                ChangeTag::Delete => paint.red(format!("-{line}")),
                ChangeTag::Insert => paint.green(format!("+{line}")),
                ChangeTag::Equal => format!(" {line}"),
            };
            text.push_str(&line);
            text.push('\n');
            if change.missing_newline() {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(old: &str, new: &str) -> String {
        unified(("old", old), ("new", new), Paint::Plain)
    }

    #[test]
    fn lines_that_changed_stand_among_those_that_did_not() {
        assert_eq!(plain("a\nb\n", "a\nb\n"), "");
        assert_eq!(
            plain("1\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n"),
            "--- old\n+++ new\n@@ -2,4 +2,4 @@\n 2\n 3\n 4\n-5\n+five\n"
        );
        assert_eq!(plain("", "a\n"), "--- old\n+++ new\n@@ -0,0 +1 @@\n+a\n");
        assert_eq!(plain("a", "a\n"), "--- old\n+++ new\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
    }
}
