//! What a build tells, and images to and from files: `--iidfile`, `--metadata-file`, `save`, `load`, `import`, the list.

use std::fs;

use serde_json::Value;

use super::varied;
use crate::support::Home;
use crate::support::archive::Files;
use crate::support::image::{json, strings};

#[test]
fn the_digest_is_told_in_all_ways() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo x > /x\n");
    let built = home.build(["--iidfile", "id", "--metadata-file", "metadata.json", "-t", "x:1", "-t", "y", "ctx"]);
    assert_eq!(home.read("id"), built.digest);
    let metadata: Value = serde_json::from_str(&home.read("metadata.json")).unwrap();
    assert_eq!(metadata["containerimage.digest"], built.digest);
    assert_eq!(metadata["containerimage.descriptor"]["digest"], built.digest);
    let image = home.inspect("x:1");
    assert_eq!(metadata["containerimage.config.digest"], image["Manifest"]["config"]["digest"]);
    assert_eq!(
        (&image["Digest"], &home.inspect("y")["Digest"]),
        (&built.digest.clone().into(), &built.digest.clone().into())
    );
    let quiet = home.layercake(["build", "-q", "ctx"]).ok();
    assert_eq!((quiet.stdout.trim(), quiet.stderr.as_str()), (built.digest.as_str(), ""));
}

#[test]
fn a_digest_that_is_told_already_is_told_anew() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nCOPY Dockerfile /\n");
    let first = home.build(["--iidfile", "id", "ctx"]);
    // Such as `make` would compare it with its sources.
    let file = fs::File::options().append(true).open(home.path("work/id")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    home.build(["--iidfile", "id", "ctx"]);
    assert!(file.metadata().unwrap().modified().unwrap() > std::time::UNIX_EPOCH, "the very file is touched");
    home.write("id", format!("{}\n", first.digest));
    home.build(["--iidfile", "id", "ctx"]);
    assert_eq!(home.read("id"), first.digest);
}

#[test]
fn what_is_saved_is_loaded_as_it_was() {
    let Some(home) = varied::built() else { return };
    for format in ["oci", "docker"] {
        let names = varied::IMAGES.map(|(name, _)| name);
        let format = format!("--format={format}");
        let mut save = home.command(["save", &format, "-o", "all.tar"]);
        crate::support::home::run(save.args(names)).ok();
        let other = Home::empty();
        let archive = home.path("work/all.tar").display().to_string();
        let loaded = other.layercake(["load", "-i", &archive]).ok();
        for name in names {
            assert!(loaded.stdout.contains(&format!("Loaded image: {name}:latest\n")), "{}", loaded.stdout);
            assert_eq!(other.diff_ids(name), home.diff_ids(name), "{name}");
            let (here, there) = (home.inspect(name), other.inspect(name));
            assert_eq!(there["Manifest"]["config"], here["Manifest"]["config"], "{format}: {name}");
            if format.ends_with("oci") {
                assert_eq!(there["Digest"], here["Digest"]);
            }
        }
        // What was loaded can be built on.
        other.write("ctx/Dockerfile", "FROM removals\nRUN cat /keep/file && ! test -e /etc/group && echo y > /y\n");
        other.build(["ctx"]);
    }
}

#[test]
fn archives_stream() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo x > /x\n");
    home.build(["-t", "x", "ctx"]);
    let saved = home.command(["save", "x"]).output().unwrap();
    assert!(saved.status.success());
    let other = Home::empty();
    fs::write(other.path("work/in.tar"), &saved.stdout).unwrap();
    let mut load = other.command(["load", "-q"]);
    let loaded = crate::support::home::run(load.stdin(fs::File::open(other.path("work/in.tar")).unwrap())).ok();
    assert_eq!(loaded.stdout, "Loaded image: x:latest\n");
    assert_eq!(strings(&json(&Files::read(&saved.stdout), "manifest.json")[0]["RepoTags"]), ["x:latest"]);
}

#[test]
fn the_list_has_what_was_named() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo x > /x\n");
    home.build(["-t", "team/x:1", "ctx"]);
    home.layercake(["tag", "team/x:1", "registry.example:5000/y"]).ok();
    let list = || {
        let lines = home.layercake(["images", "--format=json"]).ok().stdout;
        let name = |line: &str| {
            let image: Value = serde_json::from_str(line).unwrap();
            format!("{}:{}", image["Repository"].as_str().unwrap(), image["Tag"].as_str().unwrap())
        };
        let mut names: Vec<String> = lines.lines().map(name).collect();
        names.sort();
        names
    };
    assert_eq!(list(), ["base:latest", "registry.example:5000/y:latest", "team/x:1"]);
    home.layercake(["rmi", "team/x:1"]).ok();
    assert_eq!(list(), ["base:latest", "registry.example:5000/y:latest"]);
    home.layercake(["rmi", "team/x:1"]).exits(2);
    // The layers are still there for the next build.
    assert_eq!(home.build(["ctx"]).started, [""; 0]);
}

#[test]
fn history_tells_every_instruction() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nENV A=1\nRUN echo x > /x\nCMD [\"sh\"]\n");
    home.build(["-t", "x", "ctx"]);
    let lines = home.layercake(["history", "--no-trunc", "--format=json", "x"]).ok().stdout;
    let told: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["CreatedBy"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told.len(), 4, "{told:?}");
    for (line, part) in told.iter().zip(["CMD [\"sh\"]", "RUN /bin/sh -c echo x > /x", "ENV A=1"]) {
        assert!(line.contains(part), "{line}");
    }
}
