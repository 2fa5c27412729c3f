//! Where images for several platforms go: archives, layouts, folders, registries, and what is told of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::Home;
use crate::support::archive::Files;
use crate::support::home::run;
use crate::support::image::{document, json as json_of, strings};
use crate::support::platforms::{BOTH, FOREIGN, NATIVE};
use crate::support::registry::{self, Registry};
use crate::support::tools::available;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn home() -> Option<Home> {
    let home = Home::with_platforms()?;
    home.write("ctx/Dockerfile", "FROM base\nRUN uname -m > /machine\n");
    Some(home)
}

/// What an index says of the platforms of its images.
fn platforms(index: &Value) -> Vec<Value> {
    index["manifests"].as_array().unwrap().iter().map(|entry| entry["platform"].clone()).collect()
}

fn both() -> Vec<Value> {
    [NATIVE.0, FOREIGN.0].map(|architecture| json!({"architecture": architecture, "os": "linux"})).to_vec()
}

#[test]
fn an_archive_and_a_layout_hold_an_index_of_the_images() {
    let Some(home) = home() else { return };
    let digest = home.dated(["--platform", BOTH, "-o", "type=oci,dest=x.tar", "-t", "x:1", "ctx"]).digest;
    let archive = Files::read(&fs::read(home.path("work/x.tar")).unwrap());
    let list = json_of(&archive, "index.json");
    let entry = &list["manifests"][0];
    assert_eq!((&entry["mediaType"], &entry["digest"]), (&json!(INDEX), &json!(digest)));
    assert_eq!(entry["annotations"]["io.containerd.image.name"], "docker.io/library/x:1");
    let index = document(&archive, &entry["digest"]);
    assert_eq!((&index["mediaType"], platforms(&index)), (&json!(INDEX), both()));
    for (entry, architecture) in index["manifests"].as_array().unwrap().iter().zip([NATIVE.0, FOREIGN.0]) {
        let manifest = document(&archive, &entry["digest"]);
        let config = document(&archive, &manifest["config"]["digest"]);
        assert_eq!((&config["architecture"], &config["os"]), (&json!(architecture), &json!("linux")));
        for layer in manifest["layers"].as_array().unwrap() {
            let hex = layer["digest"].as_str().unwrap().trim_start_matches("sha256:");
            assert!(archive.0.contains_key(&format!("blobs/sha256/{hex}")), "{layer}");
        }
    }
    home.dated(["--platform", BOTH, "-o", "type=oci,tar=false,dest=layout", "-t", "x:1", "ctx"]);
    assert_eq!(serde_json::from_str::<Value>(&home.read("layout/index.json")).unwrap(), list);
    // Whoever builds from the layout gets the platform that is wanted.
    home.write("from/Dockerfile", "FROM lib\nRUN uname -m; cat /machine\n");
    let platform = format!("linux/{}", FOREIGN.0);
    let lib = "--build-context=lib=oci-layout://layout";
    let built = home.build(["--platform", &platform, lib, "-t", "y", "from"]);
    assert_eq!(built.output, format!("{0}\n{0}\n", FOREIGN.1));
}

