//! Sources of `ADD` that are fetched: addresses of files, and git repositories.
//!
//! Which texts mean a git repository, and what their fragments and queries say, is BuildKit's `dfgitutil`.

use crate::address::{decode, redact, take_credentials};
use crate::go;
use crate::operation::{Git, Http, Mtime};
use crate::path;

/// What a source means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    /// A file that is fetched.
    Http(Http),
    /// A git repository; `keep_git_dir` is what its address says, if it says something.
    Git(Git, Option<bool>),
}

/// Reads a source; `None` if it is a path.
///
/// # Errors
/// If it is the address of a repository with a query that makes no sense.
pub(super) fn parse(source: &str) -> Result<Option<Remote>, String> {
    if let Some(parts) = git_address(source) {
        return git(&parts).map(|(git, keep)| Some(Remote::Git(git, keep)));
    }
    if !source.starts_with("http://") && !source.starts_with("https://") {
        return Ok(None);
    }
    if let Some(port) = invalid_port(source) {
        return Err(format!("parse {}: invalid port {} after host", go::quote(&redact(source)), go::quote(port)));
    }
    let filename = address(source).map_or(String::new(), |parts| decode(parts.path));
    let filename = match path::base(&filename) {
        "." | "/" => "__unnamed__".to_owned(),
        name if name == ".." || name.contains('\0') => {
            let (source, name) = (go::quote(source), go::quote(name));
            return Err(format!("cannot determine filename from URL {source}: {name} is no name of a file"));
        }
        name => name.to_owned(),
    };
    Ok(Some(Remote::Http(Http { url: source.to_owned(), filename, checksum: None })))
}

/// Reads the text that names a build context; `None` if it does not name a git repository. Beside what `ADD` takes, a
/// context may be `github.com/…`, which cannot be told from a path.
///
/// # Errors
/// If it is the address of a repository with a query that makes no sense.
pub fn git_context(text: &str) -> Result<Option<Git>, String> {
    let with_scheme = text.starts_with("github.com/").then(|| format!("https://{text}"));
    let parts = match &with_scheme {
        Some(address) => self::address(address),
        None => git_address(text),
    };
    let Some(parts) = parts else { return Ok(None) };
    let (mut git, keep) = git(&parts)?;
    git.keep_git_dir = keep.unwrap_or(false);
    Ok(Some(git))
}

/// Checks a digest, `algorithm:hex`. The texts are those of go-digest.
pub(super) fn check_digest(text: &str) -> Result<(), &'static str> {
    let (algorithm, hex) = text
        .split_once(':')
        .filter(|(algorithm, hex)| !algorithm.is_empty() && !hex.is_empty())
        .ok_or("invalid checksum digest format")?;
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err("unsupported digest algorithm"),
    };
    if hex.len() != length {
        return Err("invalid checksum digest length");
    }
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_hex { Ok(()) } else { Err("invalid checksum digest format") }
}

/// The parts of an address.
#[derive(Clone, Copy, Debug)]
struct Address<'a> {
    /// Everything before query and fragment.
    remote: &'a str,
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

fn address(text: &str) -> Option<Address<'_>> {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (remote, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (_, host_and_path) = remote.split_once("://")?;
    let path = host_and_path.find('/').map_or("", |at| &host_and_path[at..]);
    Some(Address { remote, path, query, fragment })
}

/// The port of an address, with its colon, if it is no number.
fn invalid_port(source: &str) -> Option<&str> {
    let (_, rest) = source.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let host = host.rsplit('@').next()?;
    let port = &host[host.rfind(':')?..];
    let is_number = port[1..].bytes().all(|byte| byte.is_ascii_digit());
    (!is_number && !port.contains(']')).then_some(port)
}

/// The address of a git repository: `git://`, `ssh://`, `http(s)://….git`, or `user@host:path`.
fn git_address(source: &str) -> Option<Address<'_>> {
    let Some((scheme, _)) = source.split_once("://") else { return scp_address(source) };
    let parts = address(source)?;
    let is_git = match scheme.to_ascii_lowercase().as_str() {
        "git" | "ssh" => true,
        "http" | "https" => parts.path.ends_with(".git"),
        _ => false,
    };
    is_git.then_some(parts)
}

fn scp_address(source: &str) -> Option<Address<'_>> {
    let (user, rest) = source.split_once('@')?;
    let (host, _) = rest.split_once(':')?;
    let is_name = |text: &str, extra: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
    };
    if !is_name(user, b"-_") || !is_name(host, b"-.") {
        return None;
    }
    let (rest, fragment) = source.split_once('#').unwrap_or((source, ""));
    let (remote, query) = rest.split_once('?').unwrap_or((rest, ""));
    Some(Address { remote, path: "", query, fragment })
}

