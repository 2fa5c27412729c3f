//! Judges that are not ours: skopeo, umoci and buildah take what is written, and what they write is loaded.

use std::path::Path;
use std::process::Command;

use layercake_executor::image::layout::write_folder;
use layercake_executor::image::load::load_path;
use layercake_executor::image::local::Images;
use layercake_executor::image::save::{Format, Saving};
use serde_json::Value;

use crate::fixture::{TempStore, image, name, platform, store, two_platforms};
use crate::roundtrip::saved;
use crate::tools::{available, run};

fn one_image() -> (TempStore, Saving) {
    let store = store();
    let descriptor = image(&store, "a", &platform("linux/amd64"));
    (store, Saving { descriptor, names: vec![name("x:1")] })
}

fn skopeo(arguments: &[&str]) -> String {
    run(Command::new("skopeo")
        .args(["--insecure-policy", "--override-os=linux", "--override-arch=amd64"])
        .args(arguments))
}

fn inspected(image: &str) -> Value {
    serde_json::from_str(&skopeo(&["inspect", image])).unwrap()
}

#[test]
fn skopeo_reads_archives_and_folders() {
    if !available(&["skopeo"]) {
        return;
    }
    let (store, saving) = one_image();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (format, file) in [(Format::Oci, "oci.tar"), (Format::Docker, "docker.tar")] {
        std::fs::write(path(file), saved(&store, std::slice::from_ref(&saving), format)).unwrap();
    }
    write_folder(&store, std::slice::from_ref(&saving), Path::new(&path("layout")), &platform("linux/amd64")).unwrap();
    let digest = saving.descriptor.digest.to_string();
    for image in [format!("oci-archive:{}:1", path("oci.tar")), format!("oci:{}:1", path("layout"))] {
        assert_eq!(inspected(&image)["Digest"], Value::from(digest.clone()), "{image}");
    }
    // Both kinds are docker archives too; every layer is read and checked against its diff id on the way.
    for file in ["oci.tar", "docker.tar"] {
        skopeo(&[
            "copy",
            &format!("docker-archive:{}:x:1", path(file)),
            &format!("dir:{}", path(&format!("{file}.dir"))),
        ]);
    }
    skopeo(&["copy", &format!("oci-archive:{}:1", path("oci.tar")), &format!("dir:{}", path("dir"))]);
}

#[test]
fn skopeo_copies_all_platforms() {
    if !available(&["skopeo"]) {
        return;
    }
    let store = store();
    let saving = Saving { descriptor: two_platforms(&store, "a"), names: vec![name("x:1")] };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("oci.tar"), saved(&store, std::slice::from_ref(&saving), Format::Oci)).unwrap();
    skopeo(&["copy", "--all", &format!("oci-archive:{}:1", path("oci.tar")), &format!("oci:{}:x:1", path("copy"))]);
    let loaded = load_path(&crate::fixture::store(), Path::new(&path("copy"))).unwrap();
    assert_eq!((loaded[0].descriptor.digest, &loaded[0].names[..]), (saving.descriptor.digest, &[name("x:1")][..]));
}

#[test]
fn umoci_unpacks_a_folder() {
    if !available(&["umoci"]) {
        return;
    }
    let (store, saving) = one_image();
    let folder = tempfile::tempdir().unwrap();
    let (layout, bundle) = (folder.path().join("layout"), folder.path().join("bundle"));
    write_folder(&store, &[saving], &layout, &platform("linux/amd64")).unwrap();
    let image = format!("{}:1", layout.display());
    run(Command::new("umoci").args(["unpack", "--rootless", "--image", &image]).arg(&bundle));
    assert_eq!(std::fs::read(bundle.join("rootfs/etc/salt")).unwrap(), b"a");
}

#[test]
fn buildah_starts_from_an_archive() {
    if !available(&["buildah"]) {
        return;
    }
    let (store, saving) = one_image();
    let folder = tempfile::tempdir().unwrap();
    for (format, file, transport) in
        [(Format::Oci, "oci.tar", "oci-archive"), (Format::Docker, "docker.tar", "docker-archive")]
    {
        let path = folder.path().join(file);
        std::fs::write(&path, saved(&store, std::slice::from_ref(&saving), format)).unwrap();
        let storage = folder.path().join(format!("{file}.storage"));
        let mut buildah = Command::new("buildah");
        buildah
            .args(["--storage-driver=vfs", "--root"])
            .arg(storage.join("root"))
            .arg("--runroot")
            .arg(storage.join("run"));
        let container = run(buildah.args(["from", "--pull-never"]).arg(format!("{transport}:{}", path.display())));
        assert!(!container.trim().is_empty());
    }
}

#[test]
fn what_skopeo_writes_is_loaded() {
    if !available(&["skopeo"]) {
        return;
    }
    let (store, saving) = one_image();
    let amd64 = platform("linux/amd64");
    let config = Images::new(&store).documents(None, &saving.descriptor, &amd64).unwrap().unwrap().manifest.config;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("in.tar"), saved(&store, &[saving], Format::Oci)).unwrap();
    let source = format!("oci-archive:{}:1", path("in.tar"));
    for (transport, file, reference) in [
        ("docker-archive", "docker.tar", ":localhost/y:2"),
        ("oci-archive", "oci.tar", ":localhost/y:2"),
        ("oci", "layout", ":localhost/y:2"),
    ] {
        skopeo(&["copy", &source, &format!("{transport}:{}{reference}", path(file))]);
        let store = crate::fixture::store();
        let loaded = load_path(&store, Path::new(&path(file))).unwrap();
        assert_eq!(loaded[0].names, [name("localhost/y:2")], "{transport}");
        let image = Images::new(&store).resolve(&name("localhost/y:2"), &amd64).unwrap().unwrap();
        assert_eq!(image.manifest.config.digest, config.digest, "{transport}");
        assert_eq!(image.missing_layers(&store).count(), 0);
    }
}
