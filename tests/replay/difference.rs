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
