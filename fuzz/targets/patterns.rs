//! Patterns: lines of a `.dockerignore` above a line of `\u{1e}`, paths below it. Skipping a folder never loses a path.

#![no_main]

use layercake_compiler::ignore::Ignore;
use layercake_compiler::path;
use layercake_compiler::wildcard::{Wildcard, has_wildcards};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (patterns, paths) = text.split_once('\u{1e}').unwrap_or((&text, "a/b/c.txt\n.git/config\nsrc/main.rs"));
    // What a walk of a folder finds: clean, relative, and not the root itself.
    let paths: Vec<String> = paths.lines().map(|line| path::clean(&format!("/{line}"))[1..].to_owned()).collect();
    let paths = || paths.iter().filter(|path| !path.is_empty());
    if let Ok(ignore) = Ignore::parse(patterns) {
        paths().for_each(|path| ignored(&ignore, path));
    }
    for line in patterns.lines() {
        let Ok(wildcard) = Wildcard::parse(line) else { continue };
        if !has_wildcards(line) && !line.contains('\\') {
            assert!(wildcard.matches(line), "a path matches itself");
        }
        paths().for_each(|path| matched(&wildcard, path));
    }
});

/// The folders above a path, and the path.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain([path])
}

fn ignored(ignore: &Ignore, path: &str) {
    let mut matches = ignore.root();
    for step in steps(path) {
        let is_lost = step != path && {
            matches = ignore.below(&matches, step);
            !ignore.may_include_below(step, &matches)
        };
        assert!(!is_lost || ignore.excludes(path), "`{path}` is wanted, but `{step}` would not be entered");
    }
    assert_eq!(ignore.below(&matches, path).excluded, ignore.excludes(path), "`{path}` step by step and at once");
}

fn matched(wildcard: &Wildcard, path: &str) {
    if wildcard.matches(path) {
        for step in steps(path).filter(|step| *step != path) {
            assert!(wildcard.may_match_below(step), "`{path}` matches, but `{step}` would not be entered");
        }
    }
}
