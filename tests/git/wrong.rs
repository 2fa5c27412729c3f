//! What is wrong with a repository or its address: each kind with words of its own, a place, and the exit status.

use std::os::unix::fs::symlink;

use crate::support::Home;
use crate::support::git::Readers::Everybody;
use crate::support::home::run;
use crate::{repository, served};

/// Builds with this source, and holds the failure to its status and its words.
#[track_caller]
fn assert_refused(home: &Home, source: &str, status: i32, words: &[&str]) {
    home.write("ctx/Dockerfile", format!("FROM scratch\n\nADD {source} /x/\n"));
    let ran = home.layercake(["build", "ctx"]).exits(status);
    for words in words.iter().chain(&["ctx/Dockerfile:3"]) {
        assert!(ran.stderr.contains(words), "{source}: no `{words}` in\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn addresses_and_references() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    let commit = repository.write("a", "1").commit();
    let url = server.url("a");
    let none = "1".repeat(40);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_refused(&home, &server.url("none"), 2, &["failed to fetch remote", "there is no such repository"]);
    assert_refused(&home, &format!("http://127.0.0.1:{port}/a.git"), 3, &["the server cannot be reached"]);
    assert_refused(&home, "http://registry.invalid/a.git", 3, &["the server cannot be reached", "registry.invalid"]);
    assert_refused(&home, &format!("{url}#none"), 2, &["repository does not contain ref none"]);
    assert_refused(&home, &format!("{url}#abcdef1"), 2, &["repository does not contain ref abcdef1"]);
    assert_refused(&home, &format!("{url}#{none}"), 2, &["failed to fetch remote", &none]);
    assert_refused(&home, &format!("{url}#--upload-pack=x"), 2, &["invalid git ref \"--upload-pack=x\""]);
    assert_refused(&home, &format!("{url}#main:none"), 2, &["invalid subdir \"none\""]);
    assert_refused(&home, &format!("{url}#main:a"), 2, &["contains non-directory \"a\""]);
    assert_refused(
        &home,
        &format!("--checksum={none} {url}#main"),
        2,
        &[&format!("expected checksum to match {none}, got {commit}")],
    );
    assert_refused(&home, &format!("--checksum={none} {url}#{commit}"), 2, &["expected checksum to match"]);
    assert_refused(&home, &format!("--checksum=main {url}#main"), 2, &["expected hex commit hash"]);
    assert_refused(&home, &format!("{url}?fetch-by-commit=1&ref=main"), 2, &["requires a full commit SHA"]);
    // Of an empty repository there is no default branch.
    crate::repository(&home, "empty");
    assert_refused(&home, &server.url("empty"), 2, &["could not find default branch"]);
    // A commit is wanted, and there is a file.
    repository.git(["tag", "blob", "HEAD:a"]);
    assert_refused(&home, &format!("{url}#blob"), 2, &["expected commit or tag object"]);
}

#[test]
fn a_folder_is_no_way_out() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    repository.write("dir/a", "1");
    symlink("/", repository.path("root")).unwrap();
    symlink("dir", repository.path("same")).unwrap();
    repository.commit();
    let url = server.url("a");
    for path in ["root", "root/etc", "same", "same/a"] {
        assert_refused(&home, &format!("{url}#main:{path}"), 2, &["contains non-directory"]);
    }
    // Two dots lead up to the repository's root, and no farther.
    home.write("ctx/Dockerfile", format!("FROM scratch\nADD {url}#main:../../.. /\n"));
    assert!(home.tree("ctx").has("dir/a"));
}

#[test]
fn submodules_read_nothing_of_this_machine() {
    let Some((home, server)) = served(Everybody) else { return };
    let sub = repository(&home, "sub");
    sub.write("s", "s").commit();
    let commit = sub.git(["rev-parse", "HEAD"]);
    let witness = home.path("work/witness");
    let file = format!("file://{}", sub.path("").display());
    let path = sub.path("").display().to_string();
    let run_it = format!("ext::sh -c 'touch {}'", witness.display());
    for (index, url) in [&file, &path, &run_it, &"--upload-pack=x".to_owned()].into_iter().enumerate() {
        let repository = repository(&home, &format!("outer{index}"));
        repository.write(".gitmodules", &format!("[submodule \"s\"]\n\tpath = s\n\turl = \"{url}\"\n"));
        repository.git(["add", "--all"]);
        repository.git(["update-index", "--add", "--cacheinfo", &format!("160000,{commit},s")]);
        repository.git(["commit", "--quiet", "--message=x"]);
        let url = server.url(&format!("outer{index}"));
        assert_refused(&home, &url, 2, &["failed to update submodules: `s`: invalid git remote"]);
    }
    assert!(!witness.exists());
    let nameless = repository(&home, "nameless");
    nameless.git(["update-index", "--add", "--cacheinfo", &format!("160000,{commit},s")]);
    nameless.git(["commit", "--quiet", "--message=x"]);
    assert_refused(&home, &server.url("nameless"), 2, &["no url found for submodule path 's' in .gitmodules"]);
}

#[test]
fn nothing_of_a_repository_or_of_the_user_is_run() {
    let Some((home, server)) = served(Everybody) else { return };
    let witness = home.path("work/witness").display().to_string();
    let repository = repository(&home, "a");
    repository.write("a.txt", "a\n").write(".gitattributes", "*.txt filter=evil text eol=crlf\n").commit();
    home.write("hooks/post-checkout", format!("#!/bin/sh\ntouch {witness}\n"));
    let settings = format!(
        "[core]\n\tautocrlf = true\n\thooksPath = {}\n\tfsmonitor = touch {witness}\n[filter \"evil\"]\n\tsmudge = touch {witness}\n\
         [url \"http://nowhere.invalid/\"]\n\tinsteadOf = http://\n",
        home.path("work/hooks").display()
    );
    std::fs::write(home.path("home/.gitconfig"), &settings).unwrap();
    std::fs::create_dir_all(home.path("config/git")).unwrap();
    std::fs::write(home.path("config/git/config"), &settings).unwrap();
    std::fs::write(home.path("config/git/attributes"), "* working-tree-encoding=UTF-16\n").unwrap();
    let files = crate::added(&home, &server.url("a"));
    assert_eq!(files.text("a.txt"), "a\r\n", "what the repository itself says of its files counts");
    assert!(!home.path("work/witness").exists());
}

#[test]
fn without_git_there_is_a_word() {
    let Some((home, server)) = served(Everybody) else { return };
    repository(&home, "a").write("a", "1").commit();
    // What an ordinary user needs to build at all.
    std::fs::create_dir(home.path("bin")).unwrap();
    for program in ["newuidmap", "newgidmap"] {
        symlink(format!("/usr/bin/{program}"), home.path("bin").join(program)).unwrap();
    }
    home.write("ctx/Dockerfile", format!("FROM scratch\nADD {} /x/\n", server.url("a")));
    for context in ["ctx", &server.url("a")] {
        let ran = run(home.command(["build", context]).env("PATH", home.path("bin"))).exits(3);
        assert!(ran.stderr.contains("the program `git` is not installed"), "{}", ran.stderr);
        assert!(ran.stderr.contains("install the package `git`"), "{}", ran.stderr);
    }
}
