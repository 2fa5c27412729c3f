//! Looking into images: what `inspect` says, what the layers of a saved archive hold, and the whole tree.

use std::io::Read;

use serde_json::Value;

use super::archive::Files;
use super::home::{Home, run};

impl Home {
    /// What `inspect` says of an image.
    #[track_caller]
    pub(crate) fn inspect(&self, image: &str) -> Value {
        let mut all: Value = serde_json::from_str(&self.layercake(["inspect", image]).ok().stdout).unwrap();
        all[0].take()
    }

    /// The diff ids of an image's layers, lowest first.
    #[track_caller]
    pub(crate) fn diff_ids(&self, image: &str) -> Vec<String> {
        strings(&self.inspect(image)["RootFS"]["Layers"])
    }

    /// What each layer of an image holds, lowest first.
    #[track_caller]
    pub(crate) fn layers(&self, image: &str) -> Vec<Files> {
        let saved = run(&mut self.command(["save", "-o", "saved.tar", image])).ok();
        assert_eq!(saved.stdout, "");
        layers(&Files::read(&std::fs::read(self.path("work/saved.tar")).unwrap()))
    }

    /// The files of the image that `ctx` is built to, of all its layers together.
    #[track_caller]
    pub(crate) fn tree(&self, context: &str) -> Files {
        self.layercake(["build", "-q", "-o", "type=tar,dest=tree.tar", context]).ok();
        Files::read(&std::fs::read(self.path("work/tree.tar")).unwrap())
    }
}

/// What each layer of the only image in an OCI archive holds, lowest first.
pub(crate) fn layers(archive: &Files) -> Vec<Files> {
    tars(archive).iter().map(|tar| Files::read(tar)).collect()
}

/// The layers of the only image in an OCI archive, uncompressed, lowest first.
pub(crate) fn tars(archive: &Files) -> Vec<Vec<u8>> {
    let manifest = document(archive, &json(archive, "index.json")["manifests"][0]["digest"]);
    let layers = manifest["layers"].as_array().unwrap();
    layers.iter().map(|layer| unpacked(blob(archive, &layer["digest"]))).collect()
}

/// A JSON document in an archive.
pub(crate) fn json(archive: &Files, path: &str) -> Value {
    serde_json::from_str(archive.text(path)).unwrap()
}

/// A JSON document of an OCI archive, by its digest.
pub(crate) fn document(archive: &Files, digest: &Value) -> Value {
    serde_json::from_slice(blob(archive, digest)).unwrap()
}

fn blob<'a>(archive: &'a Files, digest: &Value) -> &'a [u8] {
    let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    &archive.file(&format!("blobs/sha256/{hex}")).content
}

/// A layer without its compression, which its first bytes tell.
fn unpacked(layer: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    match layer {
        [0x1f, 0x8b, ..] => drop(flate2::read::MultiGzDecoder::new(layer).read_to_end(&mut tar).unwrap()),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => tar = zstd::decode_all(layer).unwrap(),
        _ => tar = layer.to_owned(),
    }
    tar
}

/// The texts in a JSON list.
pub(crate) fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}
