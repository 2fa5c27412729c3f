//! [`Reference`]: the name of an image, in docker's grammar, with docker's familiar short forms.
//!
//! Source of grammar and normalization: distribution/reference (`regexp.go`, `normalize.go`).

use std::fmt;
use std::str::FromStr;

use layercake_cache::Digest;

/// The registry that is meant where a name has none.
pub const DEFAULT_HOST: &str = "docker.io";
/// What a name without a namespace lies in, on [`DEFAULT_HOST`].
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";
/// An older name of [`DEFAULT_HOST`], still found in scripts and configuration files.
const LEGACY_HOST: &str = "index.docker.io";

/// The name of an image: a registry, a repository in it, and a tag or digest or both.
///
/// `busybox` is `docker.io/library/busybox:latest`; both spellings parse to equal references. `Display` writes the
/// canonical form, [`Reference::familiar`] the short one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image reference: {problem}")]
pub struct InvalidReference {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Repositories are lower case.
    #[error("the name must be lower case; write `{0}`")]
    UpperCase(String),
    /// A name that can only be an image's id.
    #[error("64 hexadecimal digits are an image's id, not a name; write `sha256:{0}` to mean the id")]
    Identifier(String),
    /// The registry's name has other characters than a host name and a port.
    #[error("`{0}` is not a registry's host name with an optional port")]
    Host(String),
    /// A part of the name has characters or separators it must not have.
    #[error(
        "the name's part `{0}` must be lower-case letters and digits, separated by one `.`, one or two `_`, or any number of `-`"
    )]
    Component(String),
    /// The name is longer than registries take.
    #[error("the name has {0} characters, more than 255")]
    TooLong(usize),
    /// The tag has other characters than tags have.
    #[error("the tag `{0}` must be up to 128 letters, digits, `_`, `.` or `-`, and begin with a letter, digit or `_`")]
    Tag(String),
    /// The digest is none, or of an algorithm nobody uses for images.
    #[error("the digest `{0}` must be `sha256:` and 64 lower-case hexadecimal digits")]
    Digest(String),
}

impl Reference {
    /// The registry's name, with the port where one is given: `docker.io`, `localhost:5000`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository's name within its registry: `library/busybox`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag. There is always a tag or a digest.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest; where there is one it decides, and a tag beside it is only for people.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Host and repository without tag and digest: `docker.io/library/busybox`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// The same repository's image with this digest.
    #[must_use]
    pub fn at_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// As people write it: without `docker.io/` and `library/` where they can be left out.
    #[must_use]
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), self.suffix())
    }

    /// [`Reference::familiar`] without tag and digest.
    #[must_use]
    pub fn familiar_name(&self) -> String {
        if self.host != DEFAULT_HOST {
            return self.name();
        }
        match self.repository.strip_prefix(OFFICIAL) {
            Some(short) if !short.contains('/') => short.to_owned(),
            // On docker's hub a repository's first part may look like a host; shortened, it would be read as one.
            _ if self.repository.split_once('/').is_none_or(|(first, _)| is_host(first)) => self.name(),
            _ => self.repository.clone(),
        }
    }

    fn suffix(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        tag + &digest
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.host, self.repository, self.suffix())
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        parse(text).map_err(|problem| InvalidReference { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Reference, Problem> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Problem::Identifier(text.to_owned()));
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| Problem::Digest(digest.to_owned()))?)),
        None => (text, None),
    };
    let (host, rest) = split_host(rest);
    // A port was split off with the host, so a colon that is left begins the tag.
    let (repository, tag) = match rest.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (rest, None),
    };
    check_host(host)?;
    check_repository(repository, text)?;
    if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
        return Err(Problem::Tag(tag.to_owned()));
    }
    let official = host == DEFAULT_HOST && !repository.contains('/');
    Ok(Reference {
        host: host.to_owned(),
        repository: if official { format!("{OFFICIAL}{repository}") } else { repository.to_owned() },
        tag: tag.or(digest.is_none().then_some(DEFAULT_TAG)).map(str::to_owned),
        digest,
    })
}

fn split_host(text: &str) -> (&str, &str) {
    match text.split_once('/') {
        Some((LEGACY_HOST, rest)) => (DEFAULT_HOST, rest),
        Some((first, rest)) if is_host(first) => (first, rest),
        _ => (DEFAULT_HOST, text),
    }
}

/// Whether the first part of a name is a registry's and not a namespace: upper case, which namespaces never have,
/// speaks for a host too.
fn is_host(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn check_host(host: &str) -> Result<(), Problem> {
    let (name, port) = match host.rsplit_once(':') {
        // The last colon of a bare IPv6 address begins no port.
        Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let port_is_right = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let name_is_right = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'),
        None => name.split('.').all(label),
    };
    if port_is_right && name_is_right { Ok(()) } else { Err(Problem::Host(host.to_owned())) }
}

fn check_repository(repository: &str, text: &str) -> Result<(), Problem> {
    if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let lower = text.replacen(repository, &repository.to_ascii_lowercase(), 1);
        return Err(Problem::UpperCase(lower));
    }
    if let Some(wrong) = repository.split('/').find(|component| !is_component(component)) {
        return Err(Problem::Component(wrong.to_owned()));
    }
    if repository.len() > 255 { Err(Problem::TooLong(repository.len())) } else { Ok(()) }
}

