//! `--load`: handing an image over to those who run containers here.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;

use crate::support::Home;
use crate::support::archive::Files;
use crate::support::home::run;
use crate::support::image::{json, strings};
use crate::support::ran::Ran;
use crate::support::tools::available;

/// A home whose programs are in `bin` alone; there, each of these is a script.
fn home(programs: &[(&str, &str)]) -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", "FROM base\nRUN echo x > /x\n").write("bin/none", "");
    for program in ["newuidmap", "newgidmap", "pasta", "sh", "cat"] {
        let _ = std::os::unix::fs::symlink(format!("/usr/bin/{program}"), home.path("work/bin").join(program));
    }
    for (name, script) in programs {
        home.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(home.path("work/bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    Some(home)
}

fn build(home: &Home, arguments: &[&str]) -> Ran {
    let mut build = home.command(["build", "--load"]);
    run(build.args(arguments).arg("ctx").env("PATH", home.path("work/bin")))
}

/// A program that notes how it is called and keeps what it is given.
fn taker(name: &str) -> String {
    format!(
        "echo \"$@\" >> {name}.called; [ \"$1\" != {} ] || {{ cat > {name}.tar && echo \"Loaded image: x\"; }}",
        if name == "ctr" { "images" } else { "load" }
    )
}

#[test]
fn the_first_that_answers_is_given_an_archive() {
    type Scripts = &'static [(&'static str, &'static str)];
    let cases: [(Scripts, &str, &str); 4] = [
        (&[("docker", "@"), ("podman", "@")], "docker", "load\n"),
        (&[("docker", "echo 'cannot connect to the daemon' >&2; exit 1"), ("podman", "@")], "podman", "load\n"),
        (&[("nerdctl", "@"), ("ctr", "@")], "nerdctl", "load\n"),
        (&[("ctr", "@")], "ctr", "images import -\n"),
    ];
    for (programs, taken_by, called) in cases {
        let scripts: Vec<(&str, String)> = programs
            .iter()
            .map(|(name, script)| (*name, if *script == "@" { taker(name) } else { (*script).to_owned() }))
            .collect();
        let scripts: Vec<(&str, &str)> = scripts.iter().map(|(name, script)| (*name, script.as_str())).collect();
        let Some(home) = home(&scripts) else { return };
        let ran = build(&home, &["-t", "x:1"]).ok();
        assert!(ran.stderr.contains(&format!("{taken_by}: Loaded image: x")), "{}", ran.stderr);
        assert!(home.read(&format!("{taken_by}.called")).ends_with(called));
        let archive = Files::read(&fs::read(home.path("work").join(format!("{taken_by}.tar"))).unwrap());
        assert_eq!(strings(&json(&archive, "manifest.json")[0]["RepoTags"]), ["x:1"]);
        assert_eq!(json(&archive, "index.json")["manifests"][0]["digest"], ran.stdout.trim());
        // The store has it as well.
        assert_eq!(home.inspect("x:1")["Digest"], ran.stdout.trim());
    }
}

#[test]
fn the_type_docker_without_a_place_is_for_docker() {
    let Some(home) = home(&[("docker", &taker("docker"))]) else { return };
    let build = |output: &str| {
        run(home.command(["build", "-o", output, "-t", "x:1", "ctx"]).env("PATH", home.path("work/bin"))).ok()
    };
    // As for buildx, where `--load` is a word for this.
    let ran = build("type=docker");
    assert!(ran.stderr.contains("docker: Loaded image: x"), "{}", ran.stderr);
    let archive = Files::read(&fs::read(home.path("work/docker.tar")).unwrap());
    assert_eq!(strings(&json(&archive, "manifest.json")[0]["RepoTags"]), ["x:1"]);
    fs::remove_file(home.path("work/docker.tar")).unwrap();
    build("type=docker,dest=here.tar");
    build("type=docker,dest=-");
    assert!(home.path("work/here.tar").exists() && !home.path("work/docker.tar").exists());
}

#[test]
fn the_settings_choose() {
    let Some(home) = home(&[("docker", &taker("docker")), ("podman", &taker("podman"))]) else { return };
    home.write("ctx/layercake.toml", "[build]\nload = \"podman\"\n");
    build(&home, &["-t", "x", "-o", "type=none"]).ok();
    assert!(home.path("work/podman.tar").exists() && !home.path("work/docker.called").exists());
    home.write("ctx/layercake.toml", "[build]\nload = \"rkt\"\n");
    let ran = build(&home, &[]).exits(2);
    assert!(ran.stderr.contains("podman"), "{}", ran.stderr);
}

#[test]
fn nobody_to_load_is_known_before_anything_is_built() {
    let Some(home) = home(&[("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")]) else { return };
    let ran = build(&home, &[]).exits(3);
    assert!(ran.stderr.contains("`docker` does not work: Cannot connect to the Docker daemon"), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no `podman`"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("RUN"), "{}", ran.stderr);
}

#[test]
fn an_engine_that_is_silent_is_not_waited_for_without_end() {
    let Some(home) = home(&[("docker", "exec sleep 1000"), ("podman", &taker("podman"))]) else { return };
    std::os::unix::fs::symlink("/usr/bin/sleep", home.path("work/bin/sleep")).unwrap();
    let ran = build(&home, &["-t", "x"]).ok();
    assert!(ran.stderr.contains("podman: Loaded image"), "{}", ran.stderr);
    assert!(ran.took.as_secs() < 60, "{:?}", ran.took);
}

/// A daemon that answers as many requests as there are answers: with each of them, in turn. Returns what it was asked.
fn daemon(home: &Home, answers: Vec<&'static str>) -> thread::JoinHandle<Vec<Vec<u8>>> {
    let listener = UnixListener::bind(home.path("docker.sock")).unwrap();
    thread::spawn(move || {
        let ask = |answer: &str| {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 1 << 16]);
            let end: &[u8] = if answer.contains("pong") { b"\r\n\r\n" } else { b"\r\n0\r\n\r\n" };
            while !request.ends_with(end) {
                let length = stream.read(&mut buffer).unwrap();
                assert!(length > 0, "the request is cut short");
                request.extend_from_slice(&buffer[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            request
        };
        answers.into_iter().map(ask).collect()
    })
}

/// The body of a request, of which the chunks are joined.
fn body(request: &[u8]) -> Vec<u8> {
    let at = |bytes: &[u8], end: &[u8]| bytes.windows(end.len()).position(|part| part == end).unwrap();
    let mut rest = &request[at(request, b"\r\n\r\n") + 4..];
    let mut whole = Vec::new();
    loop {
        let line = at(rest, b"\r\n");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
}

const PONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong";

#[test]
fn a_daemon_is_spoken_to_where_there_is_no_client() {
    let Some(home) = home(&[]) else { return };
    let loaded = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n24\r\n{\"stream\":\"Loaded image: x:1\\n\"}\r\n\r\n0\r\n\r\n";
    let daemon = daemon(&home, vec![PONG, loaded]);
    let address = format!("unix://{}", home.path("docker.sock").display());
    let mut build = home.command(["build", "--load", "-t", "x:1", "ctx"]);
    let ran = run(build.env("PATH", home.path("work/bin")).env("DOCKER_HOST", &address)).ok();
    assert!(ran.stderr.contains("docker: Loaded image: x:1"), "{}", ran.stderr);
    let requests = daemon.join().unwrap();
    assert!(
        requests[0].starts_with(b"GET /_ping HTTP/1.1\r\n")
            && requests[1].starts_with(b"POST /images/load?quiet=1 HTTP/1.1\r\n")
    );
    let archive = Files::read(&body(&requests[1]));
    assert_eq!(json(&archive, "index.json")["manifests"][0]["digest"], ran.stdout.trim());
}

#[test]
fn a_daemon_that_refuses_says_why() {
    let Some(home) = home(&[]) else { return };
    let refusals = [
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 30\r\n\r\n{\"message\":\"no space is left\"}",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"errorDetail\":{},\"error\":\"no space is left\"}\r\n",
    ];
    for refusal in refusals {
        let daemon = daemon(&home, vec![PONG, refusal]);
        let address = format!("unix://{}", home.path("docker.sock").display());
        let mut build = home.command(["build", "--load", "-t", "x:1", "ctx"]);
        let ran = run(build.env("PATH", home.path("work/bin")).env("DOCKER_HOST", &address)).exits(3);
        assert!(ran.stderr.contains("`docker` has not loaded the image: no space is left"), "{}", ran.stderr);
        daemon.join().unwrap();
        fs::remove_file(home.path("docker.sock")).unwrap();
    }
}

#[test]
fn an_engine_that_refuses_says_why() {
    let refuses = "[ \"$1\" != load ] || { echo 'first' >&2; echo 'no space left on device' >&2; exit 1; }";
    let Some(home) = home(&[("docker", refuses)]) else { return };
    let ran = build(&home, &[]).exits(3);
    assert!(ran.stderr.contains("`docker` has not loaded the image: no space left on device"), "{}", ran.stderr);
}

#[test]
fn podman_runs_what_was_loaded() {
    if !available(&["podman"]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo loaded > /x && chown 1000:50 /x\nCMD [\"cat\", \"/x\"]\n");
    home.write("config/layercake/config.toml", "");
    home.write("ctx/layercake.toml", "[build]\nload = \"podman\"\n");
    // Storage of its own, without what this machine may not have.
    let storage = home.path("podman");
    let settings =
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/root\"\nrunroot = \"{0}/run\"\n", storage.display());
    home.write("storage.conf", settings);
    let furnish = |command: &mut Command| {
        home.furnish(command);
        command.env("CONTAINERS_STORAGE_CONF", home.path("work/storage.conf"));
        command.env("XDG_RUNTIME_DIR", home.path("home"));
    };
    let mut build = home.command(["build", "--load", "-t", "loaded:1", "ctx"]);
    furnish(&mut build);
    let digest = run(&mut build).ok().stdout;
    let mut podman = Command::new("podman");
    furnish(&mut podman);
    let output = podman
        .args([
            "image",
            "inspect",
            "--format",
            "{{.Digest}} {{.RepoTags}} {{.RootFS.Layers}}",
            "docker.io/library/loaded:1",
        ])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for id in home.diff_ids("loaded:1") {
        assert!(shown.contains(&id), "{shown} {digest}");
    }
}
