//! `ADD` of addresses: which file comes of it, with which attributes.

use crate::archive::{compressed, gzip, tar};
use crate::site::{DATE, Resource};
use crate::support::Home;
use crate::support::home::run;
use crate::support::http::{Reply, Server};

/// A home, where builds are possible, and a context of this Dockerfile; `HOST` in it is the server.
fn context(server: &Server, dockerfile: &str) -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", dockerfile.replace("HOST", &server.host()));
    Some(home)
}

/// The time of a file in the image that `ctx` is built to.
fn time(home: &Home, path: &str) -> u64 {
    home.tree("ctx");
    let tar = std::fs::read(home.path("work/tree.tar")).unwrap();
    let mut archive = tar::Archive::new(&tar[..]);
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let entry = entries.find(|entry| entry.path_bytes().ends_with(path.as_bytes())).unwrap();
    entry.header().mtime().unwrap()
}

#[test]
fn a_file_is_roots_and_nobody_elses() {
    let server = Resource::new("content\n").dated().serve();
    let Some(home) = context(&server, "FROM base\nADD http://HOST/some/f.txt?x=1#y /in/\n") else { return };
    let tree = home.tree("ctx");
    let file = tree.file("in/f.txt");
    assert_eq!((file.mode, file.owner), (0o600, (0, 0)));
    assert_eq!(tree.text("in/f.txt"), "content\n");
    assert_eq!(tree.file("in").mode, 0o755);
    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/some/f.txt?x=1"));
    assert!(request.header("user-agent").unwrap().starts_with("layercake/"), "{request:?}");
    assert_eq!(time(&home, "in/f.txt"), DATE.0);
}

#[test]
fn without_a_date_a_file_is_of_1970() {
    let server = Resource::new("x").serve();
    let Some(home) = context(&server, "FROM base\nADD http://HOST/f /\n") else { return };
    assert_eq!(time(&home, "f"), 0);
}

#[test]
fn flags_and_destinations_are_as_for_other_files() {
    let server = Resource::new("x").serve();
    let dockerfile = "FROM base\nWORKDIR /w\nADD http://HOST/f named\nADD --chmod=4755 --chown=ann:50 http://HOST/g .\n\
        ADD --chmod=u+x,go+r http://HOST/h /\nADD --link http://HOST/i /linked/\nADD http://HOST/j http://HOST/k /two/\n\
        COPY --from=0 /w/named /copied\n";
    let Some(home) = context(&server, &dockerfile.replace("COPY --from=0", "RUN cp")) else { return };
    let tree = home.tree("ctx");
    assert_eq!(tree.file("w/named").mode, 0o600);
    assert_eq!((tree.file("w/g").mode, tree.file("w/g").owner), (0o4755, (1000, 50)));
    assert_eq!(tree.file("h").mode, 0o744);
    for path in ["linked/i", "two/j", "two/k", "copied"] {
        assert_eq!(tree.text(path), "x", "{path}");
    }
}

#[test]
fn names_are_taken_from_the_address() {
    let server = Resource::new("x").serve();
    let dockerfile = "FROM base\nADD http://HOST/ /root/\nADD http://HOST/a%20b%5B1%5D*.txt /odd/\n\
        ADD http://HOST/a%5C%5B?.txt /odd/\nADD http://HOST/folder/ /slash/\nADD http://HOST/%C3%A4 /odd/\n";
    let Some(home) = context(&server, dockerfile) else { return };
    let tree = home.tree("ctx");
    // What is no pattern in the address is none in the copy.
    for path in ["root/__unnamed__", "odd/a b[1]*.txt", "odd/a\\[", "slash/folder", "odd/ä"] {
        assert!(tree.has(path), "{path} of {:?}", tree.paths());
    }
}

#[test]
fn a_servers_own_name_for_a_file_does_not_count() {
    let server = Server::start(|_| Reply::ok("x").header("Content-Disposition", "attachment; filename=../evil"));
    let Some(home) = context(&server, "FROM base\nADD http://HOST/good /in/\n") else { return };
    let tree = home.tree("ctx");
    assert!(tree.has("in/good") && !tree.paths().iter().any(|path| path.contains("evil")));
}

