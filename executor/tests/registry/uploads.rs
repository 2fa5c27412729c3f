//! Registries that take blobs in their own ways.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use layercake_cache::Digest;
use layercake_executor::registry::client::Client;
use layercake_executor::registry::error::Error;
use layercake_executor::registry::event::ignore;
use layercake_executor::registry::settings::Settings;

use crate::fake::Good;
use crate::fixture::{image_of, layer, name, platform, store, tar};
use crate::http::{Reply, Request, Server};
use crate::settings;

/// What a taking registry has got: sessions by their paths, blobs by their digests.
#[derive(Default)]
struct Taken {
    sessions: Mutex<BTreeMap<String, Vec<u8>>>,
    blobs: Mutex<BTreeMap<String, Vec<u8>>>,
    begun: AtomicUsize,
}

impl Taken {
    fn begin(&self, location: impl Fn(usize) -> String) -> Reply {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        Reply::status(202).header("Location", location(number))
    }

    fn append(&self, request: &Request) {
        let session = request.path.split('?').next().unwrap().to_owned();
        self.sessions.lock().unwrap().entry(session).or_default().extend(&request.body);
    }

    fn finish(&self, request: &Request) -> Reply {
        self.append(request);
        let (session, query) = request.path.split_once('?').unwrap();
        let digest = query.split('&').find_map(|part| part.strip_prefix("digest=")).unwrap().replace("%3A", ":");
        let bytes = self.sessions.lock().unwrap().remove(session).unwrap();
        if Digest::of(&bytes).to_string() != digest {
            return Reply::status(400);
        }
        self.blobs.lock().unwrap().insert(digest, bytes);
        Reply::status(201)
    }

    /// A registry whose upload addresses are made by `location`.
    fn serve(self, location: impl Fn(usize) -> String + Send + Sync + 'static, limit: usize) -> Server {
        Server::start(move |request| match request.method.as_str() {
            _ if request.path == "/v2/" => Reply::status(200),
            "HEAD" => {
                let digest = request.path.rsplit('/').next().unwrap();
                Reply::status(if self.blobs.lock().unwrap().contains_key(digest) { 200 } else { 404 })
            }
            "POST" => self.begin(&location),
            "PATCH" => {
                let known =
                    self.sessions.lock().unwrap().get(request.path.split('?').next().unwrap()).map_or(0, Vec::len);
                let range = format!("{known}-{}", known + request.body.len() - 1);
                if request.header("content-range") != Some(&range) {
                    return Reply::status(416);
                }
                self.append(request);
                Reply::status(202).header("Location", &request.path)
            }
            "PUT" if request.path.contains("/manifests/") => Reply::status(201),
            "PUT" if request.body.len() > limit => Reply::status(413),
            "PUT" => self.finish(request),
            _ => Reply::status(404),
        })
    }
}

fn push(server: &Server) -> Result<Digest, Error> {
    let good = Good::new();
    let target = name(&format!("{}/app:1", server.host()));
    Client::new(settings()).push(&good.store, &good.image.descriptor, &target, &ignore)
}

#[test]
fn the_place_of_an_upload_may_be_relative_and_have_a_query() {
    let server = Taken::default().serve(|number| format!("/somewhere/{number}?_state=a%2Fb%3D"), usize::MAX);
    push(&server).unwrap();
    let puts: Vec<Request> =
        server.requests().into_iter().filter(|request| request.path.starts_with("/somewhere")).collect();
    assert_eq!(puts.len(), 3);
    assert!(puts.iter().all(|put| put.path.contains("?_state=a%2Fb%3D&digest=sha256%3A")), "{puts:?}");
    assert_eq!(server.requests().last().unwrap().path, "/v2/app/manifests/1", "the name is given last");
}

#[test]
fn a_server_that_limits_requests_is_sent_chunks() {
    let server = Taken::default().serve(|number| format!("uploads/{number}"), 4 << 20);
    let (from, amd64) = (store(), platform("linux/amd64"));
    let noise: Vec<u8> = (0..2_500_000u32).flat_map(u32::to_le_bytes).collect();
    let big = layer(&from, &tar(&[("noise", &noise)]), layercake_executor::image::media::Compression::None);
    let descriptor = image_of(&from, vec![big], &amd64);
    let target = name(&format!("{}/app:1", server.host()));
    Client::new(settings()).push(&from, &descriptor, &target, &ignore).unwrap();
    assert_eq!(server.count("PATCH", "/v2/app/blobs/uploads/"), 3);
}

