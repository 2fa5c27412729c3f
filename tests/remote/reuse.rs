//! What is fetched again, and what is not: told by the requests that a server gets.

use crate::site::{Resource, replaceable};
use crate::support::Home;
use crate::support::http::{Reply, Server};

const DOCKERFILE: &str = "FROM base\nADD http://HOST/f /\nRUN cat /f > /copy\n";

fn home(server: &Server) -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", DOCKERFILE.replace("HOST", &server.host()));
    Some(home)
}

#[test]
fn a_file_that_has_not_changed_is_not_sent_again() {
    for resource in
        [Resource::new("x").tagged("\"1\""), Resource::new("x").dated(), Resource::new("x").tagged("W/\"1\"")]
    {
        let server = resource.clone().serve();
        let Some(home) = home(&server) else { return };
        assert_eq!(home.build(["ctx"]).ran(""), 3, "the file and two steps");
        assert_eq!(home.build(["ctx"]).started, [""; 0], "{resource:?}");
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].header("if-none-match"), resource.etag.as_deref());
        assert_eq!(requests[1].header("if-modified-since"), resource.modified.as_deref());
    }
}

#[test]
fn the_same_tag_is_the_same_file_whatever_the_status() {
    // Such servers exist: they have tags, and send the file although they are asked whether it has changed.
    let server = Server::start(|_| Reply::ok(vec![b'x'; 1 << 20]).header("ETag", "\"1\""));
    let Some(home) = home(&server) else { return };
    home.build(["ctx"]);
    assert_eq!(home.build(["ctx"]).started, [""; 0]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn without_a_tag_or_a_date_it_is_fetched_again_and_the_content_decides() {
    let (server, resource) = replaceable(Resource::new("x"));
    let Some(home) = home(&server) else { return };
    let first = home.build(["ctx"]);
    let again = home.build(["ctx"]);
    // It was fetched, and what is made of it was not made again.
    assert_eq!((again.started.len(), again.digest.as_str()), (1, first.digest.as_str()));
    assert_eq!(server.requests()[1].header("if-none-match"), None);
    resource.lock().unwrap().body = b"y".to_vec();
    let changed = home.build(["-t", "x", "ctx"]);
    assert_eq!((changed.ran("ADD"), changed.ran("RUN")), (1, 1));
    assert_eq!(home.layers("x")[2].text("copy"), "y");
}

#[test]
fn a_file_that_has_changed_is_fetched_and_one_that_is_back_is_known() {
    let (server, resource) = replaceable(Resource::new("x").tagged("\"1\""));
    let Some(home) = home(&server) else { return };
    let first = home.build(["-t", "x", "ctx"]);
    *resource.lock().unwrap() = Resource::new("y").tagged("\"2\"");
    let second = home.build(["-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[1].text("f"), "y");
    assert_ne!(first.digest, second.digest);
    *resource.lock().unwrap() = Resource::new("x").tagged("\"3\"");
    let third = home.build(["-t", "x", "ctx"]);
    assert_eq!((third.ran("RUN"), third.digest), (0, first.digest));
}

#[test]
fn a_date_of_this_very_second_proves_nothing() {
    let now = "Thu, 02 Jan 2020 03:04:05 GMT";
    let server = Server::start(move |_| Reply::ok("x").header("Last-Modified", now).header("Date", now));
    let Some(home) = home(&server) else { return };
    home.build(["ctx"]);
    home.build(["ctx"]);
    assert_eq!(server.requests()[1].header("if-modified-since"), None);
}

#[test]
fn a_file_with_a_checksum_is_fetched_once_wherever_it_is() {
    let abc = [
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ];
    for checksum in abc {
        let server = Resource::new("abc").serve();
        let Some(home) = Home::with_base() else { return };
        let write = |checksum: &str, path: &str| {
            let add = format!("FROM base\nADD --checksum={checksum} http://{}/{path} /\n", server.host());
            home.write("ctx/Dockerfile", add);
        };
        write(checksum, "f");
        home.build(["ctx"]);
        assert_eq!(home.build(["ctx"]).started, [""; 0]);
        // The same file elsewhere, and by the other name that was learned of it.
        write(checksum, "elsewhere/f");
        home.build(["ctx"]);
        write(abc[0], "f");
        home.build(["ctx"]);
        assert_eq!(server.requests().len(), 1, "{checksum}");
        // A file of another name is another file.
        write(checksum, "g");
        home.build(["ctx"]);
        assert_eq!(server.requests().len(), 2, "{checksum}");
    }
}

#[test]
fn without_the_cache_everything_is_fetched() {
    let server = Resource::new("x").tagged("\"1\"").serve();
    let Some(home) = home(&server) else { return };
    home.build(["ctx"]);
    home.build(["--no-cache", "ctx"]);
    assert_eq!(server.requests()[1].header("if-none-match"), None);
}

#[test]
fn offline_what_is_stored_has_to_do() {
    let server = Resource::new("x").serve();
    let Some(home) = home(&server) else { return };
    let refused = home.layercake(["build", "--offline", "ctx"]).exits(3);
    assert!(refused.stderr.contains("is not in the store, and no server may be asked"), "{}", refused.stderr);
    let first = home.build(["ctx"]);
    assert_eq!(home.build(["--offline", "ctx"]).digest, first.digest);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn one_download_serves_builds_of_the_same_moment() {
    let server = Server::start(|_| {
        std::thread::sleep(std::time::Duration::from_millis(500));
        Reply::ok("x").header("ETag", "\"1\"")
    });
    let Some(home) = home(&server) else { return };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| home.build(["ctx"]));
        }
    });
    let whole = server.requests().iter().filter(|request| request.header("if-none-match").is_none()).count();
    assert_eq!(whole, 1);
}
