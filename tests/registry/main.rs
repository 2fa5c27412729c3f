//! Between stores by way of a registry: Debian's, on a loopback port.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod authority;
mod faults;
mod faulty;
mod mirrors;
mod proxies;
mod resumed;
mod secured;
mod wrong;

use std::path::Path;

use serde_json::Value;

use support::Home;
use support::home::run;
use support::registry::{PROGRAM, Protection, Protocol, Registry};
use support::tools::{self, available};

/// A registry, and a home whose image `NAME` of the registry is built and pushed.
fn pushed() -> Option<(Registry, Home, String)> {
    if !available(&[PROGRAM]) {
        return None;
    }
    let home = Home::with_base()?;
    let registry = Registry::open();
    let name = format!("{}/team/app:1", registry.host());
    home.write("ctx/Dockerfile", "FROM base\nRUN echo one > /one\nCOPY two /\nENV A=1\n").write("ctx/two", "two");
    home.build(["-t", &name, "ctx"]);
    home.layercake(["push", &name]).ok();
    Some((registry, home, name))
}

/// The requests after the first `before`.
fn since(registry: &Registry, before: usize) -> Vec<String> {
    registry.requests().split_off(before)
}

#[test]
fn an_empty_store_pulls_what_was_pushed() {
    let Some((_registry, home, name)) = pushed() else { return };
    let other = Home::empty();
    let pulled = other.layercake(["pull", &name]).ok();
    let (here, there) = (home.inspect(&name), other.inspect(&name));
    assert_eq!(pulled.stdout.trim(), here["Digest"]);
    for field in ["Digest", "Manifest", "Config", "RootFS", "History"] {
        assert_eq!(there[field], here[field], "{field}");
    }
    assert_eq!(other.layers(&name)[2].text("two"), "two");
}

#[test]
fn an_empty_store_builds_from_what_was_pushed() {
    let Some((registry, home, name)) = pushed() else { return };
    let dockerfile = format!("FROM {name}\nRUN cat /one /two > /both && echo $A\n");
    home.write("on/Dockerfile", &dockerfile);
    let other = Home::empty();
    other.write("on/Dockerfile", &dockerfile);
    let here = home.dated(["-t", "on", "on"]);
    let there = other.dated(["-t", "on", "on"]);
    assert_eq!(here.digest, there.digest);
    assert_eq!(other.layers("on")[3].text("both"), "one\ntwo");
    // The base is in the store now, and the registry is not asked again.
    let before = registry.requests().len();
    assert_eq!(other.dated(["on"]).started, [""; 0]);
    assert_eq!(since(&registry, before), [""; 0]);
    // Unless somebody wants the newest: then nothing is fetched, but whether the tag has moved is asked.
    assert_eq!(other.dated(["--pull", "on"]).started, [""; 0]);
    assert_eq!(since(&registry, before), ["GET /v2/ 200", "HEAD /v2/team/app/manifests/1 200"]);
    // Without the registry, what was found before will do.
    drop(registry);
    assert_eq!(other.dated(["--offline", "on"]).started, [""; 0]);
    assert_eq!(other.dated(["on"]).digest, here.digest);
}

#[test]
fn layers_that_no_step_reads_are_not_fetched() {
    let Some((registry, _home, name)) = pushed() else { return };
    let other = Home::empty();
    other.write("ctx/Dockerfile", format!("FROM {name}\nENV B=2\nLABEL c=d\n"));
    let before = registry.requests().len();
    other.build(["-t", &format!("{}/team/app:2", registry.host()), "--push", "ctx"]);
    let requests = since(&registry, before);
    let fetched = requests.iter().filter(|request| request.starts_with("GET") && request.contains("/blobs/")).count();
    assert_eq!(fetched, 1, "the configuration alone: {requests:?}");
    let third = Home::empty();
    third.layercake(["pull", "-q", &format!("{}/team/app:2", registry.host())]).ok();
    assert_eq!(third.layers(&format!("{}/team/app:2", registry.host())).len(), 3);
    // Another registry has to be brought them.
    let elsewhere = Registry::open();
    let copy = format!("{}/copy:2", elsewhere.host());
    other.build(["-t", &copy, "--push", "ctx"]);
    let fourth = Home::empty();
    fourth.layercake(["pull", "-q", &copy]).ok();
    assert_eq!(fourth.layers(&copy).len(), 3);
}

/// Whether a file of this content lies anywhere in a folder, as far as this user may read it.
fn holds(folder: &Path, content: &str) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| match entry.file_type().unwrap() {
        found if found.is_dir() => holds(&entry.path(), content),
        found => found.is_file() && std::fs::read(entry.path()).is_ok_and(|found| found == content.as_bytes()),
    })
}

#[test]
fn an_image_that_is_only_added_to_is_not_unpacked() {
    let Some((_registry, home, name)) = pushed() else { return };
    let text = |last: &str| format!("FROM {name}\nWORKDIR /bin/app\nCOPY --chown=root Dockerfile ../../two\n{last}");
    let other = Home::empty();
    let (added_to, read) = (text("CMD [\"x\"]\n"), text("RUN cat /one\n"));
    for home in [&home, &other] {
        home.write("add/Dockerfile", &added_to).write("read/Dockerfile", &read);
    }
    let made = other.dated(["-t", "x", "add"]);
    assert_eq!(made.digest, home.dated(["add"]).digest);
    let folders = other.path("store").join("folders");
    assert!(!holds(&folders, "one\n"), "it is known where things stand in it, and no more");
    assert_eq!(other.layers("x").last().unwrap().text("two"), added_to);
    // What was found out then is good later too, and what a command reads is there.
    assert_eq!(other.dated(["read"]).digest, home.dated(["read"]).digest);
    assert!(holds(&folders, "one\n"));
}