#[test]
fn an_upload_that_breaks_is_begun_again() {
    let (taken, broken) = (Taken::default(), AtomicUsize::new(0));
    let server = Server::start(move |request| match request.method.as_str() {
        _ if request.path == "/v2/" => Reply::status(200),
        // It cannot say how far an upload has come.
        "HEAD" | "GET" => Reply::status(404),
        "POST" => taken.begin(|number| format!("/u/{number}")),
        "PATCH" => {
            taken.append(request);
            Reply::status(202).header("Location", &request.path)
        }
        "PUT" if request.path.contains("/manifests/") => Reply::status(201),
        // Ended before the status has come.
        "PUT" if broken.fetch_add(1, Ordering::Relaxed) < 2 => Reply { cut: Some(0), ..Reply::status(500) },
        _ => taken.finish(request),
    });
    push(&server).unwrap();
}

/// A registry that takes blobs in chunks alone, and whose requests `spoil` spoils before it takes them.
fn chunked(spoil: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Server {
    let taken = Taken::default();
    let session = |request: &Request| request.path.split('?').next().unwrap().to_owned();
    Server::start(move |request| {
        if let Some(reply) = spoil(request) {
            return reply;
        }
        let known = || taken.sessions.lock().unwrap().get(&session(request)).map_or(0, Vec::len);
        match request.method.as_str() {
            _ if request.path == "/v2/" => Reply::status(200),
            "HEAD" => {
                let digest = request.path.rsplit('/').next().unwrap();
                Reply::status(if taken.blobs.lock().unwrap().contains_key(digest) { 200 } else { 404 })
            }
            "POST" => taken.begin(|number| format!("/u/{number}?state=0")),
            "GET" => {
                let (known, path) = (known(), session(request));
                let reply = Reply::status(204).header("Location", format!("{path}?state={known}"));
                reply.header("Range", format!("0-{}", known.saturating_sub(1)))
            }
            "PATCH" => {
                let known = known();
                let range = format!("{known}-{}", known + request.body.len() - 1);
                // The state in the address has to be the latest, as distribution's.
                let is_latest = request.path.ends_with(&format!("?state={known}"));
                if request.header("content-range") != Some(&range) || !is_latest {
                    return Reply::status(416);
                }
                taken.append(request);
                let (length, path) = (known + request.body.len(), session(request));
                Reply::status(202).header("Location", format!("{path}?state={length}"))
            }
            "PUT" if request.path.contains("/manifests/") => Reply::status(201),
            "PUT" if request.body.len() > 4 << 20 => Reply::status(413),
            _ => taken.finish(request),
        }
    })
}

/// Pushes an image with a layer of ten million bytes.
fn push_big(server: &Server) -> Result<Digest, Error> {
    let (from, amd64) = (store(), platform("linux/amd64"));
    let noise: Vec<u8> = (0..2_500_000u32).flat_map(u32::to_le_bytes).collect();
    let big = layer(&from, &tar(&[("noise", &noise)]), layercake_executor::image::media::Compression::None);
    let descriptor = image_of(&from, vec![big], &amd64);
    let target = name(&format!("{}/app:1", server.host()));
    Client::new(settings()).push(&from, &descriptor, &target, &ignore)
}

/// The parts that were sent in chunks, in their order.
fn chunks(server: &Server) -> Vec<String> {
    let patches = server.requests().into_iter().filter(|request| request.method == "PATCH");
    patches.map(|request| request.header("content-range").unwrap().to_owned()).collect()
}

#[test]
fn an_upload_in_chunks_that_breaks_goes_on_where_it_broke() {
    let patches = AtomicUsize::new(0);
    let server = chunked(move |request| {
        let is_second = request.method == "PATCH" && patches.fetch_add(1, Ordering::Relaxed) == 1;
        is_second.then(|| Reply::status(502))
    });
    push_big(&server).unwrap();
    let chunks = chunks(&server);
    assert_eq!(chunks.len(), 4, "{chunks:?}");
    assert!(chunks[0].starts_with("0-") && chunks[1] == chunks[2], "the second is sent twice: {chunks:?}");
    assert_eq!(server.count("POST", "/v2/app/blobs/uploads/"), 3, "one for each blob, and one for smaller requests");
}

#[test]
fn a_registry_that_breaks_down_over_the_question_how_far_it_is_gets_all_of_it_anew() {
    let patches = AtomicUsize::new(0);
    let server = chunked(move |request| {
        let is_second = request.method == "PATCH" && patches.fetch_add(1, Ordering::Relaxed) == 1;
        let is_question = request.method == "GET" && request.path.starts_with("/u/");
        (is_second || is_question).then(|| Reply::status(500))
    });
    push_big(&server).unwrap();
    assert_eq!(chunks(&server).len(), 5, "two, and all three again");
}

#[test]
fn an_upload_that_the_registry_has_lost_is_begun_anew() {
    let patches = AtomicUsize::new(0);
    let server = chunked(move |request| {
        let is_third = request.method == "PATCH" && patches.fetch_add(1, Ordering::Relaxed) == 2;
        is_third.then(|| Reply::status(404))
    });
    push_big(&server).unwrap();
    assert_eq!(chunks(&server).len(), 6, "three, and all three again");
}

#[test]
fn a_token_that_dies_while_something_is_sent_is_replaced() {
    let own = std::sync::Arc::new(Mutex::new(String::new()));
    let (host, patches, tokens) = (own.clone(), AtomicUsize::new(0), AtomicUsize::new(0));
    let server = chunked(move |request| {
        if request.path.starts_with("/token") {
            let token = format!("token{}", tokens.fetch_add(1, Ordering::Relaxed));
            return Some(Reply::ok(format!(r#"{{"token":"{token}","expires_in":300}}"#)));
        }
        let wanted = if patches.load(Ordering::Relaxed) < 2 { "Bearer token0" } else { "Bearer token1" };
        // The second chunk comes with a token that was good until now.
        let is_patch = request.method == "PATCH";
        let dies = is_patch && patches.fetch_add(1, Ordering::Relaxed) == 1;
        if !dies && request.header("authorization") == Some(wanted) {
            return None;
        }
        let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", host.lock().unwrap());
        Some(Reply::status(401).header("WWW-Authenticate", challenge))
    });
    *own.lock().unwrap() = server.host();
    push_big(&server).unwrap();
    let chunks = chunks(&server);
    assert_eq!(chunks.len(), 4, "{chunks:?}");
    assert_eq!(chunks[1], chunks[2], "it is sent once more with a new token");
}

#[test]
fn a_registry_that_refuses_says_why() {
    let denied = Server::start(|request| match request.path.as_str() {
        "/v2/" => Reply::status(200),
        _ if request.method == "HEAD" => Reply::status(404),
        _ => Reply { status: 403, ..Reply::ok(r#"{"errors":[{"code":"DENIED","message":"read only"}]}"#) },
    });
    let error = push(&denied).unwrap_err();
    assert!(matches!(&error, Error::Forbidden { message, .. } if message == "read only"), "{error}");
    let no_repository =
        Server::start(|request| if request.path == "/v2/" { Reply::status(200) } else { Reply::status(404) });
    assert!(matches!(push(&no_repository).unwrap_err(), Error::NotFound { .. }));
}

#[test]
fn a_registry_that_changes_the_manifest_is_noticed() {
    let (taken, other) = (Taken::default(), Digest::of(b"other"));
    let server = Server::start(move |request| match request.method.as_str() {
        _ if request.path == "/v2/" => Reply::status(200),
        "HEAD" => Reply::status(404),
        "POST" => taken.begin(|number| format!("/u/{number}")),
        _ if request.path.contains("/manifests/") => Reply::status(201).header("Docker-Content-Digest", other),
        _ => taken.finish(request),
    });
    assert!(matches!(push(&server).unwrap_err(), Error::WrongDigest { found, .. } if found == other));
}

#[test]
fn a_layer_that_is_nowhere_is_an_error_before_anything_has_a_name() {
    let server = Taken::default().serve(|number| format!("/u/{number}"), usize::MAX);
    let good = Good::new();
    std::fs::remove_file(good.store.blob_path(&good.layer().digest)).unwrap();
    let target = name(&format!("{}/app:1", server.host()));
    let client = Client::new(Settings { attempts: 1, ..settings() });
    let error = client.push(&good.store, &good.image.descriptor, &target, &ignore).unwrap_err();
    assert!(matches!(&error, Error::MissingLayer { digest, .. } if *digest == good.layer().digest), "{error}");
    assert_eq!(server.count("PUT", "/v2/app/manifests"), 0);
}
