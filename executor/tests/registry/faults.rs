//! Servers and connections that fail while pulling.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use layercake_cache::Digest;
use layercake_executor::fault::Fault;
use layercake_executor::image::local::Images;
use layercake_executor::registry::client::Client;
use layercake_executor::registry::error::Error;
use layercake_executor::registry::event::ignore;
use layercake_executor::registry::settings::Settings;

use crate::fake::Good;
use crate::fixture::{platform, store};
use crate::http::{Reply, Request};
use crate::{Notes, client, settings};

/// Pulls from a registry that `spoil` spoils.
fn pull(spoil: impl Fn(&Good, &Request) -> Option<Reply> + Send + Sync + 'static) -> Result<Notes, Error> {
    let (_server, reference) = Good::new().serve(spoil);
    let (to, notes) = (store(), Notes::default());
    let result = client().pull(&to, &reference, &platform("linux/amd64"), &|event| notes.take(event));
    match result {
        Ok(image) => {
            assert_eq!(image.missing_layers(&to).count(), 0);
            for blob in image.manifest.blobs() {
                assert_eq!(Digest::of(&to.read_blob(&blob.digest).unwrap().unwrap()), blob.digest);
            }
            Ok(notes)
        }
        Err(error) => {
            assert!(Images::new(&to).list().unwrap().is_empty(), "no name is given to what is not complete");
            Err(error)
        }
    }
}

/// Counts, and says whether this is one of the first.
#[derive(Default)]
struct First(AtomicUsize);

impl First {
    fn of(&self, count: usize) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) < count
    }
}

#[test]
fn the_good_registry_is_good() {
    assert_eq!(pull(|_, _| None).unwrap().retries(), [""; 0]);
}

#[test]
fn a_broken_transfer_goes_on_where_it_broke() {
    let good = Good::new();
    let (path, size) = (good.layer_path(), good.layer().size);
    let (server, reference) = good.serve(move |good, request| {
        if request.path != path {
            return None;
        }
        let bytes = good.bytes(&good.layer().digest).unwrap();
        let start = match request.header("range") {
            None => 0,
            Some(range) => range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap(),
        };
        let reply = if start == 0 { Reply::ok(bytes) } else { Reply { status: 206, ..Reply::ok(&bytes[start..]) } };
        // Ten bytes at a time.
        Some(reply.header("Content-Range", format!("bytes {start}-{}/{size}", size - 1)).cut(10))
    });
    let to = store();
    let image = client().pull(&to, &reference, &platform("linux/amd64"), &ignore).unwrap();
    assert_eq!(image.missing_layers(&to).count(), 0);
    let ranged = server.requests().iter().filter(|request| request.headers.contains_key("range")).count();
    // It takes more connections than one thing may be tried in vain: each brought something.
    assert!(ranged as u64 >= size / 10 - 1 && ranged > settings().attempts as usize, "{ranged} of {size} bytes");
}

#[test]
fn a_server_that_knows_no_ranges_sends_it_again() {
    let first = First::default();
    pull(move |good, request| (request.path == good.layer_path() && first.of(2)).then(|| good.answer(request).cut(10)))
        .unwrap();
}

#[test]
fn a_wrong_part_is_not_taken() {
    let error = pull(|good, request| {
        let bytes = good.bytes(&good.layer().digest).unwrap();
        match request.header("range") {
            _ if request.path != good.layer_path() => None,
            None => Some(Reply::ok(bytes).cut(10)),
            Some(_) => Some(Reply { status: 206, ..Reply::ok(&bytes[5..]) }.header("Content-Range", "bytes 5-9/10")),
        }
    })
    .unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
}

#[test]
fn corrupt_content_is_fetched_once_more_and_then_refused() {
    let corrupt = |good: &Good| {
        let mut bytes = good.bytes(&good.layer().digest).unwrap();
        bytes[3] ^= 1;
        Reply::ok(bytes)
    };
    let first = First::default();
    let notes = pull(move |good, request| (request.path == good.layer_path() && first.of(1)).then(|| corrupt(good)));
    assert!(notes.unwrap().retries()[0].contains("digest"));
    let error = pull(move |good, request| (request.path == good.layer_path()).then(|| corrupt(good))).unwrap_err();
    match &error {
        Error::WrongDigest { expected, found, .. } => assert_ne!(expected, found),
        error => panic!("{error}"),
    }
    assert_eq!(error.fault(), Fault::Environment);
}

#[test]
fn content_that_is_too_long_is_not_read_to_its_end() {
    let error = pull(|good, request| {
        (request.path == good.layer_path()).then(|| Reply::ok(vec![0; good.layer().size as usize + 1_000_000]))
    })
    .unwrap_err();
    assert!(matches!(error, Error::WrongSize { expected, found, .. } if found < expected + 1_000_000), "{error}");
}