/// `alphanumeric (separator alphanumeric)*`, the separators being `.`, `_`, `__` and any number of `-`.
fn is_component(component: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators_are_right = component
        .split(letter)
        .filter(|separator| !separator.is_empty())
        .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'));
    component.starts_with(letter) && component.ends_with(letter) && separators_are_right
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa";

    fn canonical(text: &str) -> String {
        text.parse::<Reference>().unwrap().to_string()
    }

    fn problem(text: &str) -> Problem {
        text.parse::<Reference>().unwrap_err().problem
    }

    #[test]
    fn short_names_are_dockers() {
        assert_eq!(canonical("busybox"), "docker.io/library/busybox:latest");
        assert_eq!(canonical("busybox:1.36"), "docker.io/library/busybox:1.36");
        assert_eq!(canonical("docker.io/busybox"), "docker.io/library/busybox:latest");
        assert_eq!(canonical("index.docker.io/library/busybox"), "docker.io/library/busybox:latest");
        assert_eq!(canonical("grafana/grafana"), "docker.io/grafana/grafana:latest");
        assert_eq!(canonical("library/foo/bar"), "docker.io/library/foo/bar:latest");
    }

    #[test]
    fn a_host_is_known_by_dot_port_localhost_or_upper_case() {
        assert_eq!(canonical("ghcr.io/x"), "ghcr.io/x:latest");
        assert_eq!(canonical("localhost/x"), "localhost/x:latest");
        assert_eq!(canonical("localhost:5000/x:1"), "localhost:5000/x:1");
        assert_eq!(canonical("host:5000/a/b/c"), "host:5000/a/b/c:latest");
        assert_eq!(canonical("[::1]:5000/x"), "[::1]:5000/x:latest");
        assert_eq!(canonical("[fe80::1]/x"), "[fe80::1]/x:latest");
        assert_eq!(canonical("HOST/x"), "HOST/x:latest");
        // Without a slash it is a name with a tag.
        assert_eq!(canonical("localhost:5000"), "docker.io/library/localhost:5000");
    }

    #[test]
    fn a_digest_stands_alone_or_beside_a_tag() {
        assert_eq!(canonical(&format!("busybox@{DIGEST}")), format!("docker.io/library/busybox@{DIGEST}"));
        let both: Reference = format!("busybox:1@{DIGEST}").parse().unwrap();
        assert_eq!((both.tag(), both.digest()), (Some("1"), Some(&DIGEST.parse().unwrap())));
        assert_eq!(both.familiar(), format!("busybox:1@{DIGEST}"));
    }

    #[test]
    fn what_docker_refuses_is_refused_with_the_reason() {
        assert_eq!(problem(""), Problem::Empty);
        assert_eq!(problem("Ubuntu:22.04"), Problem::UpperCase("ubuntu:22.04".into()));
        assert_eq!(problem("ghcr.io/Me/App"), Problem::UpperCase("ghcr.io/me/app".into()));
        assert_eq!(problem(&DIGEST[7..]), Problem::Identifier(DIGEST[7..].into()));
        assert_eq!(problem("a//b"), Problem::Component(String::new()));
        assert_eq!(problem("a/b/"), Problem::Component(String::new()));
        assert_eq!(problem("a..b"), Problem::Component("a..b".into()));
        assert_eq!(problem("a___b"), Problem::Component("a___b".into()));
        assert_eq!(problem("-a"), Problem::Component("-a".into()));
        assert_eq!(problem("a b"), Problem::Component("a b".into()));
        assert_eq!(problem("a:"), Problem::Tag(String::new()));
        assert_eq!(problem("a:.b"), Problem::Tag(".b".into()));
        assert_eq!(problem(&format!("a:{}", "x".repeat(129))), Problem::Tag("x".repeat(129)));
        assert_eq!(problem("a@sha256:12"), Problem::Digest("sha256:12".into()));
        assert_eq!(problem("a@sha512:12"), Problem::Digest("sha512:12".into()));
        assert_eq!(problem("a.b:x/c"), Problem::Host("a.b:x".into()));
        assert_eq!(problem("-a.b/c"), Problem::Host("-a.b".into()));
        assert_eq!(problem("https://ghcr.io/a/b"), Problem::Host("https:".into()));
        assert_eq!(problem(&format!("ghcr.io/{}", "x".repeat(256))), Problem::TooLong(256));
    }

    #[test]
    fn a_hub_repository_that_looks_like_a_host_keeps_its_registry() {
        let odd: Reference = "docker.io/localhost/x".parse().unwrap();
        assert_eq!(odd.familiar(), "docker.io/localhost/x:latest");
        assert_eq!(odd.repository(), "localhost/x");
    }

    fn reference() -> impl Strategy<Value = String> {
        let host = "(docker\\.io/|localhost/|localhost:[0-9]{2,5}/|[a-z]{1,6}\\.[a-z]{2,3}(:[0-9]{2,5})?/)?";
        let component = "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}";
        let tag = "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,10})?";
        (host, proptest::collection::vec(component, 1..4), tag, any::<Option<[u8; 4]>>()).prop_map(
            |(host, parts, tag, digest)| {
                // A first part with a dot would be read as a host.
                let host = if host.is_empty() && parts.len() > 1 { "docker.io/" } else { &host };
                let digest = digest.map(|seed| format!("@{}", Digest::of(&seed))).unwrap_or_default();
                format!("{host}{}{tag}{digest}", parts.join("/"))
            },
        )
    }

    proptest! {
        #[test]
        fn every_spelling_names_the_same_image(text in reference()) {
            let parsed: Reference = text.parse().unwrap();
            prop_assert_eq!(&parsed.to_string().parse::<Reference>().unwrap(), &parsed);
            prop_assert_eq!(&parsed.familiar().parse::<Reference>().unwrap(), &parsed);
            prop_assert!(parsed.tag().is_some() || parsed.digest().is_some());
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            if let Ok(parsed) = text.parse::<Reference>() {
                prop_assert_eq!(parsed.to_string().parse::<Reference>().unwrap(), parsed);
            }
        }
    }
}
