//! In what two images differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;

use serde_json::Value;

use crate::builder::Builder;
use crate::support::archive::Files;
use crate::support::image::{document, json, layers};

/// So many differences of two images are told.
const TOLD: usize = 12;

/// What differs in the images that two builders make: of the configuration by field, and of each layer by path.
pub(crate) fn difference(one: &Builder, other: &Builder, arguments: &[&str]) -> String {
    let archives = [one, other].map(|builder| {
        builder.build(&[arguments, &["--output=type=oci,dest=image.tar"]].concat());
        Files::read(&fs::read(builder.home.path("work/image.tar")).unwrap())
    });
    let [(config, layers), (other_config, other_layers)] = archives.each_ref().map(|archive| {
        let manifest = document(archive, &json(archive, "index.json")["manifests"][0]["digest"]);
        let fields = fields("", &document(archive, &manifest["config"]["digest"]));
        (fields, layers(archive))
    });
    let mut lines = entries("configuration", &config, &other_config);
    if layers.len() != other_layers.len() {
        lines.push(format!("{} layers, and not {}", layers.len(), other_layers.len()));
    }
    for (number, (Files(layer), Files(other))) in layers.iter().zip(&other_layers).enumerate() {
        lines.extend(entries(&format!("layer {number}"), layer, other));
    }
    if lines.is_empty() {
        lines.push("the files are the same, but not their times or their order".to_owned());
    }
    if lines.len() > TOLD {
        let more = format!("and {} more", lines.len() - TOLD);
        lines.splice(TOLD.., [more]);
    }
    lines.join("\n")
}

/// The entries that differ, in words.
pub(crate) fn entries<T: Debug + PartialEq>(
    what: &str,
    one: &BTreeMap<String, T>,
    other: &BTreeMap<String, T>,
) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let told = |name: &String| match (one.get(name), other.get(name)) {
        (Some(one), Some(other)) if one == other => None,
        (Some(one), Some(other)) => Some(format!("{what}: {name}: {one:?}, and not {other:?}")),
        (Some(one), None) => Some(format!("{what}: {name}: {one:?}, and not there")),
        (None, other) => Some(format!("{what}: {name}: not there, and not {:?}", other.unwrap())),
    };
    names.into_iter().filter_map(told).collect()
}

/// The values in a document by their way.
fn fields(way: &str, value: &Value) -> BTreeMap<String, Value> {
    let below = |(name, value): (String, &Value)| fields(&format!("{way}/{name}"), value);
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).flat_map(below).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(n, item)| (n.to_string(), item)).flat_map(below).collect()
        }
        value => BTreeMap::from([(way.to_owned(), value.clone())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extent;
    use crate::builder::Level;
    use crate::history::History;

    #[test]
    fn what_differs_is_named() {
        const HISTORY: &str = "commit one\nwrite Dockerfile\n    FROM alpine:3.22\n    COPY a same /d/\n    CMD a\nwrite a\n    1\n\
             write same\n    1\n\ncommit two\nedit a\n    -1\n    +2\nedit Dockerfile\n    -CMD a\n    +CMD b\n";
        let commits = History::read(HISTORY).commits;
        let builders = commits.iter().map(|commit| {
            let mut builder = Builder::new(Level::Default, Extent::Short)?;
            builder.check_out(&commit.tree);
            Some(builder)
        });
        let Some(builders) = builders.collect::<Option<Vec<_>>>() else { return };
        let told = difference(&builders[0], &builders[1], &[]);
        let lines: Vec<&str> = told.lines().collect();
        assert!(told.contains(r#"configuration: /config/Cmd/2: String("a"), and not String("b")"#), "{told}");
        let layers: Vec<_> = lines.iter().filter(|line| line.starts_with("layer ")).collect();
        assert!(layers.len() == 1 && layers[0].starts_with("layer 1: d/a: "), "{told}");
    }
}
