//! Slash-separated paths as texts: the trees they lie in do not exist here.

/// The shortest equal path, as Go's `path.Clean`: without `.`, empty parts, and `..` where something precedes it.
#[must_use]
pub fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}

/// A path below another, cleaned; an absolute one too.
#[must_use]
pub fn join(parent: &str, path: &str) -> String {
    clean(&format!("{parent}/{path}"))
}

/// The last part of a path; `/` and `.` have none but themselves.
#[must_use]
pub fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        trimmed => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_like_go() {
        for (path, cleaned) in [
            ("", "."),
            ("/", "/"),
            ("a//b/./c/..", "a/b"),
            ("/../a", "/a"),
            ("../a", "../a"),
            ("a/../..", ".."),
            ("/a/", "/a"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
        assert_eq!(join("/a", "../b"), "/b");
        assert_eq!(base("/a/b/"), "b");
        assert_eq!(base("/"), "/");
    }
}
