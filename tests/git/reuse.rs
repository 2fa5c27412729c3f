//! What is asked and fetched once: references, commits, submodules, builds at once, and builds that are killed.

use std::fs;
use std::path::PathBuf;
use std::thread::scope;

use crate::support::Home;
use crate::support::git::Readers::Everybody;
use crate::{added, repository, served};

/// The repositories of the store that remotes are fetched into.
fn stored(home: &Home) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.path("store/shared")).unwrap().flatten();
    entries.map(|entry| entry.path().join("0")).filter(|path| path.join("HEAD").exists()).collect()
}

#[test]
fn a_reference_is_asked_about_and_a_commit_is_fetched_once() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    let commit = repository.write("a", "1").commit();
    let url = server.url("a");
    let build = |source: &str| {
        home.write("ctx/Dockerfile", format!("FROM scratch\nADD {source} /x/\n"));
        home.build(["ctx"]).started.len()
    };
    assert_eq!(build(&url), 2);
    assert_eq!((server.asked("a"), server.fetched("a")), (2, 1), "once to know, once to fetch");
    assert_eq!(build(&url), 0);
    assert_eq!((server.asked("a"), server.fetched("a")), (3, 1), "once to know that nothing has changed");
    // Another name of the commit, and the commit itself, which nobody has to be asked about.
    assert_eq!(build(&format!("{url}#main")), 0);
    assert_eq!(server.asked("a"), 4);
    assert_eq!(build(&format!("{url}#{commit}")), 0);
    assert_eq!(server.asked("a"), 4);
    // Other parts of the commit are made of what is here.
    assert_eq!(build(&format!("--keep-git-dir=true {url}#{commit}")), 2);
    assert_eq!(server.asked("a"), 4);

    repository.write("a", "2").commit();
    assert_eq!(build(&url), 2);
    assert_eq!((server.asked("a"), server.fetched("a")), (6, 2));
    // A commit that changes no file of the folder is another commit, and the same files.
    repository.git(["commit", "--quiet", "--allow-empty", "--message=nothing"]);
    assert_eq!(build(&url), 1, "the repository is looked at again, and the copy is not made again");
    assert_eq!(stored(&home).len(), 1);
}

#[test]
fn one_build_asks_once_about_a_reference() {
    let Some((home, server)) = served(Everybody) else { return };
    repository(&home, "a").write("one/f", "1").write("two/f", "2").commit();
    let url = server.url("a");
    home.write(
        "ctx/Dockerfile",
        format!("FROM scratch\nADD {url}#main:one /1/\nADD {url}#main:two /2/\nADD {url}#main /3/\n"),
    );
    home.build(["ctx"]);
    assert_eq!((server.asked("a"), server.fetched("a")), (2, 1));
}