#[test]
fn archives_are_unpacked_only_if_told() {
    let archive = tar(&[("d/a", "one"), ("b", "two")]);
    let Some(home) = Home::with_base() else { return };
    for (name, bytes) in compressed(&archive) {
        let server = Resource::new(bytes.clone()).serve();
        let text = "FROM base\nADD http://HOST/x /packed\nADD --unpack http://HOST/x /out/\n\
            ADD --unpack=false http://HOST/x /also\nADD --unpack=true --chown=7:8 http://HOST/x /owned/\n\
            ADD --unpack=true http://HOST/x http://HOST/y /two/\n";
        home.write("ctx/Dockerfile", text.replace("HOST", &server.host()));
        let tree = home.tree("ctx");
        assert_eq!(tree.file("packed").content, bytes, "{name}");
        assert_eq!(tree.file("also").content, bytes, "{name}");
        assert_eq!((tree.text("out/d/a"), tree.text("out/b"), tree.text("two/b")), ("one", "two", "two"), "{name}");
        assert_eq!(tree.file("out/b").owner, (1234, 1234), "{name}");
        assert_eq!(tree.file("owned/d/a").owner, (7, 8), "{name}");
        // One download for all of them.
        assert_eq!(server.count("GET", "/x"), 1, "{name}");
    }
}

#[test]
fn what_is_no_archive_is_not_unpacked() {
    for body in [&b"text\n"[..], &gzip(b"text\n")] {
        let server = Resource::new(body).serve();
        let Some(home) = context(&server, "FROM base\nADD --unpack=true http://HOST/x /out/\n") else { return };
        assert_eq!(home.tree("ctx").file("out/x").content, body);
    }
}

#[test]
fn local_archives_are_unpacked_beside_files_that_are_not() {
    let server = Resource::new(tar(&[("fetched", "")])).serve();
    let Some(home) = context(&server, "FROM base\nADD l.tar http://HOST/f.tar /out/\n") else { return };
    home.write("ctx/l.tar", tar(&[("local", "")]));
    let tree = home.tree("ctx");
    assert!(tree.has("out/local") && tree.has("out/f.tar") && !tree.has("out/fetched"), "{:?}", tree.paths());
}

#[test]
fn redirects_are_followed() {
    let target = Resource::new("there").serve();
    let host = target.host();
    let server = Server::start(move |request| match request.path.as_str() {
        "/f" => Reply::status(302).header("Location", "/relative/g"),
        "/relative/g" => Reply::status(301).header("Location", format!("http://{host}/h")),
        _ => Reply::status(404),
    });
    let Some(home) = context(&server, "FROM base\nADD http://me:pass@HOST/f /in/\n") else { return };
    // The name is that of the address in the Dockerfile.
    assert_eq!(home.tree("ctx").text("in/f"), "there");
    assert_eq!(server.requests()[0].header("authorization"), Some("Basic bWU6cGFzcw=="));
    assert_eq!(server.requests()[1].header("authorization"), Some("Basic bWU6cGFzcw=="));
    assert_eq!(target.requests()[0].header("authorization"), None, "a password is for one server");
}

#[test]
fn secrets_open_doors() {
    let server = Server::start(|request| match request.header("authorization") {
        Some("Bearer t0ken") => Reply::ok("secret"),
        _ => Reply::status(401),
    });
    let Some(home) = context(&server, "FROM base\nADD http://HOST/f /\n") else { return };
    let refused = home.layercake(["build", "ctx"]).exits(3);
    assert!(refused.stderr.contains("invalid response status 401"), "{}", refused.stderr);
    home.write("token", "t0ken\n");
    home.build(["--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,src=token", "-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[1].text("f"), "secret");
}

#[test]
fn proxies_of_the_environment_are_asked() {
    let proxy = Server::start(|request| match request.path.as_str() {
        "http://files.example/f?x" => Reply::status(302).header("Location", "http://other.example:81/g"),
        "http://other.example:81/g" => Reply::ok("by proxy"),
        _ => Reply::status(404),
    });
    let dockerfile = "FROM base\nADD http://files.example/f?x /\n";
    let Some(home) = context(&proxy, dockerfile) else { return };
    let build = |exceptions: &str| {
        let mut command = home.command(["build", "--no-cache", "-t", "x", "ctx"]);
        command.env("http_proxy", format!("http://me:pass@{}", proxy.host())).env("no_proxy", exceptions);
        run(&mut command)
    };
    build("").ok();
    assert_eq!(home.layers("x")[1].text("f"), "by proxy");
    let requests = proxy.requests();
    assert!(requests.iter().all(|request| request.header("proxy-authorization") == Some("Basic bWU6cGFzcw==")));
    assert_eq!(requests[0].header("host"), Some("files.example"));
    assert_eq!(requests[1].header("host"), Some("other.example:81"));
    let direct = build(".example").exits(3);
    assert!(direct.stderr.contains("no such host"), "{}", direct.stderr);
    let mut command = home.command(["build", "--no-cache", "ctx"]);
    let gone = run(command.env("http_proxy", "http://127.0.0.1:1")).exits(3);
    assert!(gone.stderr.contains("proxyconnect: the proxy on the way to `files.example`"), "{}", gone.stderr);
}
