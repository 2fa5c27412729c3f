//! In what two images differ.

use std::fs;

use crate::builder::Builder;
use crate::support::archive::Files;
use crate::support::image::{document, json, layers};

/// What differs in the images that two builders make: of the configuration, and of each layer by path.
pub(crate) fn difference(one: &Builder, other: &Builder, arguments: &[&str]) -> String {
    let archives = [one, other].map(|builder| {
        builder.build(&[arguments, &["--output=type=oci,dest=image.tar"]].concat());
        Files::read(&fs::read(builder.home.path("work/image.tar")).unwrap())
    });
    let [(config, layers), (other_config, other_layers)] = archives.each_ref().map(|archive| {
        let manifest = document(archive, &json(archive, "index.json")["manifests"][0]["digest"]);
        (document(archive, &manifest["config"]["digest"]), layers(archive))
    });
    let mut lines = Vec::new();
    if config != other_config {
        lines.push(format!("configuration {config}\nand not       {other_config}"));
    }
    if layers.len() != other_layers.len() {
        lines.push(format!("{} layers, and not {}", layers.len(), other_layers.len()));
    }
    for (number, (Files(layer), Files(other))) in layers.iter().zip(&other_layers).enumerate() {
        for path in layer.keys().chain(other.keys().filter(|path| !layer.contains_key(*path))) {
            if layer.get(path) != other.get(path) {
                lines.push(format!("layer {number}: {path}: {:?}, and not {:?}", layer.get(path), other.get(path)));
            }
        }
    }
    if lines.is_empty() {
        lines.push("the files are the same, but not their times or their order".to_owned());
    }
    lines.join("\n")
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
            let mut builder = Builder::new(Level::All, Extent::Short)?;
            builder.check_out(&commit.tree);
            Some(builder)
        });
        let Some(builders) = builders.collect::<Option<Vec<_>>>() else { return };
        let told = difference(&builders[0], &builders[1], &[]);
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[0].starts_with("configuration {") && lines[1].starts_with("and not "), "{told}");
        assert!(lines[2].starts_with("layer 1: d/a: Some("), "{told}");
        assert_eq!(lines.len(), 3, "{told}");
    }
}
