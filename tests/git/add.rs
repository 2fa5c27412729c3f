//! What `ADD` takes of a repository: references, folders, submodules, `.git`.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use tar::EntryType;

use crate::support::git::GitServer;
use crate::support::git::Readers::Everybody;
use crate::support::tools;
use crate::{added, repository, served};

#[test]
fn references_of_every_kind() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    let first = repository.write("file", "first").commit();
    repository.git(["tag", "light"]);
    repository.git(["tag", "-a", "-m", "one", "v1"]);
    repository.git(["update-ref", "refs/pull/7/head", "HEAD"]);
    repository.write("file", "second").commit();
    repository.git(["branch", "feature/deep"]);
    repository.git(["tag", "both", &first]);
    repository.git(["branch", "both"]);
    repository.write("file", "third").commit();
    let url = server.url("a");
    let short = &first[..9];
    for (source, content) in [
        (url.clone(), "third"),
        (format!("{url}#main"), "third"),
        (format!("{url}#refs/heads/main"), "third"),
        (format!("{url}#feature/deep"), "second"),
        (format!("{url}#light"), "first"),
        (format!("{url}#v1"), "first"),
        (format!("{url}#refs/tags/v1"), "first"),
        (format!("{url}#refs/pull/7/head"), "first"),
        (format!("{url}#{first}"), "first"),
        (format!("{url}#{short}"), "first"),
        (format!("{url}?branch=both"), "second"),
        (format!("{url}?tag=both"), "first"),
        (format!("{url}?ref=v1"), "first"),
        (format!("{url}?ref=main&commit={first}&fetch-by-commit=true"), "first"),
        (format!("--checksum={first} {url}#v1"), "first"),
        (format!("--checksum={} {url}#v1", repository.git(["rev-parse", "v1"])), "first"),
        (format!("--checksum={short} {url}#{first}"), "first"),
        // As for git itself, a branch goes before a tag of its name.
        (format!("{url}#both"), "second"),
    ] {
        let files = added(&home, &source);
        assert_eq!((files.text("file"), files.has(".git")), (content, false), "{source}");
    }
}

#[test]
fn modes_links_and_owners_are_the_repositorys() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    repository.write("run", "#!/bin/sh\n").write("dir/plain", "line\r\n").write(".gitattributes", "*.txt text\n");
    repository.write("dir/x.txt", "a\nb\n").write("größe ", "odd");
    std::fs::set_permissions(repository.path("run"), std::fs::Permissions::from_mode(0o700)).unwrap();
    symlink("dir/plain", repository.path("link")).unwrap();
    symlink("/etc/passwd", repository.path("out")).unwrap();
    repository.commit();
    home.write("ctx/Dockerfile", format!("FROM scratch\nADD {} /to/\n", server.url("a")));
    // Whoever builds may be careful with files of his own.
    let mut command = Command::new("sh");
    home.furnish(&mut command);
    let program = crate::support::home::program();
    let script = "umask 077; exec \"$0\" build -q -o type=tar,dest=out.tar ctx";
    crate::support::home::run(command.args(["-c", script]).arg(program)).ok();
    let files = crate::Files::read(&std::fs::read(home.path("work/out.tar")).unwrap());
    for (path, kind, mode) in [
        ("to", EntryType::Directory, 0o755),
        ("to/dir", EntryType::Directory, 0o755),
        ("to/run", EntryType::Regular, 0o755),
        ("to/dir/plain", EntryType::Regular, 0o644),
        ("to/link", EntryType::Symlink, 0o777),
    ] {
        let file = files.file(path);
        assert_eq!((file.kind, file.mode, file.owner), (kind, mode, (0, 0)), "{path}");
    }
    assert_eq!(files.file("to/out").target, "/etc/passwd");
    assert_eq!(files.text("to/dir/plain"), "line\r\n");
    assert_eq!((files.text("to/dir/x.txt"), files.text("to/größe ")), ("a\nb\n", "odd"));
}

#[test]
fn the_tree_counts_for_copy_flags() {
    let Some((home, server)) = served(Everybody) else { return };
    repository(&home, "a").write("a.md", "a").write("b.rs", "b").commit();
    let files = added(&home, &format!("--chown=7:8 --chmod=600 --exclude=*.md {}", server.url("a")));
    assert_eq!(files.paths(), ["", "b.rs"].into_iter().filter(|path| files.has(path)).collect::<Vec<_>>());
    assert_eq!((files.file("b.rs").owner, files.file("b.rs").mode), ((7, 8), 0o600));
}

#[test]
fn a_folder_becomes_the_root() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    repository.write("top", "").write("docs/index", "i").write("docs/deep/page", "p").write("docs2/x", "x").commit();
    let url = server.url("a");
    for source in [
        format!("{url}#main:docs"),
        format!("{url}#:/docs/"),
        format!("{url}?subdir=docs"),
        format!("{url}#:x/../docs"),
    ] {
        let files = added(&home, &source);
        assert_eq!((files.text("index"), files.text("deep/page")), ("i", "p"), "{source}");
        assert!(!files.has("top") && !files.has("x") && !files.has("docs"), "{source}: {files:?}");
    }
    assert_eq!(added(&home, &format!("{url}?subdir=docs/deep")).text("page"), "p");
}

