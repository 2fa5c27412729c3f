//! What is said of an image beside its files: annotations, labels, and the file of metadata.

use serde_json::{Value, json};

use crate::support::Home;
use crate::support::archive::Files;
use crate::support::home::EPOCH;
use crate::support::image::{document, json as json_of};

fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", "FROM base\nLABEL a=file b=file\n");
    Some(home)
}

fn archive(home: &Home) -> Files {
    Files::read(&std::fs::read(home.path("work/x.tar")).unwrap())
}

#[test]
fn annotations_stand_where_they_are_meant_to() {
    let Some(home) = home() else { return };
    home.build([
        "--annotation=org.opencontainers.image.title=My image",
        "--annotation=manifest-descriptor:where=list",
        "--annotation=manifest,manifest-descriptor:both=x=y",
        "--annotation=manifest[linux/s390x]:elsewhere=z",
        "-o",
        "type=oci,dest=x.tar,annotation.own=1,annotation-manifest-descriptor.own=2",
        "-o",
        "type=image,name=other",
        "ctx",
    ]);
    let archive = archive(&home);
    let entry = &json_of(&archive, "index.json")["manifests"][0];
    assert_eq!(entry["annotations"], json!({"both": "x=y", "own": "2", "where": "list"}));
    let manifest = document(&archive, &entry["digest"]);
    let expected = json!({"both": "x=y", "org.opencontainers.image.title": "My image", "own": "1"});
    assert_eq!(manifest["annotations"], expected);
    // What one output says of the image is not what the other says.
    let other = home.inspect("other");
    assert_eq!(other["Manifest"]["annotations"], json!({"both": "x=y", "org.opencontainers.image.title": "My image"}));
    assert_eq!(other["Manifest"]["config"]["digest"], manifest["config"]["digest"]);
}

#[test]
fn an_annotation_that_can_stand_nowhere_is_refused() {
    let Some(home) = home() else { return };
    for (annotation, message) in [
        ("index:a=b", "index annotations not supported for single platform export"),
        ("manifset:a=b", "unknown annotation type `manifset`"),
        ("a", "--annotation"),
    ] {
        let ran = home.layercake(["build", "--annotation", annotation, "ctx"]).exits(2);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
}

#[test]
fn labels_of_the_command_go_over_those_of_the_file() {
    let Some(home) = home() else { return };
    home.build(["--label", "b=command", "--label", "c", "-t", "x", "ctx"]);
    assert_eq!(home.inspect("x")["Config"]["Labels"], json!({"a": "file", "b": "command", "c": ""}));
}

#[test]
fn metadata_is_what_buildx_writes() {
    let Some(home) = home() else { return };
    let output = "type=image,\"name=second,third:3\"";
    let built = home.dated(["-t", "first", "-o", output, "--metadata-file=m.json", "--iidfile=id", "ctx"]);
    let image = home.inspect("third:3");
    assert_eq!(image["Digest"], built.digest);
    let config = &image["Manifest"]["config"]["digest"];
    let metadata: Value = serde_json::from_str(&home.read("m.json")).unwrap();
    let size = metadata["containerimage.descriptor"]["size"].as_u64().unwrap();
    assert!(size > 100);
    assert_eq!(
        metadata,
        json!({
            "containerimage.config.digest": config,
            "containerimage.descriptor": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": built.digest,
                "size": size,
                "annotations": {"config.digest": config, "org.opencontainers.image.created": "2023-11-14T22:13:20Z"},
            },
            "containerimage.digest": built.digest,
            "image.name": "docker.io/library/first:latest,docker.io/library/second:latest,docker.io/library/third:3",
            "layercake.target": "0",
        }),
        "{EPOCH}"
    );
    assert_eq!(home.read("id"), built.digest);
    // Where there is no image, there is less to say.
    home.build(["-o", "type=local,dest=out", "--metadata-file=m.json", "ctx"]);
    assert_eq!(serde_json::from_str::<Value>(&home.read("m.json")).unwrap(), json!({"layercake.target": "0"}));
}
