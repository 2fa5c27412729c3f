//! Images for several platforms in the store: every command gets the one that is meant.

use std::fs;

use serde_json::Value;

use crate::support::Home;
use crate::support::archive::Files;
use crate::support::image::{document, json as json_of};
use crate::support::platforms::{BOTH, FOREIGN, NATIVE};

fn home() -> Option<(Home, String)> {
    let home = Home::with_platforms()?;
    home.write("ctx/Dockerfile", "FROM base\nRUN uname -m > /machine\n");
    let digest = home.build(["--platform", BOTH, "-t", "x:1", "ctx"]).digest;
    Some((home, digest))
}

#[test]
fn a_name_leads_to_an_index_and_to_the_image_for_this_machine() {
    let Some((home, digest)) = home() else { return };
    let inspected = home.inspect("x:1");
    assert_eq!((&inspected["Id"], &inspected["Architecture"]), (&Value::from(digest.as_str()), &Value::from(NATIVE.0)));
    let short = &digest.trim_start_matches("sha256:")[..12];
    assert!(home.layercake(["images"]).ok().stdout.contains(short));
    assert_eq!(home.layercake(["run", "x:1", "cat", "/machine"]).ok().stdout, format!("{}\n", NATIVE.1));
    let platform = format!("linux/{}", FOREIGN.0);
    let foreign = home.layercake(["run", "--platform", &platform, "x:1", "sh", "-c", "cat /machine; uname -m"]).ok();
    assert_eq!(foreign.stdout, format!("{0}\n{0}\n", FOREIGN.1));
    assert!(home.layercake(["history", "x:1"]).ok().stdout.contains("uname -m"));
}

#[test]
fn a_further_name_and_an_archive_have_all_platforms() {
    let Some((home, digest)) = home() else { return };
    home.layercake(["tag", "x:1", "y:2"]).ok();
    home.layercake(["save", "-o", "y.tar", "y:2"]).ok();
    let archive = Files::read(&fs::read(home.path("work/y.tar")).unwrap());
    let entry = json_of(&archive, "index.json")["manifests"][0].clone();
    assert_eq!(entry["digest"], digest.as_str());
    assert_eq!(document(&archive, &entry["digest"])["manifests"].as_array().unwrap().len(), 2);
    let other = Home::empty();
    fs::copy(home.path("work/y.tar"), other.path("work/y.tar")).unwrap();
    other.layercake(["load", "-i", "y.tar"]).ok();
    for (architecture, machine) in [NATIVE, FOREIGN] {
        let platform = format!("linux/{architecture}");
        let said = other.layercake(["run", "--platform", &platform, "y:2", "cat", "/machine"]).ok();
        assert_eq!(said.stdout, format!("{machine}\n"));
    }
}

#[test]
fn a_cache_that_travels_serves_all_platforms_and_each() {
    let Some((home, _)) = home() else { return };
    let built = home.build(["--platform", BOTH, "--cache-to=type=local,dest=cache,mode=max", "-t", "x:1", "ctx"]);
    let digest = built.digest;
    for platforms in [BOTH, &format!("linux/{}", FOREIGN.0)] {
        let other = Home::with_platforms().unwrap();
        let from = format!("--cache-from=type=local,src={}", home.path("work/cache").display());
        other.write("ctx/Dockerfile", home.read("ctx/Dockerfile"));
        let built = other.build(["--platform", platforms, &from, "-t", "x:1", "ctx"]);
        assert_eq!(built.ran("RUN"), 0, "{:?}", built.started);
        if platforms == BOTH {
            assert_eq!(built.digest, digest);
        }
    }
}

#[test]
fn an_index_without_an_image_for_this_machine_is_an_image_all_the_same() {
    let Some(home) = Home::with_platforms() else { return };
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let digest = home.build(["--platform", "linux/riscv64,linux/s390x", "-t", "far:1", "ctx"]).digest;
    assert_eq!(home.inspect("far:1")["Architecture"], "riscv64");
    assert_eq!(home.inspect(&digest[..20])["Id"], digest);
    assert!(home.layercake(["history", "far:1"]).ok().stdout.contains("COPY"));
    home.layercake(["tag", "far:1", "far:2"]).ok();
    home.layercake(["save", "-o", "far.tar", "far:2"]).ok();
    // Nothing runs here that is not for here.
    home.write("from/Dockerfile", "FROM far:1\nCOPY Dockerfile /second\n");
    let ran = home.layercake(["build", "--offline", "from"]).exits(3);
    assert!(ran.stderr.contains(&format!("the store has `far:1`, but not for linux/{}", NATIVE.0)), "{}", ran.stderr);
    home.build(["--offline", "--platform", "linux/s390x", "-t", "second", "from"]);
    home.layercake(["rmi", "far:1", "far:2"]).ok();
    assert_eq!(home.layercake(["images", "-q", "far"]).ok().stdout, "");
}