#[test]
fn submodules_come_with_their_own() {
    let Some((home, server)) = served(Everybody) else { return };
    let inner = repository(&home, "inner");
    inner.write("inner-file", "inner").commit();
    let middle = repository(&home, "middle");
    middle.write("folder/middle-file", "middle").submodule("in ner", "../inner.git", &inner).commit();
    let outer = repository(&home, "outer");
    outer.write("outer-file", "outer");
    outer.submodule("lib/mid", &server.url("middle"), &middle).submodule("unused", "../inner.git", &inner);
    outer.git(["config", "--file=.gitmodules", "submodule.unused.update", "none"]);
    outer.commit();
    let url = server.url("outer");
    let files = added(&home, &url);
    assert_eq!(files.text("outer-file"), "outer");
    assert_eq!(files.text("lib/mid/folder/middle-file"), "middle");
    assert_eq!(files.text("lib/mid/in ner/inner-file"), "inner");
    assert!(files.has("unused") && !files.has("unused/inner-file"));
    assert!(!files.has("lib/mid/.git"));

    let without = added(&home, &format!("{url}?submodules=false"));
    assert!(without.has("lib/mid") && !without.has("lib/mid/folder"));
    // A folder of a submodule, which is fetched for it.
    assert_eq!(added(&home, &format!("{url}#main:lib/mid/folder")).text("middle-file"), "middle");
    assert_eq!(added(&home, &format!("{url}#main:lib")).text("mid/in ner/inner-file"), "inner");
    assert!(server.fetched("inner") == 1 && server.fetched("middle") == 1, "each is fetched once");
}

#[test]
fn the_repository_can_be_kept() {
    let Some((home, server)) = served(Everybody) else { return };
    let sub = repository(&home, "sub");
    sub.write("s", "s").commit();
    let repository = repository(&home, "a");
    repository.write("a", "1").commit();
    let commit = repository.submodule("lib/sub", "../sub.git", &sub).write("a", "2").commit();
    repository.git(["tag", "-a", "-m", "one", "v1"]);
    let url = server.url("a");
    let show = |source: &str| {
        home.write("ctx/Dockerfile", format!("FROM scratch\nADD {source} /\n"));
        let _ = std::fs::remove_dir_all(home.path("work/out"));
        home.layercake(["build", "-q", "-o", "out", "ctx"]).ok();
        let git = |args: &[&str]| {
            let mut command = Command::new("git");
            command.current_dir(home.path("work/out")).args(["-c", "safe.directory=*"]).args(args);
            tools::run(command.env("HOME", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1")).trim().to_owned()
        };
        git(&["fsck", "--strict"]);
        assert_eq!(git(&["status", "--porcelain"]), "", "{source}");
        assert_eq!(git(&["rev-parse", "HEAD"]), commit, "{source}");
        assert_eq!(git(&["config", "remote.origin.url"]), url, "{source}");
        assert_eq!(git(&["-C", "lib/sub", "status", "--porcelain"]), "", "{source}");
        assert!(git(&["submodule", "status"]).contains("lib/sub"), "{source}");
        assert!(!home.path("work/out/.git/hooks").exists());
        git(&["for-each-ref", "--format=%(refname)"])
    };
    assert_eq!(show(&format!("--keep-git-dir=true {url}#v1")), "refs/tags/v1");
    assert_eq!(show(&format!("{url}?branch=main&keep-git-dir=true")), "refs/heads/main");
    assert_eq!(show(&format!("--keep-git-dir=true {url}")), "refs/heads/main");
    assert_eq!(show(&format!("--keep-git-dir {url}#{commit}")), "");
    // The name that git gives the first branch of a new repository.
    repository.git(["branch", "master"]);
    assert_eq!(show(&format!("--keep-git-dir {url}#master")), "refs/heads/master");
    // As for BuildKit, of a folder there is none.
    assert!(!added(&home, &format!("--keep-git-dir=true {url}#main:lib")).has(".git"));
}

#[test]
fn a_server_that_knows_nothing_but_files() {
    let Some((home, _server)) = served(Everybody) else { return };
    let server = GitServer::of_files(&home.path("work/remote"));
    let sub = repository(&home, "sub");
    sub.write("s", "s").commit();
    sub.git(["update-server-info"]);
    let repository = repository(&home, "a");
    let first = repository.write("f", "1").commit();
    repository.git(["tag", "-a", "-m", "one", "v1"]);
    repository.submodule("sub", "../sub.git", &sub).write("f", "2").commit();
    repository.git(["update-server-info"]);
    let url = server.url("a");
    assert_eq!(added(&home, &format!("{url}#v1")).text("f"), "1");
    let newest = added(&home, &format!("--keep-git-dir=true {url}#main"));
    assert_eq!((newest.text("f"), newest.text("sub/s")), ("2", "s"));
    assert!(newest.has(".git/HEAD"));
    assert_eq!(added(&home, &format!("{url}#{first}")).text("f"), "1");
}
