//! [`RegistriesConf`]: what containers' `registries.conf` says, which podman, buildah and skopeo read too.
//!
//! Source: containers-registries.conf(5). Of it, what is about places counts. Short names are docker's here, so search
//! lists and aliases are not read.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fault::reason;
use crate::registry::error::Error;
use crate::registry::repository::Repository;
use crate::registry::routes::{Asked, Serves};

/// What the files say.
#[derive(Debug, Default)]
pub(crate) struct RegistriesConf {
    /// By prefix; of two files that speak of the same prefix, the later one counts.
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    file: PathBuf,
    text: RegistryText,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Text {
    registry: Vec<RegistryText>,
    /// The form of before 2018.
    registries: OldText,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct RegistryText {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<MirrorText>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct MirrorText {
    location: String,
    insecure: bool,
    pull_from_mirror: PullFromMirror,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PullFromMirror {
    #[default]
    #[serde(alias = "")]
    All,
    DigestOnly,
    TagOnly,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OldText {
    insecure: OldList,
    block: OldList,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OldList {
    registries: Vec<String>,
}

impl RegistriesConf {
    /// Reads the first of `files` that exists, and the `*.conf` files of `folders` in the order of their names.
    pub(crate) fn read(files: &[PathBuf], folders: &[PathBuf]) -> Result<Self, Error> {
        let mut conf = Self::default();
        for file in files {
            if conf.add_file(file)? == Existed::Yes {
                break;
            }
        }
        for folder in folders {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            let mut names: Vec<PathBuf> =
                entries.filter(|path| path.extension().is_some_and(|extension| extension == "conf")).collect();
            names.sort();
            for file in &names {
                conf.add_file(file)?;
            }
        }
        Ok(conf)
    }

    fn add_file(&mut self, file: &Path) -> Result<Existed, Error> {
        let wrong = |problem| Error::File { path: file.to_owned(), problem };
        match fs::read_to_string(file) {
            Ok(text) => self.add(file, &text).map(|()| Existed::Yes).map_err(wrong),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Existed::No),
            Err(error) => Err(wrong(reason(&error))),
        }
    }

    fn add(&mut self, file: &Path, text: &str) -> Result<(), String> {
        let text: Text = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let old = |list: &OldList, blocked: bool| {
            let entry = move |location: &String| RegistryText {
                location: location.clone(),
                insecure: !blocked,
                blocked,
                ..RegistryText::default()
            };
            list.registries.iter().map(entry).collect::<Vec<_>>()
        };
        let insecure = old(&text.registries.insecure, false);
        let blocked = old(&text.registries.block, true);
        for mut entry in text.registry.into_iter().chain(insecure).chain(blocked) {
            let place = |text: &str| text.trim_end_matches('/').to_owned();
            entry.location = place(&entry.location);
            entry.prefix = place(if entry.prefix.is_empty() { &entry.location } else { &entry.prefix });
            if entry.prefix.is_empty() {
                return Err("a `[[registry]]` has neither `prefix` nor `location`".to_owned());
            }
            let locations = entry.mirror.iter().map(|mirror| &mirror.location).chain([&entry.location]);
            if let Some(wrong) = locations.into_iter().find(|location| location.contains("://")) {
                return Err(format!("the `location` `{wrong}` has a protocol; write the host alone"));
            }
            if entry.mirror.iter().any(|mirror| mirror.location.is_empty()) {
                return Err(format!("a `[[registry.mirror]]` of `{}` has no `location`", entry.prefix));
            }
            self.entries.insert(entry.prefix.clone(), Entry { file: file.to_owned(), text: entry });
        }
        Ok(())
    }

    /// Where to look for what a repository has; `None` if the files do not say.
    pub(crate) fn places(&self, repository: &Repository, asked: Asked) -> Option<Vec<Repository>> {
        let name = repository.to_string();
        let (entry, length) = self.find(&name)?;
        let place =
            |location: &str| Repository::parse(&format!("{}{}", location.trim_end_matches('/'), &name[length..]));
        let serves = |mirror: &MirrorText| match mirror.pull_from_mirror {
            _ if entry.text.mirror_by_digest_only => Serves::Digests,
            PullFromMirror::All => Serves::Everything,
            PullFromMirror::DigestOnly => Serves::Digests,
            PullFromMirror::TagOnly => Serves::Tags,
        };
        let mirrors = entry.text.mirror.iter().filter(|mirror| serves(mirror).serves(asked));
        let mut places: Vec<Repository> = mirrors.filter_map(|mirror| place(&mirror.location)).collect();
        let own = if entry.text.location.is_empty() { None } else { place(&entry.text.location) };
        places.push(own.unwrap_or_else(|| repository.clone()));
        Some(places)
    }

    /// The file that forbids a repository.
    pub(crate) fn blocker(&self, repository: &Repository) -> Option<PathBuf> {
        let (entry, _) = self.find(&repository.to_string())?;
        entry.text.blocked.then(|| entry.file.clone())
    }

    /// Whether a place is one that need not prove who it is: a location or a mirror that is called insecure.
    pub(crate) fn speaks_insecurely(&self, place: &Repository) -> bool {
        let name = place.to_string();
        let covers = |location: &str| covered(location.trim_end_matches('/'), &name).is_some();
        self.entries.values().any(|Entry { text, .. }| {
            let location = if text.location.is_empty() { &text.prefix } else { &text.location };
            text.insecure && covers(location)
                || text.mirror.iter().any(|mirror| mirror.insecure && covers(&mirror.location))
        })
    }

    /// The entry of the longest prefix that covers a name, and how much of the name that prefix is.
    fn find(&self, name: &str) -> Option<(&Entry, usize)> {
        let covering = self.entries.iter().filter_map(|(prefix, entry)| Some((prefix, entry, covered(prefix, name)?)));
        covering.max_by_key(|(prefix, ..)| prefix.len()).map(|(_, entry, length)| (entry, length))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Existed {
    Yes,
    No,
}

/// How much of `name` a prefix covers; `None` if it does not. `*.example.com` covers every host below.
fn covered(prefix: &str, name: &str) -> Option<usize> {
    let Some(domain) = prefix.strip_prefix('*') else {
        let rest = name.strip_prefix(prefix)?;
        return (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len());
    };
    let host = name.split('/').next()?;
    let bare = host.split(':').next()?;
    (domain.starts_with('.') && bare.len() > domain.len() && bare.ends_with(domain)).then_some(host.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn conf(text: &str) -> RegistriesConf {
        let mut conf = RegistriesConf::default();
        conf.add(Path::new("/r.conf"), text).unwrap();
        conf
    }

    fn places(conf: &RegistriesConf, name: &str, asked: Asked) -> Option<Vec<String>> {
        let places = conf.places(&Repository::parse(name).unwrap(), asked)?;
        Some(places.iter().map(Repository::to_string).collect())
    }

    #[test]
    fn the_longest_prefix_is_rewritten() {
        // The example of containers-registries.conf(5).
        let conf = conf(
            "unqualified-search-registries = ['example.com']\nshort-name-mode = 'enforcing'\n\
             [[registry]]\nprefix = 'example.com/foo'\nlocation = 'internal.example.com/bar'\n\
             [[registry.mirror]]\nlocation = 'example-mirror-0.local/mirror-for-foo'\n\
             [[registry.mirror]]\nlocation = 'example-mirror-1.local/mirrors/foo'\ninsecure = true\n\
             [[registry]]\nlocation = 'example.com'\n",
        );
        let all = [
            "example-mirror-0.local/mirror-for-foo/image",
            "example-mirror-1.local/mirrors/foo/image",
            "internal.example.com/bar/image",
        ];
        assert_eq!(places(&conf, "example.com/foo/image", Asked::ByTag).unwrap(), all);
        assert_eq!(places(&conf, "example.com/food", Asked::ByTag).unwrap(), ["example.com/food"]);
        assert_eq!(places(&conf, "other.com/foo", Asked::ByTag), None);
        let insecure = |name: &str| conf.speaks_insecurely(&Repository::parse(name).unwrap());
        assert!(insecure("example-mirror-1.local/mirrors/foo/image"));
        assert!(!insecure("example-mirror-1.local/other") && !insecure("example.com/foo/image"));
    }

    #[test]
    fn a_star_covers_all_hosts_below_and_not_their_domain() {
        let conf = conf("[[registry]]\nprefix = '*.example.com'\n[[registry.mirror]]\nlocation = 'm:5000/all'\n");
        let found = |name: &str| places(&conf, name, Asked::ByTag);
        assert_eq!(found("a.example.com/x").unwrap(), ["m:5000/all/x", "a.example.com/x"]);
        assert_eq!(found("b.a.example.com:5000/x").unwrap(), ["m:5000/all/x", "b.a.example.com:5000/x"]);
        assert_eq!(found("example.com/x"), None);
        assert_eq!(found("badexample.com/x"), None);
    }

    #[test]
    fn mirrors_may_be_for_digests_or_tags_only() {
        let conf = conf(
            "[[registry]]\nlocation = 'a.io'\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'm'\n\
             [[registry]]\nlocation = 'b.io'\n[[registry.mirror]]\nlocation = 'd'\npull-from-mirror = 'digest-only'\n\
             [[registry.mirror]]\nlocation = 't'\npull-from-mirror = 'tag-only'\n",
        );
        assert_eq!(places(&conf, "a.io/x", Asked::ByTag).unwrap(), ["a.io/x"]);
        assert_eq!(places(&conf, "a.io/x", Asked::ByDigest).unwrap(), ["m/x", "a.io/x"]);
        assert_eq!(places(&conf, "b.io/x", Asked::ByTag).unwrap(), ["t/x", "b.io/x"]);
        assert_eq!(places(&conf, "b.io/x", Asked::ByDigest).unwrap(), ["d/x", "b.io/x"]);
    }

    #[test]
    fn later_files_replace_prefixes_and_the_old_form_is_known() {
        let mut conf =
            conf("[registries.insecure]\nregistries = ['old:5000']\n[registries.block]\nregistries = ['bad.io']\n");
        let name = |text: &str| Repository::parse(text).unwrap();
        assert!(conf.speaks_insecurely(&name("old:5000/x")));
        assert_eq!(conf.blocker(&name("bad.io/x")), Some("/r.conf".into()));
        conf.add(Path::new("/later.conf"), "[[registry]]\nlocation = 'bad.io'\n").unwrap();
        assert_eq!(conf.blocker(&name("bad.io/x")), None);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let problem = |text: &str| RegistriesConf::default().add(Path::new("/r.conf"), text).unwrap_err();
        assert!(problem("[[registry]]\ninsecure = true\n").contains("neither"));
        assert!(problem("[[registry]]\nlocation = 'https://a.io'\n").contains("protocol"));
        assert!(problem("[[registry]]\nlocation = 'a.io'\n[[registry.mirror]]\ninsecure = true\n").contains("`a.io`"));
        assert!(problem("[[registry]]\nlocation = 7\n").contains("line 2"));
    }
}
