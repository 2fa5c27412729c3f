//! Layers in a registry: their types, what others read of them, and that nothing is done or sent twice.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use serde_json::Value;

use crate::support::Home;
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools;

/// What skopeo says of an image in the registry.
fn judged(name: &str, arguments: &[&str]) -> Value {
    let image = format!("docker://{name}");
    let text = tools::run(Command::new("skopeo").args(["inspect", "--tls-verify=false"]).args(arguments).arg(image));
    serde_json::from_str(&text).unwrap()
}

fn types(manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().unwrap().iter();
    layers.map(|layer| layer["mediaType"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_compression_is_pushed_under_its_type_and_read_by_skopeo() {
    if !tools::available(&[PROGRAM, "skopeo"]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let registry = Registry::open();
    home.write("ctx/Dockerfile", "FROM base\nRUN seq 1 20000 > /numbers\nCOPY file /file\n")
        .write("ctx/file", "content");
    let oci = |end: &str| format!("application/vnd.oci.image.layer.v1.tar{end}");
    let docker = |end: &str| format!("application/vnd.docker.image.rootfs.diff.tar{end}");
    // The base is gzip's; without force its layer stays what it is. Docker's names are those of BuildKit.
    let cases = [
        ("compression=gzip", [oci("+gzip"), oci("+gzip")]),
        ("compression=zstd", [oci("+gzip"), oci("+zstd")]),
        ("compression=zstd,force-compression=true", [oci("+zstd"), oci("+zstd")]),
        ("compression=none,force-compression=true", [oci(""), oci("")]),
        ("compression=gzip,oci-mediatypes=false", [docker(".gzip"), docker(".gzip")]),
        ("compression=zstd,force-compression=true,oci-mediatypes=false", [docker(".zstd"), docker(".zstd")]),
    ];
    let mut diff_ids = Vec::new();
    for (number, (options, [base, new])) in cases.iter().enumerate() {
        let name = format!("{}/team/app:{number}", registry.host());
        let build = || home.dated(["-o", &format!("type=registry,name={name},{options}"), "ctx"]).digest;
        let digest = build();
        let manifest = judged(&name, &["--raw"]);
        assert_eq!(types(&manifest), [base.clone(), new.clone(), new.clone()], "{options}");
        diff_ids.push(home.diff_ids(&name));
        // Of docker's type for zstd skopeo knows nothing; containerd does.
        if !base.ends_with(".zstd") {
            assert_eq!(judged(&name, &[])["Digest"], digest, "{options}");
            let copy = home.path(&format!("copy-{number}")).display().to_string();
            let (from, to) = (format!("docker://{name}"), format!("dir:{copy}"));
            let copied = ["copy", "-q", "--src-tls-verify=false", "--insecure-policy", &from, &to];
            tools::run(Command::new("skopeo").args(copied));
        }
        let other = Home::empty();
        other.layercake(["pull", &name]).ok();
        assert_eq!(other.layers(&name)[2].text("file"), "content", "{options}");

        let blobs = || {
            let entries = std::fs::read_dir(home.path("store/blobs/sha256")).unwrap().map(Result::unwrap);
            entries.map(|entry| (entry.file_name(), entry.metadata().unwrap().ino())).collect::<BTreeMap<_, _>>()
        };
        let (before, asked) = (blobs(), registry.requests().len());
        assert_eq!(build(), digest);
        assert_eq!(blobs(), before, "{options}: something was compressed again");
        let sent: Vec<String> = registry.requests().split_off(asked);
        let is_upload = |request: &&String| request.starts_with("POST") || request.starts_with("PATCH");
        assert_eq!(sent.iter().find(is_upload), None, "{options}: {sent:?}");
    }
    diff_ids.dedup();
    assert_eq!(diff_ids.len(), 1, "whatever compresses them, they are the same layers");
}
