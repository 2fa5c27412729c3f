//! [`Challenge`]: how a server wants to be convinced, from its `WWW-Authenticate` headers.
//!
//! Source: RFC 9110 section 11; distribution's "Token Authentication Specification".

use std::collections::BTreeMap;

/// What a server wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User name and password.
    Basic,
    /// A token of another server's.
    Bearer {
        /// Where to get it.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// For what, in the server's words.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The best of the challenges that the headers hold: a token goes before a password.
    pub(crate) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let all: Vec<Self> = headers.flat_map(parse).collect();
        all.iter().find(|challenge| **challenge != Self::Basic).or(all.first()).cloned()
    }
}

/// One header may hold several challenges, and commas separate both challenges and parameters: a word that is not
/// followed by `=` begins a challenge.
fn parse(header: &str) -> Vec<Challenge> {
    let mut schemes: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let length = rest.find(['=', ' ', '\t', ',']).unwrap_or(rest.len());
        if length == 0 {
            break;
        }
        let (word, after) = rest.split_at(length);
        match after.trim_start_matches([' ', '\t']).strip_prefix('=') {
            Some(value) => {
                let (value, after) = parameter(value.trim_start_matches([' ', '\t']));
                if let Some((_, parameters)) = schemes.last_mut() {
                    parameters.insert(word.to_ascii_lowercase(), value);
                }
                rest = after;
            }
            None => {
                schemes.push((word.to_ascii_lowercase(), BTreeMap::new()));
                rest = after;
            }
        }
    }
    schemes.into_iter().filter_map(|(scheme, parameters)| challenge(&scheme, parameters)).collect()
}

fn challenge(scheme: &str, mut parameters: BTreeMap<String, String>) -> Option<Challenge> {
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: parameters.remove("realm")?,
            service: parameters.remove("service"),
            scope: parameters.remove("scope"),
        }),
        _ => None,
    }
}

/// A parameter's value, quoted or not, and what follows it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let length = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..length].to_owned(), &text[length..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[place + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
    }

    #[test]
    fn real_headers() {
        let parse = |headers: &[&str]| Challenge::parse(headers.iter().copied());
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let token = Some("repository:a/b:pull,push");
        assert_eq!(parse(&[hub]), bearer("https://auth.docker.io/token", Some("registry.docker.io"), token));
        assert_eq!(parse(&[r#"Basic realm="Registry Realm""#]), Some(Challenge::Basic));
        assert_eq!(parse(&["Basic"]), Some(Challenge::Basic));
        assert_eq!(parse(&[r#"Basic realm="x", Bearer realm="https://t""#]), bearer("https://t", None, None));
        assert_eq!(parse(&[r#"Basic realm="x""#, r#"bearer Realm = "https://t" "#]), bearer("https://t", None, None));
        assert_eq!(parse(&[r#"Bearer realm=https://t,service=s"#]), bearer("https://t", Some("s"), None));
        assert_eq!(parse(&[r#"Bearer realm="a\"b""#]), bearer("a\"b", None, None));
        assert_eq!(parse(&["Negotiate"]), None);
        assert_eq!(parse(&[r#"Bearer service="no realm""#]), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header in "\\PC{0,60}") {
            let _ = Challenge::parse(std::iter::once(header.as_str()));
        }
    }
}