fn git(parts: &Address<'_>) -> Result<(Git, Option<bool>), String> {
    let (reference, subdir) = parts.fragment.split_once(':').unwrap_or((parts.fragment, ""));
    let subdir = path::clean(&format!("/{subdir}"));
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (remote, credentials) = take_credentials(parts.remote);
    let mut git = Git {
        remote: remote.into_owned(),
        credentials,
        reference: some(&decode(reference)),
        subdir: some(&decode(subdir.trim_start_matches('/'))),
        checksum: None,
        keep_git_dir: false,
        submodules: true,
        mtime: Mtime::default(),
        fetch_by_commit: false,
        paths: Vec::new(),
    };
    let mut keep = None;
    let (mut tag, mut branch) = (None, None);
    let mut seen = Vec::new();
    for pair in parts.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(&value.replace('+', " "));
        if seen.contains(&name) {
            return Err(format!("query {} has multiple values", go::quote(name)));
        }
        seen.push(name);
        let truth = || {
            let invalid = || format!("invalid {name} value: {}", go::quote(&value));
            if value.is_empty() { Ok(true) } else { go::parse_bool(&value).ok_or_else(invalid) }
        };
        match name {
            "submodules" => git.submodules = truth()?,
            "keep-git-dir" => keep = Some(truth()?),
            "fetch-by-commit" => git.fetch_by_commit = truth()?,
            "ref" | "tag" | "branch" | "subdir" | "checksum" | "commit" | "mtime" if value.is_empty() => {
                return Err(format!("query {} has no value", go::quote(name)));
            }
            "ref" => set(&mut git.reference, value, "ref")?,
            "subdir" => set(&mut git.subdir, value, "subdir")?,
            "tag" => tag = Some(with_prefix("refs/tags/", &value)),
            "branch" => branch = Some(with_prefix("refs/heads/", &value)),
            "checksum" | "commit" => git.checksum = Some(value),
            "mtime" if value == "checkout" => git.mtime = Mtime::Checkout,
            "mtime" if value == "commit" => git.mtime = Mtime::Commit,
            "mtime" => {
                let value = go::quote(&value);
                return Err(format!("invalid mtime value: {value} (must be \"checkout\" or \"commit\")"));
            }
            _ => return Err(format!("unexpected query {}", go::quote(name))),
        }
    }
    if tag.is_some() && branch.is_some() {
        return Err("branch conflicts with tag".to_owned());
    }
    if let Some(reference) = tag.or(branch) {
        set(&mut git.reference, reference, "ref")?;
    }
    Ok((git, keep))
}

/// Sets what may be said twice, but not differently.
fn set(field: &mut Option<String>, value: String, name: &str) -> Result<(), String> {
    match field {
        Some(known) if *known != value => {
            Err(format!("{name} conflicts: {} vs {}", go::quote(known), go::quote(&value)))
        }
        _ => {
            *field = Some(value);
            Ok(())
        }
    }
}

fn with_prefix(prefix: &str, name: &str) -> String {
    if name.starts_with(prefix) { name.to_owned() } else { format!("{prefix}{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git_of(source: &str) -> Git {
        match parse(source) {
            Ok(Some(Remote::Git(git, _))) => git,
            other => panic!("{source}: {other:?}"),
        }
    }

    #[test]
    fn contexts_may_leave_out_the_scheme() {
        let remote = |text| git_context(text).map(|git| git.map(|git| (git.remote, git.reference, git.subdir)));
        let found = |remote: &str, reference: Option<&str>, subdir: Option<&str>| {
            Ok(Some((remote.to_owned(), reference.map(str::to_owned), subdir.map(str::to_owned))))
        };
        assert_eq!(remote("github.com/a/b"), found("https://github.com/a/b", None, None));
        assert_eq!(remote("github.com/a/b#v1:c/d"), found("https://github.com/a/b", Some("v1"), Some("c/d")));
        assert_eq!(remote("git://h/a?ref=x"), found("git://h/a", Some("x"), None));
        assert_eq!(remote("git@h:a#:d"), found("git@h:a", None, Some("d")));
        for other in [".", "./github.com/a", "https://h/a.tar.gz", "gitlab.com/a/b", "file:///a.git"] {
            assert_eq!(remote(other), Ok(None), "{other}");
        }
        assert!(remote("https://h/a.git?what=x").is_err());
    }

    #[test]
    fn credentials_are_kept_apart() {
        let git = git_of("https://ann:secret@h/a.git#v1");
        assert_eq!(git.remote, "https://h/a.git");
        assert_eq!(git.credentials.map(|found| found.password).as_deref(), Some("secret"));
    }

    #[test]
    fn repositories_are_told_from_files_and_paths() {
        assert_eq!(git_of("https://github.com/a/b.git#v1:docs").reference.as_deref(), Some("v1"));
        assert_eq!(git_of("https://github.com/a/b.git#v1:docs").subdir.as_deref(), Some("docs"));
        assert_eq!(git_of("git@github.com:a/b").remote, "git@github.com:a/b");
        assert_eq!(git_of("https://x/y.git?tag=v1").reference.as_deref(), Some("refs/tags/v1"));
        assert!(parse("https://x/y.git?tag=v1&branch=b").is_err());
        assert!(matches!(parse("https://x/y.tar.gz?a=b"), Ok(Some(Remote::Http(http))) if http.filename == "y.tar.gz"));
        assert!(matches!(parse("https://x/"), Ok(Some(Remote::Http(http))) if http.filename == "__unnamed__"));
        for nameless in ["http://x/..", "http://x/a%2F..", "http://x/a%00"] {
            assert!(parse(nameless).is_err_and(|error| error.starts_with("cannot determine filename")), "{nameless}");
        }
        for path in ["github.com/a/b", "s3://a/b", "./a.git", "a@b", "file"] {
            assert_eq!(parse(path), Ok(None), "{path}");
        }
    }
}
