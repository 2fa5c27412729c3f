//! Connections that break, servers that stumble, and what is left of a download that came to nothing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::site::Resource;
use crate::support::Home;
use crate::support::http::{Reply, Server};

fn home(server: &Server) -> Option<Home> {
    home_of(&server.host())
}

/// Bytes of which each part is another.
fn long() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let resource = Resource::new(long()).tagged("\"1\"");
    let served = resource.clone();
    // A fifth at a time: more breaks than anything is tried in vain.
    let server = Server::start(move |request| served.answer(request).cut(240_000));
    let Some(home) = home(&server) else { return };
    home.build(["-t", "x", "ctx"]);
    assert!(home.layers("x")[1].file("f").content == resource.body);
    let ranges: Vec<_> = server.requests().iter().map(|request| request.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges[0], None);
    assert!(ranges.len() >= 5 && ranges[1..].iter().all(Option::is_some), "{ranges:?}");
}

#[test]
fn a_file_that_changed_meanwhile_is_begun_anew() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |request| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Resource::new(long()).tagged("\"1\"").answer(request).cut(200_000),
        _ => Resource::new("new").tagged("\"2\"").answer(request),
    });
    let Some(home) = home(&server) else { return };
    home.build(["-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[1].text("f"), "new");
}

#[test]
fn without_a_strong_tag_it_is_begun_anew() {
    for resource in [Resource::new(long()), Resource::new(long()).tagged("W/\"1\"")] {
        let count = AtomicUsize::new(0);
        let served = resource.clone();
        let server = Server::start(move |request| match count.fetch_add(1, Ordering::Relaxed) {
            0 => served.answer(request).cut(200_000),
            _ => served.answer(request),
        });
        let Some(home) = home(&server) else { return };
        home.build(["-t", "x", "ctx"]);
        assert!(home.layers("x")[1].file("f").content == resource.body);
        assert!(server.requests().iter().all(|request| request.header("range").is_none()));
    }
}

#[test]
fn a_download_that_never_ends_well_leaves_nothing() {
    let server = Server::start(|_| Reply::ok(long()).cut(200_000));
    let Some(home) = home(&server) else { return };
    let ran = home.layercake(["build", "ctx"]).exits(3);
    assert!(ran.stderr.contains("broke"), "{}", ran.stderr);
    assert!(server.requests().len() < 10, "{} attempts", server.requests().len());
    assert_eq!(home.unfinished(), [""; 0]);
    let offline = home.layercake(["build", "--offline", "ctx"]).exits(3);
    assert!(offline.stderr.contains("is not in the store"), "{}", offline.stderr);
}

#[test]
fn a_stumbling_server_is_asked_again() {
    for status in [500, 503, 429] {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
            0 => Reply::status(status),
            _ => Reply::ok("x"),
        });
        let Some(home) = home(&server) else { return };
        home.build(["-t", "x", "ctx"]);
        assert_eq!(home.layers("x")[1].text("f"), "x");
    }
}

#[test]
fn a_failure_elsewhere_ends_a_download() {
    let server = Server::start(|request| {
        if request.path == "/slow" {
            sleep(Duration::from_secs(2));
        }
        Reply::ok(long())
    });
    let Some(home) = home(&server) else { return };
    let dockerfile = format!(
        "FROM base AS one\nADD http://{}/slow /\nFROM base\nRUN false\nCOPY --from=one /slow /\n",
        server.host()
    );
    home.write("ctx/Dockerfile", dockerfile);
    let ran = home.layercake(["build", "ctx"]).exits(1);
    assert!(!ran.stderr.contains("stopped"), "{}", ran.stderr);
    assert_eq!(home.unfinished(), [""; 0]);
}

/// A server that gives each connection the next of these answers, byte by byte as they are, and the last one to all that
/// follow. An answer that holds is not ended.
fn raw(answers: Vec<(&'static [u8], End)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (bytes, end) = &answers[number.min(answers.len() - 1)];
            // The whole request is there: closing before it is read would take the answer back.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes);
            if *end == End::Holds {
                held.push(stream);
            }
        }
    });
    host
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Closes,
    Holds,
}

fn home_of(host: &str) -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", format!("FROM base\nADD http://{host}/f /\n"));
    Some(home)
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";

#[test]
fn lengths_may_be_told_in_any_way() {
    let by_end = b"HTTP/1.0 200 OK\r\n\r\nhello world";
    for answer in [CHUNKED, by_end] {
        let Some(home) = home_of(&raw(vec![(answer, End::Closes)])) else { return };
        home.build(["-t", "x", "ctx"]);
        assert_eq!(home.layers("x")[1].text("f"), "hello world");
    }
}

#[test]
fn a_file_is_whole_only_with_its_last_chunk() {
    // Twice cut off, at different places, and then whole.
    let answers =
        vec![(&CHUNKED[..60], End::Closes), (&CHUNKED[..CHUNKED.len() - 5], End::Closes), (CHUNKED, End::Closes)];
    let Some(home) = home_of(&raw(answers)) else { return };
    home.build(["-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[1].text("f"), "hello world");
    let Some(home) = home_of(&raw(vec![(&CHUNKED[..60], End::Closes)])) else { return };
    home.layercake(["build", "ctx"]).exits(3);
}

#[test]
fn a_build_that_is_killed_while_it_fetches_leaves_nothing() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nETag: \"1\"\r\n\r\nhello";
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nETag: \"1\"\r\n\r\nhello world";
    let Some(home) = home_of(&raw(vec![(half, End::Holds), (whole, End::Closes)])) else { return };
    let mut child = home.command(["build", "ctx"]).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while home.unfinished().is_empty() {
        assert!(Instant::now() < end, "nothing is fetched");
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    home.build(["-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[1].text("f"), "hello world");
    assert_eq!(home.unfinished(), [""; 0]);
}