#[test]
fn content_that_is_too_short_is_refused() {
    let error = pull(|good, request| (request.path == good.layer_path()).then(|| Reply::ok(vec![0; 5]))).unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
}

#[test]
fn documents_are_checked() {
    for what in ["latest", "manifests/sha256", "config"] {
        let error = pull(move |good, request| {
            let config = format!("/v2/app/blobs/{}", good.image.manifest.config.digest);
            let hit = request.path.contains(what) || what == "config" && request.path == config;
            let mut reply = good.answer(request);
            reply.body.push(b' ');
            (hit && request.method == "GET").then_some(reply)
        });
        // A tag leads to its digest first, and by that the manifest is fetched: both are spoiled by "latest".
        match error {
            Err(Error::WrongDigest { .. } | Error::WrongSize { .. }) => (),
            Err(error) => panic!("{what}: {error}"),
            Ok(_) => assert_eq!(what, "manifests/sha256", "nothing was fetched so"),
        }
    }
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    for status in [429, 500, 502, 503, 504] {
        let first = First::default();
        let notes =
            pull(move |_, request| (request.path != "/v2/" && first.of(3)).then(|| Reply::status(status))).unwrap();
        assert_eq!(notes.retries().len(), 3, "{status}");
    }
    let error = pull(|good, request| (request.path == good.layer_path()).then(|| Reply::status(500))).unwrap_err();
    assert!(matches!(error, Error::Server { status: 500, .. }), "{error}");
}

#[test]
fn retry_after_is_obeyed_within_reason() {
    let limited = |after: &str| {
        let (first, after) = (First::default(), after.to_owned());
        let begin = Instant::now();
        let result = pull(move |_, request| {
            let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\u001b[31m down"}]}"#;
            let reply = Reply { status: 429, ..Reply::ok(body) }.header("Retry-After", &after);
            (request.path != "/v2/" && request.method == "GET" && first.of(1)).then_some(reply)
        });
        (result, begin.elapsed())
    };
    let (result, took) = limited("1");
    assert!(result.is_ok() && took >= Duration::from_secs(1), "{took:?}");
    let (result, took) = limited("Wed, 21 Oct 2015 07:28:00 GMT");
    assert!(result.is_ok() && took < Duration::from_secs(1), "{took:?}");
    let (result, took) = limited("3600");
    let message = result.map(drop).unwrap_err().to_string();
    assert!(
        message.contains("rate limit") && message.contains("3600 s") && message.contains("slow[31m down"),
        "{message}"
    );
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_redirect_is_followed_and_takes_no_credentials_along() {
    let elsewhere = Good::new().serve(|_, _| None).0;
    let target = elsewhere.host();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let (server, reference) = Good::new().serve(move |good, request| {
        if request.header("authorization").is_none() {
            return Some(Reply::status(401).header("WWW-Authenticate", "Basic realm=\"x\""));
        }
        let location = format!("http://{target}{}?signature=a%2Fb", good.layer_path());
        (request.path == good.layer_path()).then(|| Reply::status(307).header("Location", location))
    });
    std::fs::write(&file, format!(r#"{{"auths":{{"{}":{{"auth":"YTpi"}}}}}}"#, server.host())).unwrap();
    let client = Client::new(Settings { credentials: vec![file], ..settings() });
    // The other server answers by the path without the query.
    let result = client.pull(&store(), &reference, &platform("linux/amd64"), &ignore);
    let asked = elsewhere.requests();
    assert!(asked.iter().any(|request| request.path.ends_with("?signature=a%2Fb")), "{asked:?}");
    assert!(asked.iter().all(|request| request.header("authorization").is_none()));
    assert!(matches!(result, Err(Error::NotFound { .. })), "the query is part of the path there");
}

#[test]
fn redirects_end() {
    let error = pull(|good, request| {
        (request.path == good.layer_path()).then(|| Reply::status(302).header("Location", good.layer_path()))
    })
    .unwrap_err();
    assert!(matches!(&error, Error::Unexpected { problem, .. } if problem.contains("redirects")), "{error}");
    let error = pull(|good, request| {
        (request.path == good.layer_path()).then(|| Reply::status(302).header("Location", "file:///etc/shadow"))
    })
    .unwrap_err();
    assert!(error.to_string().contains("file:///etc/shadow"), "{error}");
}

#[test]
fn other_things_than_images_are_named() {
    let answer = |body: &'static str| {
        pull(move |_, request| request.path.contains("/manifests/").then(|| Reply::ok(body))).map(drop).unwrap_err()
    };
    let error = answer(r#"{"schemaVersion":1,"fsLayers":[]}"#);
    assert!(error.to_string().contains("schema 1"), "{error}");
    assert_eq!(error.fault(), Fault::Input);
    assert!(matches!(answer("<html>welcome to the hotel's network</html>"), Error::Document { .. }));
    let artifact = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"{}","size":2}},"layers":[]}}"#,
        Digest::of(b"{}")
    );
    let error = pull(move |_, request| {
        if request.path.contains("/manifests/") { Some(Reply::ok(artifact.clone())) } else { Some(Reply::ok("{}")) }
    })
    .unwrap_err();
    assert!(error.to_string().contains("helm"), "{error}");
}

