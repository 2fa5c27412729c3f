//! Judges that are not ours: what skopeo, umoci and buildah make of an image is what `-o type=tar` says it holds.

use std::collections::BTreeMap;
use std::process::Command;

use tar::EntryType;

use super::varied::{self, IMAGES};
use crate::support::Home;
use crate::support::archive::{File, Files};
use crate::support::machine::as_root;
use crate::support::tools::{available, run};

/// What makes GNU tar write the extended attributes that belong to a tree.
const ATTRIBUTES: [&str; 3] = ["--xattrs", "--xattrs-include=user.layercake", "--xattrs-include=security.capability"];

fn skopeo(home: &Home, arguments: &[&str]) -> String {
    let mut command = Command::new("skopeo");
    home.furnish(&mut command);
    run(command.args(["--insecure-policy", "--tmpdir=."]).args(arguments))
}

/// What a folder on the disk holds, with the ids that root sees.
fn folder(home: &Home, path: &str) -> Files {
    let mut tar = as_root("tar");
    home.furnish(&mut tar);
    let arguments = ["--numeric-owner", "--format=pax", "--sort=name", "-C", path, "-cf", "-", "."];
    let output = tar.args(ATTRIBUTES).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Files::read(&output.stdout)
}

/// What two ways to write a tree agree on: not which of a file's names comes first, nor the root's own entry.
pub(crate) fn comparable(files: &Files) -> BTreeMap<String, File> {
    let resolve = |file: &File| match file.kind {
        EntryType::Link => files.file(file.target.trim_start_matches("./")).clone(),
        EntryType::Symlink => File { mode: 0o777, ..file.clone() },
        _ => file.clone(),
    };
    files.0.iter().filter(|(path, _)| !path.is_empty()).map(|(path, file)| (path.clone(), resolve(file))).collect()
}

#[track_caller]
fn assert_same(name: &str, theirs: &Files, ours: &Files) {
    let (theirs, ours) = (comparable(theirs), comparable(ours));
    assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>(), "{name}");
    for (path, file) in &ours {
        assert_eq!(&theirs[path], file, "{name}: {path}");
    }
}

#[test]
fn skopeo_inspects_and_copies() {
    if !available(&["skopeo"]) {
        return;
    }
    let Some(home) = varied::built() else { return };
    for (index, (name, _)) in IMAGES.into_iter().enumerate() {
        // What is odd about an image does not hang on the compression, so they take turns.
        let compression = if index % 2 == 0 { "gzip" } else { "zstd" };
        let output = format!("type=oci,dest={name}.tar,compression={compression},force-compression=true");
        let digest = home.dated(["-o", &output, "-t", &format!("{name}:1"), name]).digest;
        let source = format!("oci-archive:{name}.tar:1");
        let inspected: serde_json::Value = serde_json::from_str(&skopeo(&home, &["inspect", &source])).unwrap();
        assert_eq!(inspected["Digest"], digest, "{name} {compression}");
        // Every layer is read, and held against its digest and its diff id.
        skopeo(&home, &["copy", "--dest-decompress", &source, &format!("dir:{name}.dir")]);
        if index % 3 == 0 {
            home.build(["-o", &format!("type=docker,dest={name}.docker.tar"), "-t", &format!("{name}:1"), name]);
            let source = format!("docker-archive:{name}.docker.tar:{name}:1");
            skopeo(&home, &["copy", &source, &format!("dir:{name}.docker")]);
        }
    }
}

#[test]
fn umoci_unpacks_the_same_tree() {
    if !available(&["umoci"]) {
        return;
    }
    let Some(home) = varied::built() else { return };
    for (name, _) in IMAGES {
        home.dated(["-o", &format!("type=oci,dest={name}.oci,tar=false"), "-t", &format!("{name}:1"), name]);
        let mut umoci = as_root("umoci");
        home.furnish(&mut umoci);
        let (image, bundle) = (format!("{name}.oci:1"), format!("{name}.bundle"));
        run(umoci.args(["--log=error", "unpack", "--image", &image, &bundle]));
        let theirs = folder(&home, &format!("{bundle}/rootfs"));
        assert_same(name, &theirs, &home.tree(name));
    }
}

#[test]
fn buildah_mounts_the_same_tree() {
    if !available(&["buildah"]) {
        return;
    }
    let Some(home) = varied::built() else { return };
    for (name, _) in IMAGES {
        home.dated(["-o", &format!("type=oci,dest={name}.tar"), "-t", &format!("{name}:1"), name]);
    }
    // One session of root: containers are known to the storage, mounts to the mount namespace.
    let script = format!(
        "buildah() {{ command buildah --storage-driver=vfs --root=$PWD/storage --runroot=$PWD/run \"$@\"; }}\n\
         set -e; for name in {}; do buildah from --name $name --pull-never oci-archive:$name.tar > /dev/null\n\
         m=$(buildah mount $name); tar {} --numeric-owner --format=pax -C $m -cf $name.mounted.tar .; done",
        IMAGES.map(|(name, _)| name).join(" "),
        ATTRIBUTES.join(" "),
    );
    let mut command = as_root("sh");
    home.furnish(&mut command);
    run(command.args(["-c", &script]));
    for (name, _) in IMAGES {
        let theirs = Files::read(&std::fs::read(home.path(&format!("work/{name}.mounted.tar"))).unwrap());
        assert_same(name, &theirs, &home.tree(name));
    }
}

#[test]
fn what_buildah_makes_is_built_on() {
    if !available(&["buildah"]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo x > /x\n");
    home.build(["-o", "type=oci,dest=x.tar", "-t", "x:1", "ctx"]);
    let script = "buildah() { command buildah --storage-driver=vfs --root=$PWD/storage --runroot=$PWD/run \"$@\"; }\n\
         set -e; c=$(buildah from --pull-never oci-archive:x.tar)\n\
         m=$(buildah mount $c); echo theirs > $m/theirs; rm $m/x; buildah umount $c > /dev/null\n\
         buildah config --env B=2 $c; buildah commit -q $c oci-archive:theirs.tar:theirs:1 > /dev/null";
    let mut command = as_root("sh");
    home.furnish(&mut command);
    run(command.args(["-c", script]));
    home.layercake(["load", "-i", "theirs.tar"]).ok();
    home.write("on/Dockerfile", "FROM theirs:1\nRUN test $B = 2 && ! test -e /x && cat /theirs\n");
    assert!(home.build(["on"]).output.contains("theirs"));
}
