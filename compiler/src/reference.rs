//! Image references: `[domain/]path[:tag][@digest]`, and what the short forms of them mean.
//!
//! The grammar is that of distribution/reference, which Docker reads references with.

use std::fmt;

/// A reference in full.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The registry's host, with its port if it has one.
    pub domain: String,
    /// The repository on it.
    pub path: String,
    /// The tag; `None` if there is none, which means `latest` unless there is a digest.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Option<String>,
}

/// A text that is no reference. The texts are those that Docker shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// It does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// A repository with capital letters.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// What looks like an image's id is no name.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    Id(String),
    /// Too long a repository.
    #[error("repository name must not be more than 255 characters")]
    Length,
}

const DEFAULT_DOMAIN: &str = "docker.io";

impl Reference {
    /// Reads a reference as people write it: `alpine` is `docker.io/library/alpine`.
    ///
    /// # Errors
    /// If it does not follow the grammar.
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return Err(InvalidReference::Id(text.to_owned()));
        }
        let (domain, rest) = match text.split_once('/') {
            Some((first, rest))
                if first == "localhost" || first.contains(['.', ':']) || first != first.to_lowercase() =>
            {
                (first, rest.to_owned())
            }
            _ => (DEFAULT_DOMAIN, text.to_owned()),
        };
        let domain = if domain == "index.docker.io" { DEFAULT_DOMAIN } else { domain };
        let is_official = domain == DEFAULT_DOMAIN && !rest.contains('/');
        let rest = if is_official { format!("library/{rest}") } else { rest };
        let repository = rest.split(':').next().unwrap_or_default();
        if repository != repository.to_lowercase() {
            return Err(InvalidReference::Uppercase(repository.to_owned()));
        }
        let (name, digest) = rest.split_once('@').map_or((rest.as_str(), None), |(name, digest)| (name, Some(digest)));
        let (path, tag) = name.split_once(':').map_or((name, None), |(path, tag)| (path, Some(tag)));
        let is_valid = is_domain(domain)
            && path.split('/').all(is_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        if !is_valid {
            return Err(InvalidReference::Format);
        }
        if domain.len() + 1 + path.len() > 255 {
            return Err(InvalidReference::Length);
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Self { domain: domain.to_owned(), path: path.to_owned(), tag: owned(tag), digest: owned(digest) })
    }

    /// The shortest way to write it.
    #[must_use]
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let short = full.strip_prefix("docker.io/").unwrap_or(&full);
        short.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(short).to_owned()
    }

    /// The name under which a named context stands for it: the shortest one, without the tag that needs none.
    pub(crate) fn context_name(&self) -> String {
        let familiar = self.familiar();
        familiar.strip_suffix(":latest").unwrap_or(&familiar).to_owned()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// Letters, digits and hyphens between dots, or an IPv6 address in brackets; then maybe a port.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.is_empty() || !address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':') {
                return false;
            }
            return port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_label = |label: &str| {
        let is_inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Lower-case letters and digits, with single dots, one or two underscores, or any number of hyphens between them.
fn is_component(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(|byte| is_plain(*byte)) || !bytes.last().is_some_and(|byte| is_plain(*byte)) {
        return false;
    }
    let separators = text.split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit());
    separators
        .filter(|separator| !separator.is_empty())
        .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let is_name = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let length = if algorithm == "sha256" { hex.len() == 64 } else { hex.len() >= 32 };
    algorithm.split(['-', '_', '+', '.']).all(is_name) && is_hex && length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_mean_long_ones() {
        let full = |text: &str| Reference::parse(text).map(|reference| reference.to_string());
        assert_eq!(full("alpine").unwrap(), "docker.io/library/alpine");
        assert_eq!(full("a/b:c").unwrap(), "docker.io/a/b:c");
        assert_eq!(full("localhost/x").unwrap(), "localhost/x");
        assert_eq!(full("ghcr.io:443/x/y__z").unwrap(), "ghcr.io:443/x/y__z");
        assert_eq!(Reference::parse("docker.io/library/a:latest").unwrap().context_name(), "a");
        for wrong in ["", "-a", "a:", "..", "a___b", "a:b@sha256:x", "a b", ":.16"] {
            assert_eq!(full(wrong), Err(InvalidReference::Format), "{wrong}");
        }
        assert_eq!(full("sCratch"), Err(InvalidReference::Uppercase("library/sCratch".to_owned())));
    }
}
