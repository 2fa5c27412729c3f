//! The kinds of output, as their formats define them.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Home;
use crate::support::archive::Files;
use crate::support::home::run;
use crate::support::image::{document, json as json_of, layers, strings};

/// A home with a context `ctx` whose image has two layers above the base's.
fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", "FROM base\nRUN echo one > /one\nCOPY two /\nENV A=1\n").write("ctx/two", "two");
    Some(home)
}

fn archive(home: &Home, path: &str) -> Files {
    Files::read(&fs::read(home.path("work").join(path)).unwrap())
}

#[test]
fn an_oci_archive_is_a_layout() {
    let Some(home) = home() else { return };
    let built = home.build(["-o", "type=oci,dest=new/out.tar", "-t", "name:1", "ctx"]);
    let archive = archive(&home, "new/out.tar");
    assert_eq!(json_of(&archive, "oci-layout"), json!({"imageLayoutVersion": "1.0.0"}));
    let index = json_of(&archive, "index.json");
    let entry = &index["manifests"][0];
    assert_eq!(entry["digest"], built.digest);
    assert_eq!(entry["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let manifest = document(&archive, &entry["digest"]);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 3);
    for layer in manifest["layers"].as_array().unwrap() {
        assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        let hex = layer["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
        assert_eq!(layer["size"], archive.file(&format!("blobs/sha256/{hex}")).content.len());
    }
    let config = document(&archive, &manifest["config"]["digest"]);
    assert_eq!((config["os"].as_str(), config["rootfs"]["type"].as_str()), (Some("linux"), Some("layers")));
    let own: Vec<_> = layers(&archive).split_off(1);
    assert_eq!(own.iter().map(Files::paths).collect::<Vec<_>>(), [["one"], ["two"]]);
}

#[test]
fn an_oci_folder_is_a_layout() {
    let Some(home) = home() else { return };
    let built = home.build(["-o", "type=oci,dest=out,tar=false", "ctx"]);
    let index: Value = serde_json::from_str(&home.read("out/index.json")).unwrap();
    assert_eq!(index["manifests"][0]["digest"], built.digest);
    let hex = built.digest.trim_start_matches("sha256:");
    assert!(home.path(&format!("work/out/blobs/sha256/{hex}")).is_file());
}

#[test]
fn a_docker_archive_has_dockers_manifest() {
    let Some(home) = home() else { return };
    home.build(["-o", "type=docker,dest=out.tar", "-t", "name:1", "ctx"]);
    let archive = archive(&home, "out.tar");
    let manifest = json_of(&archive, "manifest.json");
    assert_eq!(strings(&manifest[0]["RepoTags"]), ["name:1"]);
    assert_eq!(strings(&manifest[0]["Layers"]).len(), 3);
    for path in strings(&manifest[0]["Layers"]) {
        assert!(archive.has(&path), "{path}");
    }
    let config = json_of(&archive, manifest[0]["Config"].as_str().unwrap());
    assert_eq!(strings(&config["config"]["Env"]), ["PATH=/bin", "A=1"]);
}

#[test]
fn a_tar_holds_the_files_of_all_layers() {
    let Some(home) = home() else { return };
    let tree = home.tree("ctx");
    assert_eq!((tree.text("one"), tree.text("two")), ("one\n", "two"));
    assert_eq!(tree.file("home/ann/notes").owner, (1000, 1000));
    assert_eq!(tree.file("tmp").mode, 0o1777);
    for own in ["dev/null", "etc/hosts", "etc/resolv.conf", ".dockerenv"] {
        assert!(!tree.has(own), "{own}");
    }
    // `-` is standard output, and nothing else is on it.
    let output = home.command(["build", "-q", "-o", "-", "ctx"]).stderr(Stdio::inherit()).output().unwrap();
    assert_eq!(Files::read(&output.stdout), tree);
}

#[test]
fn a_folder_holds_the_files_of_who_builds() {
    let Some(home) = home() else { return };
    home.write("local/Dockerfile", "FROM scratch\nCOPY --chown=1000 --chmod=751 file /bin/program\nCOPY file /\n");
    home.write("local/file", "content");
    for arguments in [["-o", "out", "local"], ["-o", "type=local,dest=out", "local"]] {
        run(home.command(["build"]).args(arguments)).ok();
        let program = fs::metadata(home.path("work/out/bin/program")).unwrap();
        use std::os::unix::fs::MetadataExt;
        assert_eq!((program.mode() & 0o777, program.uid()), (0o751, rustix::process::geteuid().as_raw()));
        assert_eq!(home.read("out/file"), "content");
    }
}

#[test]
fn no_output_still_fills_the_store() {
    let Some(home) = home() else { return };
    let ran = home.layercake(["build", "-o", "type=none", "ctx"]).ok();
    assert_eq!(ran.stdout, "");
    assert_eq!(home.build(["ctx"]).started, [""; 0]);
}

#[test]
fn several_outputs_are_one_build() {
    let Some(home) = home() else { return };
    let built =
        home.build(["-o", "type=oci,dest=a.tar", "-o", "type=tar,dest=b.tar", "-o", "type=image,name=c", "ctx"]);
    assert_eq!(json_of(&archive(&home, "a.tar"), "index.json")["manifests"][0]["digest"], built.digest);
    assert_eq!(archive(&home, "b.tar").text("two"), "two");
    // The one that stays here is not compressed, and is the same apart from that.
    let config = |manifest: &Value| manifest["config"]["digest"].clone();
    let sent = config(&document(&archive(&home, "a.tar"), &json!(built.digest)));
    home.layercake(["save", "-o", "c.tar", "c"]).ok();
    let stays = archive(&home, "c.tar");
    assert_eq!(config(&document(&stays, &json_of(&stays, "index.json")["manifests"][0]["digest"])), sent);
}

#[test]
fn compressions_hold_the_same_layers() {
    let Some(home) = home() else { return };
    let mut ids = Vec::new();
    for (compression, media) in [("gzip", "tar+gzip"), ("zstd", "tar+zstd"), ("none", "tar")] {
        let output = format!("type=oci,dest={compression}.tar,compression={compression}");
        home.build(["-o", &output, "ctx"]);
        let archive = archive(&home, &format!("{compression}.tar"));
        let manifest = document(&archive, &json_of(&archive, "index.json")["manifests"][0]["digest"]);
        // The base's layer is what it was.
        let own = manifest["layers"][1]["mediaType"].as_str().unwrap();
        assert_eq!(own, format!("application/vnd.oci.image.layer.v1.{media}"));
        assert_eq!(layers(&archive)[1].text("one"), "one\n");
        ids.push(document(&archive, &manifest["config"]["digest"])["rootfs"]["diff_ids"].clone());
    }
    assert!(ids.iter().all(|other| *other == ids[0]));
    // Level 19 is a smaller zstd than level 1, or the same.
    let size = |level: &str| {
        let output = format!("type=oci,dest=level.tar,compression=zstd,compression-level={level}");
        home.build(["-o", &output, "--no-cache", "ctx"]);
        fs::metadata(home.path("work/level.tar")).unwrap().len()
    };
    assert!(size("19") <= size("1"));
}

#[test]
fn compression_can_be_forced_on_the_base() {
    let Some(home) = home() else { return };
    let media_types = |options: &str| {
        home.build(["-o", &format!("type=oci,dest=out.tar,{options}"), "ctx"]);
        let archive = archive(&home, "out.tar");
        let manifest = document(&archive, &json_of(&archive, "index.json")["manifests"][0]["digest"]);
        let types = manifest["layers"].as_array().unwrap().iter().map(|layer| layer["mediaType"].as_str().unwrap());
        let types: Vec<String> = types.map(|name| name.rsplit("layer.v1.").next().unwrap().to_owned()).collect();
        let ids = document(&archive, &manifest["config"]["digest"])["rootfs"]["diff_ids"].clone();
        (types, ids, layers(&archive).first().unwrap().has("bin/busybox"))
    };
    let kept = media_types("compression=zstd");
    assert_eq!(kept.0, ["tar+gzip", "tar+zstd", "tar+zstd"]);
    for (compression, name) in [("zstd", "tar+zstd"), ("none", "tar"), ("gzip", "tar+gzip")] {
        let forced = media_types(&format!("compression={compression},force-compression=true"));
        assert_eq!(forced, (vec![name.to_owned(); 3], kept.1.clone(), true));
    }
    // A level that does not exist is said to be none.
    let output = "type=oci,dest=out.tar,compression=zstd,compression-level=23";
    let ran = home.layercake(["build", "-o", output, "ctx"]).exits(2);
    assert!(ran.stderr.contains("zstd has no compression level 23"), "{}", ran.stderr);
}

#[test]
fn the_types_may_be_dockers() {
    let Some(home) = home() else { return };
    home.build(["-o", "type=oci,dest=out.tar,oci-mediatypes=false", "ctx"]);
    let archive = archive(&home, "out.tar");
    let entry = &json_of(&archive, "index.json")["manifests"][0];
    assert_eq!(entry["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");
    let manifest = document(&archive, &entry["digest"]);
    assert_eq!(manifest["mediaType"], entry["mediaType"]);
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.docker.container.image.v1+json");
    for layer in manifest["layers"].as_array().unwrap() {
        assert_eq!(layer["mediaType"], "application/vnd.docker.image.rootfs.diff.tar.gzip");
    }
}

#[test]
fn an_archive_appears_whole_or_not_at_all() {
    let Some(home) = home() else { return };
    home.write("out.tar", "what was there before");
    home.write("failing/Dockerfile", "FROM base\nRUN false\n");
    home.layercake(["build", "-o", "type=oci,dest=out.tar", "failing"]).exits(1);
    assert_eq!(home.read("out.tar"), "what was there before");
    home.build(["-o", "type=oci,dest=out.tar", "ctx"]);
    let names: Vec<_> = fs::read_dir(home.path("work")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.iter().filter(|name| name.to_string_lossy().starts_with("out.tar")).count(), 1, "{names:?}");
}

#[test]
fn what_was_compressed_once_is_not_compressed_again() {
    let Some(home) = home() else { return };
    // A blob that is made again is another file of the same name.
    let blobs = || {
        use std::os::unix::fs::MetadataExt;
        let entries = fs::read_dir(home.path("store/blobs/sha256")).unwrap();
        let entry = |entry: fs::DirEntry| (entry.file_name(), entry.metadata().unwrap().ino());
        entries.map(|found| entry(found.unwrap())).collect::<std::collections::BTreeMap<_, _>>()
    };
    for options in
        ["compression=gzip", "compression=zstd,compression-level=9", "compression=none,force-compression=true"]
    {
        let export = |name: &str| home.dated(["-o", &format!("type=oci,dest={name},{options}"), "ctx"]);
        export("first.tar");
        let before = blobs();
        export("second.tar");
        assert_eq!(blobs(), before, "{options}");
        assert_eq!(fs::read(home.path("work/first.tar")).unwrap(), fs::read(home.path("work/second.tar")).unwrap());
    }
}

#[test]
fn what_cannot_be_is_refused_before_the_build() {
    let Some(home) = home() else { return };
    let cases = [
        ("compression=estargz", "there is no compression `estargz` here; there are `gzip`, `zstd` and `none`"),
        ("compression=gzip,compression-level=10", "gzip has no compression level 10"),
        ("compression=zstd,compression-level=0", "zstd has no compression level 0"),
        ("compression=zstd,compression-level=fast", "`fast` is no level"),
    ];
    for (options, expected) in cases {
        let ran = home
            .layercake(["build", "--progress=plain", "-o", &format!("type=oci,dest=x.tar,{options}"), "ctx"])
            .exits(2);
        assert!(ran.stderr.contains(expected) && !ran.stderr.contains("RUN"), "{}", ran.stderr);
    }
}
