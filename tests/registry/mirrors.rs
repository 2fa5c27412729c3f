//! Images from other places than their names say.

use std::net::TcpListener;
use std::process::Command;

use crate::support::Home;
use crate::support::home::run;
use crate::support::registry::{PROGRAM, Protection, Protocol, Registry};
use crate::support::tools::{self, available};

/// A registry that has an image under this name, and the image's digest.
fn with(path: &str) -> Option<(Registry, String)> {
    if !available(&[PROGRAM]) {
        return None;
    }
    let (registry, home) = (Registry::open(), Home::empty());
    let name = format!("{}/{path}", registry.host());
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    home.build(["-t", &name, "ctx"]);
    let pushed = home.layercake(["push", &name]).ok();
    Some((registry, pushed.stdout.trim().to_owned()))
}

#[test]
fn own_settings_name_mirrors() {
    let Some((mirror, digest)) = with("hub/team/app:1") else { return };
    let home = Home::empty();
    // The first of the two is not there.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let section = format!("[registry.\"r.invalid\"]\nmirrors = [\"{nobody}\", \"{}/hub\"]\n", mirror.host());
    home.write("layercake.toml", &section);
    let pulled = home.layercake(["pull", "r.invalid/team/app:1"]).ok();
    assert_eq!(pulled.stdout.trim(), digest);
    assert!(pulled.stderr.contains(&format!("the mirror {nobody}/team/app could not help")), "{}", pulled.stderr);
    // A build too, and its context is its project.
    let other = Home::empty();
    other.write("ctx/layercake.toml", &section).write("ctx/Dockerfile", "FROM r.invalid/team/app:1\nENV A=1\n");
    other.build(["-t", "x", "ctx"]);
    assert_eq!(other.layers("x").len(), 1);
}

#[test]
fn a_mirror_that_is_not_there_is_asked_once() {
    let Some((mirror, digest)) = with("team/app:1") else { return };
    let home = Home::empty();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    home.write(
        "layercake.toml",
        format!("[registry.\"r.invalid\"]\nmirrors = [\"{nobody}\", \"{}\"]\n", mirror.host()),
    );
    let pulled = home.layercake(["pull", "r.invalid/team/app:1"]).ok();
    assert_eq!(pulled.stdout.trim(), digest);
    assert_eq!(pulled.stderr.matches("could not help").count(), 1, "{}", pulled.stderr);
}

#[test]
fn a_mirror_has_credentials_of_its_own() {
    if !available(&[PROGRAM, "htpasswd"]) {
        return;
    }
    let home = Home::empty();
    home.write("users", tools::run(Command::new("htpasswd").args(["-Bbn", "ann", "wonder"])));
    let mirror = Registry::start(&Protection::Basic(home.path("work/users")), &Protocol::Http);
    let host = mirror.host();
    home.layercake(["login", "-u", "ann", "-p", "wonder", &host]).ok();
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    home.build(["-t", &format!("{host}/app:1"), "ctx"]);
    home.layercake(["push", &format!("{host}/app:1")]).ok();
    home.write("layercake.toml", format!("[registry.\"r.invalid\"]\nmirrors = [\"{host}\"]\n"));
    home.layercake(["pull", "r.invalid/app:1"]).ok();
}

