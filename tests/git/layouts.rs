//! Images of OCI layouts and of registries' names as named contexts.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::Home;
use crate::support::tools;

/// A home with the layout `layout`, which has the image that this Dockerfile makes, called `one:v1`.
fn with_layout(dockerfile: &str) -> Option<Home> {
    let home = Home::with_base()?;
    home.write("source/Dockerfile", dockerfile);
    home.layercake(["build", "-t", "one:v1", "-o", "type=oci,dest=layout.tar", "source"]).ok();
    fs::create_dir(home.path("work/layout")).unwrap();
    tools::run(Command::new("tar").args(["-xf", "layout.tar", "-C", "layout"]).current_dir(home.path("work")));
    // Another store, which knows nothing of it.
    fs::rename(home.path("store"), home.path("old")).unwrap();
    home.import_base();
    Some(home)
}

fn index(home: &Home) -> Value {
    serde_json::from_str(&home.read("layout/index.json")).unwrap()
}

const SOURCE: &str = "FROM base\nRUN echo from > /the && echo layout >> /the\nENV KEY=value\n";

#[test]
fn a_layout_is_a_base_and_a_source() {
    let Some(home) = with_layout(SOURCE) else { return };
    home.write(
        "ctx/Dockerfile",
        "FROM other\nRUN echo $KEY > /key\nFROM scratch\nCOPY --from=other /the /\nCOPY --from=0 /key /\n",
    );
    let digest = index(&home)["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let absolute = home.path("work/layout").display().to_string();
    for reference in [
        "layout:v1".to_owned(),
        "./layout".to_owned(),
        format!("{absolute}:v1"),
        format!("{absolute}@{digest}"),
        format!("layout:whatever@{digest}"),
    ] {
        let context = format!("other=oci-layout://{reference}");
        let ran = home.layercake([
            "build",
            "--offline",
            "-q",
            "-o",
            "type=tar,dest=tree.tar",
            "--build-context",
            &context,
            "ctx",
        ]);
        ran.ok();
        let files = crate::Files::read(&fs::read(home.path("work/tree.tar")).unwrap());
        assert_eq!((files.text("the"), files.text("key")), ("from\nlayout\n", "value\n"), "{reference}");
    }
    // The image stays one of the layout: it has no name here.
    assert!(!home.layercake(["images"]).ok().stdout.contains("one"));
    let plan = home.layercake(["compile", "--build-context", "other=oci-layout://layout", "ctx"]).ok().stdout;
    assert!(plan.contains("image oci-layout://layout\n") && plan.contains(&digest), "{plan}");
}

#[test]
fn an_image_on_a_layout_has_its_layers() {
    let Some(home) = with_layout(SOURCE) else { return };
    home.write("ctx/Dockerfile", "FROM other\nRUN true\n");
    home.build(["--build-context", "other=oci-layout://layout:v1", "-t", "x", "ctx"]);
    assert_eq!(home.diff_ids("x").len(), 3);
    assert_eq!(home.layers("x")[1].text("the"), "from\nlayout\n");
}

#[test]
fn what_is_wrong_with_a_layout() {
    let Some(home) = with_layout(SOURCE) else { return };
    home.write("ctx/Dockerfile", "FROM scratch\n\nCOPY --from=other /the /\n");
    let assert_refused = |reference: &str, status: i32, words: &[&str]| {
        let context = format!("other=oci-layout://{reference}");
        let ran = home.layercake(["build", "--build-context", &context, "ctx"]).exits(status);
        for words in words.iter().chain(&["ctx/Dockerfile:3"]) {
            assert!(ran.stderr.contains(words), "{reference}: no `{words}` in\n{}", ran.stderr);
        }
    };
    let none = format!("sha256:{}", "1".repeat(64));
    assert_refused("nowhere", 2, &["nowhere"]);
    assert_refused("ctx", 2, &["it is no layout"]);
    assert_refused(&format!("layout@{none}"), 2, &["is missing", &none]);
    // A second image, and then the tag has to be right.
    let mut index = index(&home);
    let mut second = index["manifests"][0].clone();
    second["annotations"] = json!({"org.opencontainers.image.ref.name": "v2"});
    index["manifests"].as_array_mut().unwrap().push(second);
    home.write("layout/index.json", index.to_string());
    assert_refused("layout", 2, &["no image with the tag `latest`", "v1, ", "v2"]);
    // A layer that is not what its name says, and one that is not there.
    let manifest = index["manifests"][0]["digest"].as_str().unwrap()["sha256:".len()..].to_owned();
    let manifest: Value = serde_json::from_str(&home.read(&format!("layout/blobs/sha256/{manifest}"))).unwrap();
    let layer = manifest["layers"][1]["digest"].as_str().unwrap()["sha256:".len()..].to_owned();
    let path = home.path("work/layout/blobs/sha256").join(layer);
    let good = fs::read(&path).unwrap();
    let damaged: Vec<u8> = good.iter().map(|byte| byte ^ 1).collect();
    fs::write(&path, damaged).unwrap();
    assert_refused("layout:v1", 2, &["has the digest"]);
    fs::write(&path, &good[1..]).unwrap();
    assert_refused("layout:v1", 2, &["blob"]);
    fs::remove_file(&path).unwrap();
    assert_refused("layout:v1", 2, &["the layer", "is missing"]);
    home.write("layout/index.json", "{");
    assert_refused("layout:v1", 2, &["`index.json` is not readable"]);
}

#[test]
fn an_image_stands_in_for_another_and_for_a_stage() {
    let Some(home) = Home::with_base() else { return };
    home.write("other/Dockerfile", "FROM base\nRUN echo other > /which\n");
    home.build(["-t", "team/other:2", "other"]);
    let digest = home.inspect("team/other:2")["Digest"].as_str().map(str::to_owned);
    let by_digest = digest.map(|digest| format!("docker-image://team/other@{digest}"));
    home.write("ctx/Dockerfile", "FROM alpine:3.20 AS first\nFROM base AS stage\nRUN false\nFROM scratch\nCOPY --from=first /which /1\nCOPY --from=stage /which /2\nCOPY --from=example.org/x/y:z /which /3\n");
    for image in [Some("docker-image://team/other:2".to_owned()), by_digest].into_iter().flatten() {
        let names = ["alpine:3.20", "stage", "example.org/x/y:z"].map(|name| format!("--build-context={name}={image}"));
        home.build(["--offline", &names[0], &names[1], &names[2], "-t", "x", "ctx"]);
        let layers = home.layers("x");
        let texts = [layers[0].text("1"), layers[1].text("2"), layers[2].text("3")];
        assert_eq!(texts, ["other\n"; 3], "{image}");
    }
    home.write("ctx/Dockerfile", "FROM alpine:3.20\n");
    let ran = home
        .layercake(["build", "--offline", "--build-context=alpine:3.20=docker-image://Not/An:Image:", "ctx"])
        .exits(2);
    assert!(ran.stderr.contains("ctx/Dockerfile:1"), "{}", ran.stderr);
}
