//! What a lock file pins stays what it is: images, git references, files from servers.

use crate::support::git::{self, GitServer, Readers, Repository};
use crate::support::home::run;
use crate::support::http::{Reply, Server};
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;
use crate::support::{Home, ran::Ran};

use std::sync::{Arc, Mutex};

/// A server of one file whose content can be replaced.
fn replaceable(content: &str) -> (Server, Arc<Mutex<String>>) {
    let content = Arc::new(Mutex::new(content.to_owned()));
    let served = content.clone();
    (Server::start(move |_| Reply::ok(served.lock().unwrap().clone())), content)
}

#[test]
fn images_stay_though_their_tags_move() {
    if !available(&[PROGRAM]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let registry = Registry::open();
    let name = format!("{}/team/app:1", registry.host());
    let push = |content: &str| {
        home.write("app/Dockerfile", format!("FROM base\nRUN echo {content} > /content\n"));
        home.build(["-t", &name, "app"]);
        home.layercake(["push", &name]).ok();
        home.inspect(&name)["Digest"].as_str().unwrap().to_owned()
    };
    let first = push("first");
    let dockerfile = format!("FROM {name}\nRUN cat /content\n");
    let locking = Home::empty();
    locking.write("ctx/Dockerfile", &dockerfile);
    let plan = locking.layercake(["compile", "--lock", "ctx"]).ok().stdout;
    assert!(plan.contains(&name) && plan.contains(&first), "tag and digest: {plan}");
    let lock = locking.read("ctx/layercake.lock");
    assert!(lock.contains(&format!("reference = \"{name}\"")) && lock.contains(&first), "{lock}");

    let second = push("second");
    assert_ne!(first, second);
    for flag in [Some("--locked"), None] {
        let other = Home::empty();
        other.write("ctx/Dockerfile", &dockerfile).write("ctx/layercake.lock", &lock);
        let printed = run(other.command(["compile", "ctx"]).args(flag)).ok().stdout;
        assert_eq!(printed, plan, "{flag:?}");
        let built = run(other.command(["build", "--progress=plain", "ctx"]).args(flag)).ok();
        assert!(built.stderr.contains("first"), "{}", built.stderr);
        // Who asks for the newest gets it, and the next one what is locked, without asking.
        assert!(other.layercake(["compile", "ctx", "--pull"]).ok().stdout.contains(&second));
        let asked = registry.requests().len();
        assert!(other.layercake(["compile", "ctx"]).ok().stdout.contains(&first));
        assert_eq!(registry.requests().len(), asked);
    }
    // Written anew, it is what is there now.
    locking.layercake(["compile", "--lock", "--pull", "ctx"]).ok();
    assert!(locking.read("ctx/layercake.lock").contains(&second));
}

#[test]
fn references_stay_though_branches_move() {
    if !git::available() {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    std::fs::create_dir_all(home.path("work/remote")).unwrap();
    let server = GitServer::start(&home.path("work/remote"), Readers::Everybody);
    let repository = Repository::begin(home.path("work/remote/a"));
    let first = repository.write("f", "first").commit();
    repository.git(["tag", "-a", "-m", "v1", "v1"]);
    let url = server.url("a");
    home.write(
        "ctx/Dockerfile",
        format!(
            "FROM scratch\nADD {url} /head/\nADD {url}#main /main/\nADD {url}#v1 /tag/\nADD {url}#{first} /commit/\n"
        ),
    );
    let plan = home.layercake(["compile", "--lock", "ctx"]).ok().stdout;
    let lock = home.read("ctx/layercake.lock");
    assert_eq!(lock.matches(&format!("commit = \"{first}\"")).count(), 4, "{lock}");
    assert!(lock.contains("reference = \"v1\"\nname = \"refs/tags/v1\"\ntag = \""), "{lock}");
    assert_eq!(home.layercake(["compile", "--locked", "ctx"]).ok().stdout, plan);
    assert!(plan.contains("reference main\n") && plan.contains(&first), "{plan}");

    let before = home.tree("ctx");
    repository.write("f", "second").commit();
    repository.git(["tag", "--force", "-a", "-m", "v1", "v1"]);
    let asked = server.asked("a");
    home.build(["--locked", "ctx"]);
    assert_eq!(server.asked("a"), asked, "where a reference is does not matter");
    for path in ["head/f", "main/f", "tag/f", "commit/f"] {
        assert_eq!((before.text(path), home.tree("ctx").text(path)), ("first", "first"), "{path}");
    }
    // A store that has nothing fetches the commits, which no branch is at.
    let other = Home::with_base().unwrap();
    other.write("ctx/Dockerfile", home.read("ctx/Dockerfile")).write("ctx/layercake.lock", &lock);
    other.build(["--locked", "ctx"]);
    assert_eq!(other.tree("ctx").text("main/f"), "first");
}

#[test]
fn files_from_servers_stay_or_are_refused() {
    let (server, content) = replaceable("first");
    let Some(home) = Home::with_base() else { return };
    let url = format!("http://ann:s3cret@{}/f", server.host());
    home.write("ctx/Dockerfile", format!("FROM scratch\nADD {url} /\n"));
    home.layercake(["build", "--lock", "ctx"]).ok();
    let lock = home.read("ctx/layercake.lock");
    // Of `first`: printf first | sha256sum
    let digest = "sha256:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";
    assert!(lock.contains(digest), "{lock}");
    assert!(!lock.contains("s3cret"), "{lock}");
    assert!(home.layercake(["compile", "--locked", "ctx"]).ok().stdout.contains(digest));

    *content.lock().unwrap() = "second".to_owned();
    // The store has the file that is meant.
    assert_eq!(home.build(["--locked", "ctx"]).started, [""; 0]);
    let other = Home::empty();
    other.write("ctx/Dockerfile", home.read("ctx/Dockerfile")).write("ctx/layercake.lock", &lock);
    let refused = other.layercake(["build", "--locked", "ctx"]).exits(2);
    assert!(refused.stderr.contains("if it is `ctx/layercake.lock` that is out of date"), "{}", refused.stderr);
    other.layercake(["compile", "--lock", "ctx"]).ok();
    other.layercake(["build", "--locked", "ctx"]).ok();
}

#[test]
fn a_lock_file_is_for_all_the_plans_of_its_folder() {
    let Some(home) = Home::with_base() else { return };
    home.layercake(["tag", "base", "other"]).ok();
    home.write("ctx/Dockerfile", "FROM base AS one\nFROM other AS two\n")
        .write("ctx/second.Dockerfile", "FROM base:latest\n");
    let lock = |arguments: &[&str]| -> Ran {
        run(home.command(["compile", "--lock", "--offline"]).args(arguments).arg("ctx")).ok()
    };
    let entries = || home.read("ctx/layercake.lock").matches("[[image]]").count();
    lock(&["--target=one"]);
    let first = home.read("ctx/layercake.lock");
    assert_eq!(entries(), 1);
    lock(&["--target=two"]);
    assert_eq!(entries(), 2);
    lock(&["--target=one"]);
    lock(&["-f", "ctx/second.Dockerfile"]);
    assert_eq!(entries(), 3);
    std::fs::remove_file(home.path("work/ctx/layercake.lock")).unwrap();
    lock(&["--target=one"]);
    assert_eq!(home.read("ctx/layercake.lock"), first, "the same is written the same");
}