#[test]
fn registries_conf_names_mirrors_and_other_places() {
    let Some((mirror, digest)) = with("copies/app:1") else { return };
    let host = mirror.host();
    let pull = |text: &str, name: &str| {
        let home = Home::empty();
        home.write("../config/containers/registries.conf", text);
        home.layercake(["pull", "-q", name])
    };
    let mirrored =
        format!("[[registry]]\nlocation = \"r.invalid\"\n[[registry.mirror]]\nlocation = \"{host}/copies\"\n");
    assert_eq!(pull(&mirrored, "r.invalid/app:1").ok().stdout.trim(), digest);
    let moved = format!("[[registry]]\nprefix = \"*.invalid\"\nlocation = \"{host}/copies\"\n");
    assert_eq!(pull(&moved, "a.r.invalid/app:1").ok().stdout.trim(), digest);
    // Docker's short names are docker's.
    let short = format!(
        "unqualified-search-registries = [\"{host}\"]\n[aliases]\napp = \"{host}/copies/app\"\n\
         [[registry]]\nprefix = \"docker.io/library\"\nlocation = \"{host}/copies\"\n"
    );
    assert_eq!(pull(&short, "app:1").ok().stdout.trim(), digest);
    let by_digest = mirrored.replace("[[registry.mirror]]", "mirror-by-digest-only = true\n[[registry.mirror]]");
    assert_eq!(pull(&by_digest, &format!("r.invalid/app@{digest}")).ok().stdout.trim(), digest);
    pull(&by_digest, "r.invalid/app:1").exits(3);
    let blocked = pull("[[registry]]\nlocation = \"r.invalid\"\nblocked = true\n", "r.invalid/app:1").exits(3);
    assert!(
        blocked.stderr.contains("`r.invalid/app` is blocked by") && blocked.stderr.contains("registries.conf"),
        "{}",
        blocked.stderr
    );
    let damaged = pull("[[registry]]\nlocation = 7\n", "r.invalid/app:1").exits(2);
    assert!(damaged.stderr.contains("registries.conf") && damaged.stderr.contains("location"), "{}", damaged.stderr);
    // A file that the environment names goes before both.
    let home = Home::empty();
    home.write("../config/containers/registries.conf", "[[registry]]\nlocation = \"r.invalid\"\nblocked = true\n");
    home.write("chosen.conf", &mirrored);
    let mut command = home.command(["pull", "-q", "r.invalid/app:1"]);
    run(command.env("CONTAINERS_REGISTRIES_CONF", home.path("work/chosen.conf"))).ok();
}

#[test]
fn hosts_toml_names_mirrors() {
    let Some((mirror, digest)) = with("library/app:1") else { return };
    let hosts = format!(
        "server = \"https://registry-1.docker.io\"\n[host.\"http://{}\"]\ncapabilities = [\"pull\", \"resolve\"]\n",
        mirror.host()
    );
    for folder in ["docker.io", "_default"] {
        let home = Home::empty();
        home.write(&format!("../config/containerd/certs.d/{folder}/hosts.toml"), &hosts);
        assert_eq!(home.layercake(["pull", "-q", "app:1"]).ok().stdout.trim(), digest, "{folder}");
    }
    let home = Home::empty();
    home.write("../config/containerd/certs.d/docker.io/hosts.toml", "[host.\"https://m/path\"]\n");
    let damaged = home.layercake(["pull", "app:1"]).exits(2);
    assert!(
        damaged.stderr.contains("docker.io/hosts.toml") && damaged.stderr.contains("https://m/path"),
        "{}",
        damaged.stderr
    );
    // Own settings go before it.
    home.write("layercake.toml", format!("[registry.\"docker.io\"]\nmirrors = [\"{}\"]\n", mirror.host()));
    assert_eq!(home.layercake(["pull", "-q", "app:1"]).ok().stdout.trim(), digest);
}

#[test]
fn a_blocked_registry_is_not_pushed_to_either() {
    let Some((registry, _)) = with("app:1") else { return };
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let name = format!("{}/other:1", registry.host());
    home.build(["-t", &name, "ctx"]);
    home.write("layercake.toml", format!("[registry.\"{}\"]\nblocked = true\n", registry.host()));
    let before = registry.requests().len();
    let refused = home.layercake(["push", &name]).exits(3);
    assert!(
        refused.stderr.contains("is blocked by") && refused.stderr.contains("layercake.toml"),
        "{}",
        refused.stderr
    );
    assert_eq!(registry.requests().len(), before);
}