#[test]
fn docker_types_make_a_list_of_manifests() {
    let Some(home) = home() else { return };
    home.build(["--platform", BOTH, "-o", "type=oci,dest=x.tar,oci-mediatypes=false", "ctx"]);
    let archive = Files::read(&fs::read(home.path("work/x.tar")).unwrap());
    let index = document(&archive, &json_of(&archive, "index.json")["manifests"][0]["digest"]);
    assert_eq!(index["mediaType"], "application/vnd.docker.distribution.manifest.list.v2+json");
    assert_eq!(index["manifests"][1]["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");
}

#[test]
fn files_lie_in_a_folder_for_each_platform() {
    let Some(home) = home() else { return };
    home.build(["--platform", BOTH, "-o", "type=tar,dest=x.tar", "-o", "out", "ctx"]);
    let archive = Files::read(&fs::read(home.path("work/x.tar")).unwrap());
    for (architecture, machine) in [NATIVE, FOREIGN] {
        let folder = format!("linux_{architecture}");
        assert_eq!(archive.text(&format!("{folder}/machine")), format!("{machine}\n"));
        assert_eq!(archive.file(&format!("{folder}/bin/sh")).target, "busybox");
        assert_eq!(home.read(&format!("out/{folder}/machine")), format!("{machine}\n"));
    }
    let outside = archive.0.keys().find(|path| !path.starts_with("linux_"));
    assert_eq!(outside, None);
    // Variants belong to the name.
    home.write("empty/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    home.build(["--platform", "linux/arm/v6,linux/arm,linux/amd64/v2", "-o", "variants", "empty"]);
    let mut names: Vec<_> = fs::read_dir(home.path("work/variants")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["linux_amd64_v2", "linux_arm_v6", "linux_arm_v7"]);
}

#[test]
fn what_is_told_is_told_of_the_index() {
    let Some(home) = home() else { return };
    let arguments = ["--platform", BOTH, "--iidfile", "iid", "--metadata-file", "metadata", "-t", "x:1", "ctx"];
    let digest = home.build(arguments).digest;
    assert_eq!(home.read("iid"), digest);
    let metadata: Value = serde_json::from_str(&home.read("metadata")).unwrap();
    assert_eq!(metadata["containerimage.digest"], digest);
    assert_eq!(metadata["containerimage.descriptor"]["mediaType"], INDEX);
    assert_eq!(metadata.get("containerimage.config.digest"), None);
    assert_eq!(metadata["image.name"], "docker.io/library/x:1");
}

#[test]
fn annotations_stand_in_the_index_and_in_the_images_that_they_name() {
    let Some(home) = home() else { return };
    let foreign = format!("--annotation=manifest[linux/{}]:own=3", FOREIGN.0);
    home.build([
        "--platform",
        BOTH,
        "--annotation=index:where=index",
        "--annotation=index-descriptor:where=list",
        "--annotation=manifest-descriptor:entry=2",
        "--annotation=all=1",
        &foreign,
        "-o",
        "type=oci,dest=x.tar,annotation-index.too=4",
        "ctx",
    ]);
    let archive = Files::read(&fs::read(home.path("work/x.tar")).unwrap());
    let entry = &json_of(&archive, "index.json")["manifests"][0];
    assert_eq!(entry["annotations"], json!({"where": "list"}));
    let index = document(&archive, &entry["digest"]);
    assert_eq!(index["annotations"], json!({"too": "4", "where": "index"}));
    let entries = index["manifests"].as_array().unwrap();
    let of = |entry: &Value| document(&archive, &entry["digest"])["annotations"].clone();
    assert_eq!(entries.iter().map(of).collect::<Vec<_>>(), [json!({"all": "1"}), json!({"all": "1", "own": "3"})]);
    assert!(entries.iter().all(|entry| entry["annotations"] == json!({"entry": "2"})), "{entries:?}");
}

#[test]
fn a_registry_gets_all_images_and_then_the_index() {
    if !available(&[registry::PROGRAM]) {
        return;
    }
    let Some(home) = home() else { return };
    let registry = Registry::open();
    let name = format!("{}/x:1", registry.host());
    let digest = home.build(["--platform", BOTH, "--push", "-t", &name, "ctx"]).digest;
    let other = Home::empty();
    for (architecture, machine) in [FOREIGN, NATIVE] {
        let platform = format!("linux/{architecture}");
        let pulled = other.layercake(["pull", "-q", "--platform", &platform, &name]).ok();
        assert_eq!(pulled.stdout.trim(), digest);
        let said = other.layercake(["run", "--platform", &platform, &name, "cat", "/machine"]).ok();
        assert_eq!(said.stdout, format!("{machine}\n"));
    }
    // A base of several platforms that is only in the registry.
    let third = Home::empty();
    third.write("ctx/Dockerfile", format!("FROM {name}\nRUN uname -m >> /machine\n"));
    third.build(["--platform", BOTH, "-o", "out", "ctx"]);
    for (architecture, machine) in [FOREIGN, NATIVE] {
        assert_eq!(third.read(&format!("out/linux_{architecture}/machine")), format!("{machine}\n{machine}\n"));
    }
}

#[test]
fn who_can_hold_one_image_only_is_not_given_several() {
    let Some(home) = home() else { return };
    let ran = home.layercake(["build", "--platform", BOTH, "-o", "type=docker,dest=x.tar", "ctx"]).exits(2);
    assert!(
        ran.stderr.contains("docker exporter does not currently support exporting manifest lists"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("RUN"), "nothing is done first: {}", ran.stderr);
    for (program, script, status) in [
        ("podman", "true", 2),
        ("docker", "echo '[[\"Backing Filesystem\",\"extfs\"]]'", 2),
        (
            "docker",
            "[ $1 = load ] && cat > docker.tar || echo '[[\"driver-type\",\"io.containerd.snapshotter.v1\"]]'",
            0,
        ),
        ("ctr", "echo \"$@\" > called; [ $1 = version ] || cat > ctr.tar", 0),
    ] {
        for name in ["newuidmap", "newgidmap", "sh", "cat"] {
            let _ = fs::create_dir(home.path("work/bin"));
            let _ = std::os::unix::fs::symlink(format!("/usr/bin/{name}"), home.path("work/bin").join(name));
        }
        home.write(&format!("bin/{program}"), format!("#!/bin/sh\n{script}\n"));
        let path = home.path("work/bin").join(program);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let mut build = home.command(["build", "--load", "--platform", BOTH, "-t", "x", "ctx"]);
        let ran = run(build.env("PATH", home.path("work/bin"))).exits(status);
        if status == 2 {
            assert!(
                ran.stderr.contains(&format!("`--load` hands over the image for one platform, and not 2 to {program}")),
                "{}",
                ran.stderr
            );
        } else {
            let archive = Files::read(&fs::read(home.path("work").join(format!("{program}.tar"))).unwrap());
            let index = document(&archive, &json_of(&archive, "index.json")["manifests"][0]["digest"]);
            assert_eq!(platforms(&index), both());
            assert_eq!(strings(&json_of(&archive, "manifest.json")[0]["RepoTags"]), ["x:latest"]);
        }
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(home.read("called"), "images import --all-platforms -\n");
}