#[test]
fn two_builds_at_once_fetch_once() {
    let Some((home, server)) = served(Everybody) else { return };
    let sub = repository(&home, "sub");
    sub.write("s", "s").commit();
    let repository = repository(&home, "a");
    repository.write("a", "1").submodule("sub", "../sub.git", &sub).commit();
    for name in ["one", "two", "three", "four"] {
        // Different parts, so that no step is shared.
        let source =
            format!("{}?{}", server.url("a"), if name < "p" { "keep-git-dir=true" } else { "keep-git-dir=false" });
        home.write(&format!("{name}/Dockerfile"), format!("FROM scratch\nADD {source} /{name}/\n"));
    }
    let outputs = scope(|scope| {
        let builds: Vec<_> =
            ["one", "two", "three", "four"].map(|name| scope.spawn(|| home.build(["-o", "type=none", name]))).into();
        builds.into_iter().map(|build| build.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(outputs.len(), 4);
    assert_eq!((server.fetched("a"), server.fetched("sub")), (1, 1));
}

#[test]
fn what_is_stored_needs_no_server() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    let commit = repository.write("d/a", "1").commit();
    let url = server.url("a");
    let offline = |source: &str| {
        home.write("ctx/Dockerfile", format!("FROM scratch\nADD {source} /x/\n"));
        home.layercake(["build", "--offline", "ctx"])
    };
    let ran = offline(&url).exits(3);
    assert!(ran.stderr.contains("no server may be asked") && ran.stderr.contains("ctx/Dockerfile:2"), "{}", ran.stderr);
    added(&home, &url);
    repository.write("d/a", "2").commit();
    let asked = server.asked("a");
    offline(&url).ok();
    offline(&format!("{url}#:d")).ok();
    offline(&format!("{url}#{commit}")).ok();
    let ran = offline(&format!("{url}#main")).exits(3);
    assert!(ran.stderr.contains("does not have `main`"), "{}", ran.stderr);
    let ran = offline(&format!("{url}#{}", "1".repeat(40))).exits(3);
    assert!(ran.stderr.contains("no server may be asked"), "{}", ran.stderr);
    assert_eq!(server.asked("a"), asked);
}

#[test]
fn a_repository_that_was_left_in_disorder_is_mended() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    let first = repository.write("a", "1").commit();
    let url = server.url("a");
    added(&home, &url);
    let stored = stored(&home).remove(0);
    // Locks of a `git` that was killed.
    for lock in ["shallow.lock", "packed-refs.lock", "config.lock"] {
        fs::write(stored.join(lock), "").unwrap();
    }
    let second = repository.write("a", "2").commit();
    fs::create_dir_all(stored.join("refs/layercake/kept")).unwrap();
    fs::write(stored.join(format!("refs/layercake/kept/{second}.lock")), "").unwrap();
    assert_eq!(added(&home, &url).text("a"), "2");
    // Packs that a failing disk has cut: what is taken from them, and what they are the base of.
    let cut = || {
        for entry in fs::read_dir(stored.join("objects/pack")).unwrap().flatten() {
            let file = fs::File::options().write(true).open(entry.path()).or_else(|_| {
                fs::remove_file(entry.path())?;
                fs::File::create(entry.path())
            });
            file.unwrap().set_len(40).unwrap();
        }
    };
    cut();
    assert!(added(&home, &format!("--keep-git-dir=true {url}#{first}")).has(".git"));
    cut();
    repository.write("a", "3").commit();
    assert_eq!(added(&home, &url).text("a"), "3");
    // Nothing that `git` can make anything of.
    fs::write(stored.join("HEAD"), "x").unwrap();
    repository.write("a", "4").commit();
    assert_eq!(added(&home, &url).text("a"), "4");
}

#[test]
fn a_build_that_is_killed_leaves_no_git_behind() {
    use std::io::Read;
    use std::net::TcpListener;
    let Some((home, server)) = served(Everybody) else { return };
    repository(&home, "a").write("a", "1").commit();
    // A server that takes the question and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    home.write("slow/Dockerfile", format!("FROM scratch\nADD http://{address}/a.git /x/\n"));
    let mut child = home.command(["build", "slow"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let (mut stream, _) = silent.accept().unwrap();
    let _ = stream.read(&mut [0; 16]).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    home.assert_no_processes(&address.to_string());
    assert_eq!(added(&home, &server.url("a")).text("a"), "1");
}

#[test]
fn a_failure_elsewhere_ends_what_is_being_fetched() {
    use std::net::TcpListener;
    let Some((home, _server)) = served(Everybody) else { return };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    home.write(
        "ctx/Dockerfile",
        format!(
            "FROM base AS bad\nRUN sleep 1; false\nFROM base\nADD http://{address}/a.git /x/\nCOPY --from=bad /etc /y\n"
        ),
    );
    let ran = home.layercake(["build", "ctx"]).exits(1);
    assert!(ran.took < std::time::Duration::from_secs(20), "{:?}", ran.took);
    home.assert_no_processes(&address.to_string());
}