#[test]
fn a_document_without_end_is_not_read_to_its_end() {
    let error = pull(|_, request| {
        (request.path.contains("/manifests/") && request.method == "GET").then(|| Reply::ok(vec![b' '; 9 << 20]))
    })
    .unwrap_err();
    assert!(matches!(error, Error::TooLong { .. }), "{error}");
}

#[test]
fn a_refusal_gives_the_registrys_words() {
    let body = r#"{"errors":[{"code":"DENIED","message":"the repository is frozen"}]}"#;
    let error = pull(move |_, request| (request.path != "/v2/").then(|| Reply { status: 403, ..Reply::ok(body) }));
    let error = error.map(drop).unwrap_err();
    // A HEAD has no body; what counts is that it is told from other failures.
    assert!(matches!(error, Error::Forbidden { .. }), "{error}");
    let error = pull(move |good, request| {
        (request.path == good.layer_path()).then(|| Reply { status: 403, ..Reply::ok(body) })
    });
    let message = error.map(drop).unwrap_err().to_string();
    assert!(message.contains("the repository is frozen"), "{message}");
}

#[test]
fn a_server_that_stalls_is_given_up() {
    let (_server, reference) = Good::new().serve(|good, request| {
        if request.path == good.layer_path() {
            std::thread::sleep(Duration::from_secs(2));
        }
        None
    });
    let client = Client::new(Settings { stall_timeout: Duration::from_millis(200), attempts: 2, ..settings() });
    let error = client.pull(&store(), &reference, &platform("linux/amd64"), &ignore).unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
}

#[test]
fn a_mirror_goes_first_and_need_not_have_everything() {
    use layercake_executor::registry::event::Event;
    use layercake_executor::registry::settings::{Mirror, Registry};
    let (origin, reference) = Good::new().serve(|_, _| None);
    // The mirror has no second layer, and everything below a prefix.
    let mirror = crate::http::Server::start(|request| {
        let good = Good::new();
        let lacks = request.path.contains(&good.image.manifest.layers[1].digest.hex());
        let inner = Request { path: request.path.replacen("/v2/proxy/", "/v2/", 1), ..request.clone() };
        if lacks { Reply::status(404) } else { good.answer(&inner) }
    });
    let place = Mirror { host: mirror.host(), prefix: "proxy".to_owned() };
    let mirrored = Registry { mirrors: Some(vec![place]), ..Registry::default() };
    let registries = std::collections::BTreeMap::from([(origin.host(), mirrored)]);
    let client = Client::new(Settings { registries, ..settings() });
    let (to, notes) = (store(), Notes::default());
    let image = client.pull(&to, &reference, &platform("linux/amd64"), &|event| notes.take(event)).unwrap();
    assert_eq!(image.missing_layers(&to).count(), 0);
    assert_eq!(origin.requests().len(), 1, "only the layer that the mirror lacks came from the registry itself");
    assert!(mirror.requests().iter().all(|request| request.path.starts_with("/v2/proxy/app/")));
    let failed = notes.0.lock().unwrap().iter().filter(|event| matches!(event, Event::MirrorFailed { .. })).count();
    assert_eq!(failed, 1);
}

#[test]
fn two_that_want_the_same_image_fetch_its_layers_once() {
    let (server, reference) = Good::new().serve(|good, request| {
        if request.path == good.layer_path() {
            std::thread::sleep(Duration::from_millis(200));
        }
        None
    });
    let to = store();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            // Stores opened apart from one another stand for processes.
            let (root, reference) = (to.root().to_owned(), reference.clone());
            scope.spawn(move || {
                let store = layercake_cache::Store::open(&root).unwrap();
                client().pull(&store, &reference, &platform("linux/amd64"), &ignore).unwrap();
            });
        }
    });
    assert_eq!(server.count("GET", &Good::new().layer_path()), 1);
}

#[test]
fn a_configuration_as_long_as_a_layer_is_not_read() {
    let (long, amd64) = (vec![b' '; 9 << 20], platform("linux/amd64"));
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[]}}"#,
        Digest::of(&long),
        long.len()
    );
    let (_server, reference) =
        Good::new().serve(move |_, request| request.path.contains("/manifests/").then(|| Reply::ok(manifest.clone())));
    let to = store();
    // It is even here already.
    to.put_blob(&long).unwrap();
    let error = client().resolve(&to, &reference, &amd64, &ignore).unwrap_err();
    assert!(matches!(error, Error::TooLong { .. }), "{error}");
}