#[test]
fn layers_that_are_compressed_anew_are_fetched_first() {
    let Some((_registry, home, name)) = pushed() else { return };
    let other = Home::empty();
    other.write("ctx/Dockerfile", format!("FROM {name}\nENV B=2\n"));
    other.build(["-o", "type=image,name=x,compression=zstd,force-compression=true", "ctx"]);
    let layers = other.inspect("x")["Manifest"]["layers"].clone();
    let types: Vec<&str> =
        layers.as_array().unwrap().iter().map(|layer| layer["mediaType"].as_str().unwrap()).collect();
    assert_eq!(types, ["application/vnd.oci.image.layer.v1.tar+zstd"; 3]);
    assert_eq!(other.diff_ids("x"), home.diff_ids(&name), "what the layers hold is what it was");
    assert_eq!(other.layers("x")[2].text("two"), "two");
}

#[test]
fn an_image_whose_base_no_step_has_read_is_whole_all_the_same() {
    let Some((registry, _home, name)) = pushed() else { return };
    let other = Home::empty();
    other.write("ctx/Dockerfile", format!("FROM {name}\nENV B=2\n"));
    other.build(["-t", "local/name", "ctx"]);
    // The name of the image leads to no registry: the layers are where the base's are.
    let ran = other.layercake(["run", "--rm", "--network=none", "local/name", "cat", "/two"]).ok();
    assert_eq!(ran.stdout, "two");
    let third = Home::empty();
    third.write("ctx/Dockerfile", format!("FROM {name}\nENV B=2\n"));
    third.build(["-t", "local/name", "ctx"]);
    assert_eq!(third.layers("local/name")[2].text("two"), "two");
    drop(registry);
    other.layercake(["run", "--rm", "--network=none", "local/name", "true"]).ok();
}

#[test]
fn a_second_push_sends_nothing() {
    let Some((registry, home, name)) = pushed() else { return };
    let before = registry.requests().len();
    let again = home.layercake(["push", &name]).ok();
    assert_eq!(again.stdout.trim(), home.inspect(&name)["Digest"]);
    let sent = since(&registry, before);
    assert!(sent.iter().all(|request| !request.contains("/uploads/")), "{sent:?}");
    assert!(!again.stderr.contains("pushed"), "{}", again.stderr);
}

#[test]
fn a_second_pull_fetches_nothing() {
    let Some((registry, _home, name)) = pushed() else { return };
    let other = Home::empty();
    other.layercake(["pull", &name]).ok();
    let before = registry.requests().len();
    other.layercake(["pull", &name]).ok();
    let asked = since(&registry, before);
    assert!(asked.iter().all(|request| !request.contains("/blobs/")), "{asked:?}");
}

#[test]
fn a_build_pushes_all_its_names() {
    let Some((registry, home, _)) = pushed() else { return };
    let names = ["one:1", "two:latest"].map(|name| format!("{}/{name}", registry.host()));
    let built = home.build(["-t", &names[0], "-o", &format!("type=image,name={},push=true", names[1]), "ctx"]);
    for name in &names {
        let other = Home::empty();
        other.layercake(["pull", name]).ok();
        assert_eq!(other.inspect(name)["Digest"], built.digest);
    }
}

#[test]
fn an_image_can_be_named_by_its_digest() {
    let Some((registry, home, name)) = pushed() else { return };
    let digest = home.inspect(&name)["Digest"].as_str().unwrap().to_owned();
    let other = Home::empty();
    other.write("ctx/Dockerfile", format!("FROM {}/team/app@{digest}\nRUN cat /one\n", registry.host()));
    assert!(other.build(["ctx"]).output.contains("one"));
}

#[test]
fn stages_copy_from_images_of_the_registry() {
    let Some((_registry, _home, name)) = pushed() else { return };
    let other = Home::with_base().unwrap();
    other.write(
        "ctx/Dockerfile",
        format!("FROM base\nCOPY --from={name} /one /copied\nRUN --mount=from={name},target=/mnt cp /mnt/two /two\n"),
    );
    other.build(["-t", "x", "ctx"]);
    let layers = other.layers("x");
    assert_eq!((layers[1].text("copied"), layers[2].text("two")), ("one\n", "two"));
}

#[test]
fn a_login_opens_a_protected_registry() {
    if !available(&[PROGRAM, "htpasswd"]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let users = tools::run(std::process::Command::new("htpasswd").args(["-Bbn", "ann", "wonder"]));
    home.write("users", users);
    let registry = Registry::start(&Protection::Basic(home.path("work/users")), &Protocol::Http);
    let name = format!("{}/app:1", registry.host());
    home.layercake(["tag", "base", &name]).ok();
    let refused = home.layercake(["push", &name]).exits(3);
    assert!(refused.stderr.contains("layercake login"), "{}", refused.stderr);
    home.layercake(["login", "-u", "ann", "-p", "wrong", &registry.host()]).exits(3);
    home.write("password", "wonder\n");
    let password = std::fs::File::open(home.path("work/password")).unwrap();
    run(home.command(["login", "-u", "ann", "--password-stdin", &registry.host()]).stdin(password)).ok();
    home.layercake(["push", &name]).ok();
    let opened = home.command(["login", "-u", "ann", "-p", "wonder", &registry.host()]).output().unwrap();
    assert!(String::from_utf8_lossy(&opened.stderr).contains("holds the password as it is"), "{opened:?}");
    let kept: Value = serde_json::from_str(&home.read("../home/.docker/config.json")).unwrap();
    assert!(kept["auths"][registry.host()].is_object(), "{kept}");
    home.layercake(["logout", &registry.host()]).ok();
    home.layercake(["pull", &name]).exits(3);
}
