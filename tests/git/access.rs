//! Who asks: credentials reach the server they are meant for, and nothing else.

use std::fs;
use std::path::Path;

use crate::support::Home;
use crate::support::git::Readers::Known;
use crate::support::home::run;
use crate::{repository, served};

const SECRET: &str = "s3cret";

/// Whether any file below a folder holds the secret.
fn mentions(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).unwrap_or_default();
                if bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()) {
                    found.push(entry.path().display().to_string());
                }
            }
        }
    }
    found
}

fn assert_nowhere(home: &Home, what: &str, texts: &[&str]) {
    assert_eq!(mentions(&home.path("store")), [] as [&str; 0], "{what}");
    assert_eq!(mentions(&home.path("work/out")), [] as [&str; 0], "{what}");
    for text in texts {
        assert!(!text.contains(SECRET), "{what}: {text}");
    }
}

#[test]
fn credentials_of_an_address_go_to_its_server_alone() {
    let Some((home, server)) = served(Known) else { return };
    let sub = repository(&home, "sub");
    sub.write("s", "s").commit();
    let repository = repository(&home, "a");
    repository.write("a", "1");
    repository.submodule("sub", "../sub.git", &sub).commit();
    let url = format!("http://ann:{SECRET}@{}/a.git", server.host());
    home.write("ctx/Dockerfile", format!("FROM base\nADD --keep-git-dir=true {url} /x/\n"));
    let compiled = home.layercake(["compile", "ctx"]).ok();
    let json = home.layercake(["compile", "--format=json", "ctx"]).ok();
    let built = home.layercake(["build", "-t", "x", "-o", "type=image", "-o", "out", "ctx"]).ok();
    assert_eq!(home.read("out/x/sub/s"), "s");
    let history = home.inspect("x")["History"].to_string();
    assert!(history.contains("ADD http://xxxxx:xxxxx@"), "{history}");
    let texts = [&compiled.stdout, &json.stdout, &built.stdout, &built.stderr, &history];
    assert_nowhere(&home, "address", &texts.map(String::as_str));
    assert!(compiled.stdout.contains(&format!("http://{}/a.git", server.host())), "{}", compiled.stdout);
    // A failure shows the line, with as many letters.
    home.write("ctx/Dockerfile", format!("FROM base\nADD {url}#nothing /x/\n"));
    let ran = home.layercake(["build", "ctx"]).exits(2);
    assert!(ran.stderr.contains("ADD http://xxx:xxxxxx@"), "{}", ran.stderr);
    assert_nowhere(&home, "failure", &[&ran.stderr]);
    let ran = home.layercake(["build", &format!("{url}#nothing")]).exits(2);
    assert_nowhere(&home, "context", &[&ran.stderr]);
}

#[test]
fn tokens_are_secrets_of_the_build() {
    let Some((home, server)) = served(Known) else { return };
    repository(&home, "a").write("a", "1").write("Dockerfile", "FROM base\nCOPY a /\n").commit();
    let url = server.url("a");
    home.write("ctx/Dockerfile", format!("FROM base\nADD {url} /x/\n"));
    let ran = home.layercake(["build", "ctx"]).exits(3);
    assert!(
        ran.stderr.contains("authentication is needed") && ran.stderr.contains("ctx/Dockerfile:2"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("GIT_AUTH_TOKEN"), "{}", ran.stderr);
    let with = |id: &str, value: &str, context: &str| {
        let secret = format!("--secret=id={id},env=TOKEN");
        run(home.command(["build", "--no-cache", &secret, context]).env("TOKEN", value))
    };
    let header = format!("GIT_AUTH_HEADER.{}", server.host());
    let token = format!("GIT_AUTH_TOKEN.{}", server.host());
    for (id, value) in [
        ("GIT_AUTH_TOKEN", SECRET),
        (&token, SECRET),
        ("GIT_AUTH_HEADER", "Basic YW5uOnMzY3JldA=="),
        (&header, "Basic YW5uOnMzY3JldA=="),
    ] {
        let ran = with(id, value, "ctx").ok();
        assert_nowhere(&home, id, &[&ran.stderr]);
        with(id, value, &url).ok();
    }
    with("GIT_AUTH_TOKEN", "wrong", "ctx").exits(3);
    with("GIT_AUTH_TOKEN.example.org", SECRET, "ctx").exits(3);
}

#[test]
fn submodules_elsewhere_get_no_token() {
    let Some((home, server)) = served(Known) else { return };
    // The same repositories on another port: another server, for all that anybody knows.
    let other = crate::GitServer::start(&home.path("work/remote"), Known);
    let sub = repository(&home, "sub");
    sub.write("s", "s").commit();
    let repository = repository(&home, "a");
    repository.submodule("sub", &other.url("sub"), &sub).commit();
    home.write("ctx/Dockerfile", format!("FROM base\nADD {} /x/\n", server.url("a")));
    let build = |secret: &str| run(home.command(["build", secret, "ctx"]).env("TOKEN", SECRET));
    let ran = build("--secret=id=GIT_AUTH_TOKEN,env=TOKEN").exits(3);
    assert!(ran.stderr.contains("failed to update submodules: `sub`"), "{}", ran.stderr);
    let own = format!("--secret=id=GIT_AUTH_TOKEN.{},env=TOKEN", other.host());
    let mut command = home.command(["build", "--secret=id=GIT_AUTH_TOKEN,env=TOKEN", &own, "ctx"]);
    run(command.env("TOKEN", SECRET)).ok();
}

#[test]
fn ssh_is_the_users_own() {
    use std::os::unix::fs::PermissionsExt;
    let Some((home, _server)) = served(Known) else { return };
    let sub = repository(&home, "sub");
    sub.write("s", "s").commit();
    repository(&home, "a").write("a", "1").submodule("sub", "../sub", &sub).commit();
    // In place of ssh: notes who it is run by and what for, and does on this machine what it would do on the other.
    let script = "#!/bin/sh\nfor last; do :; done\nid -u >> \"$0.user\"\necho \"$* via $SSH_AUTH_SOCK\" >> \"$0.asked\"\n\
                  cd \"${0%/*}/remote\"\neval \"exec ${last%%\\'*}'./${last#*\\'}\"\n";
    home.write("ssh", script);
    let ssh = home.path("work/ssh");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    home.write("ctx/Dockerfile", "FROM scratch\nADD bob@host:a /x/\nADD ssh://bob@host:2222/a /y/\n");
    let mut command = home.command(["build", "-q", "-o", "out", "ctx"]);
    run(command.env("GIT_SSH_COMMAND", &ssh).env("SSH_AUTH_SOCK", "/agent")).ok();
    assert_eq!((home.read("out/x/a"), home.read("out/y/sub/s")), ("1".to_owned(), "s".to_owned()));
    let asked = home.read("ssh.asked");
    assert!(asked.contains("bob@host git-upload-pack 'a' via /agent"), "{asked}");
    assert!(asked.contains("-p 2222 bob@host git-upload-pack '/a' via /agent"), "{asked}");
    // An ordinary user's build is run by root of a namespace, who has no keys.
    let own = rustix::process::geteuid().as_raw().to_string();
    assert!(home.read("ssh.user").lines().all(|user| user == own), "{}", home.read("ssh.user"));
}
