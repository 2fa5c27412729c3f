//! Everything that a registry, a network or a file of credentials can have wrong: each has its own message and the right
//! exit status, and leaves nothing half-published.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;

use layercake_cache::Digest;
use serde_json::{Value, json};

use crate::support::Home;
use crate::support::home::{program, run};
use crate::support::http::{Reply, Request, Server};
use crate::support::machine;
use crate::support::ran::Ran;

/// An image of one layer, as a registry has it. Nothing of it is ever unpacked.
pub(crate) struct Image {
    pub(crate) layer: Vec<u8>,
    config: Vec<u8>,
    pub(crate) manifest: Value,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

impl Image {
    pub(crate) fn new(length: usize) -> Self {
        let layer: Vec<u8> = (0..length).map(|place| u8::try_from(place * 7 % 251).unwrap()).collect();
        let config = json!({"architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer).to_string()]}});
        let config = config.to_string().into_bytes();
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": Digest::of(&config).to_string(), "size": config.len()},
            "layers": [{"mediaType": LAYER, "digest": Digest::of(&layer).to_string(), "size": length}]});
        Self { layer, config, manifest }
    }

    pub(crate) fn layer_path(&self) -> String {
        format!("/v2/app/blobs/{}", Digest::of(&self.layer))
    }

    /// The answer of a registry that has nothing wrong. It gives parts where they are asked for.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let manifest = self.manifest.to_string().into_bytes();
        let documents = [&manifest, &self.config, &self.layer];
        let last = request.path.rsplit('/').next().unwrap();
        let found = documents.into_iter().find(|bytes| Digest::of(bytes).to_string() == last);
        match found.or((last == "1").then_some(&manifest)) {
            _ if request.path == "/v2/" => Reply::status(200),
            None => Reply::status(404),
            Some(bytes) => {
                let start = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
                let digest = Digest::of(bytes);
                let reply = match start.map(|start| start.parse::<usize>().unwrap()) {
                    Some(start) => Reply { status: 206, ..Reply::ok(&bytes[start..]) }
                        .header("Content-Range", format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len())),
                    None => Reply::ok(bytes.clone()),
                };
                let kind = if request.path.contains("/manifests/") { MANIFEST } else { "application/octet-stream" };
                reply.header("Content-Type", kind).header("Docker-Content-Digest", digest)
            }
        }
    }
}

/// Pulls from a registry that `spoil` spoils; it has to fail with this status, and no image is there afterwards.
#[track_caller]
fn refused(status: i32, spoil: impl Fn(&Image, &Request) -> Option<Reply> + Send + Sync + 'static) -> String {
    let image = Image::new(1000);
    let server = Server::start(move |request| spoil(&image, request).unwrap_or_else(|| image.answer(request)));
    let home = Home::empty();
    let ran = home.layercake(["pull", "-q", &format!("{}/app:1", server.host())]).exits(status);
    assert_eq!(home.layercake(["images", "-q"]).ok().stdout, "");
    error(&ran).replace(&server.host(), "HOST")
}

fn error(ran: &Ran) -> String {
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    let place = ran.stderr.find("error: ").unwrap_or_else(|| panic!("no error: {}", ran.stderr));
    ran.stderr[place..].to_owned()
}

/// What is at the name is this document.
#[track_caller]
fn named(status: i32, document: &Value) -> String {
    let bytes = document.to_string();
    refused(status, move |_, request| request.path.contains("/manifests/").then(|| Reply::ok(bytes.clone())))
}

#[test]
fn content_that_is_not_what_was_promised() {
    let layer = |reply: fn(&Image) -> Reply| {
        move |image: &Image, request: &Request| (request.path == image.layer_path()).then(|| reply(image))
    };
    let flipped = refused(
        3,
        layer(|image| {
            let mut bytes = image.layer.clone();
            bytes[500] ^= 1;
            Reply::ok(bytes)
        }),
    );
    let longer = refused(3, layer(|image| Reply::ok([&image.layer[..], b"more"].concat())));
    let shorter = refused(3, layer(|image| Reply::ok(&image.layer[..10])));
    let missing = refused(2, layer(|_| Reply::status(404)));
    assert!(flipped.contains("`HOST` sent content with the digest"), "{flipped}");
    assert!(longer.contains("1004 bytes or more") && longer.contains("not 1000"), "{longer}");
    assert!(shorter.contains("ended too early"), "{shorter}");
    assert!(missing.contains("does not exist in `HOST`"), "{missing}");
    assert!(
        [&flipped, &longer, &shorter, &missing].iter().all(|text| text.contains("\nhelp: ")),
        "each says what to do"
    );
}

#[test]
fn documents_that_are_no_image() {
    let image = Image::new(1000);
    let with = |change: fn(&mut Value)| {
        let mut manifest = image.manifest.clone();
        change(&mut manifest);
        manifest
    };
    let old = named(2, &json!({"schemaVersion": 1, "fsLayers": [], "name": "app"}));
    assert!(old.contains("schema 1") && old.contains("push it again"), "{old}");
    let chart =
        named(2, &with(|manifest| manifest["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json")));
    assert!(chart.contains("artifact") && chart.contains("helm"), "{chart}");
    let unknown = named(2, &with(|manifest| manifest["layers"][0]["mediaType"] = json!("application/x-lzip")));
    assert!(unknown.contains("`application/x-lzip`"), "{unknown}");
    let many = named(
        2,
        &with(|manifest| {
            let layer = manifest["layers"][0].clone();
            manifest["layers"] = Value::Array(vec![layer; 20_000]);
        }),
    );
    assert!(many.contains("20000 layers"), "{many}");
    let page = refused(2, |_, request| {
        request.path.contains("/manifests/").then(|| Reply::ok("<html>welcome to the hotel's network</html>"))
    });
    assert!(page.contains("is no readable manifest"), "{page}");
    let endless = refused(3, |_, request| {
        (request.path.contains("/manifests/") && request.method == "GET").then(|| Reply::ok(vec![b' '; 9 << 20]))
    });
    assert!(endless.contains("more than 8 MiB"), "{endless}");
    assert_eq!(BTreeSet::from([old, chart, unknown, many, page, endless]).len(), 6, "each has its own message");
}

/// Pulls what is at the end of a chain of indexes, each of which lists the one before so many times.
#[track_caller]
fn chained(length: usize, times: usize) -> String {
    let index = |entries: Vec<Value>| json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
    let mut documents = vec![index(Vec::new())];
    for _ in 0..length {
        let inner = documents.last().unwrap().as_bytes();
        let entry = json!({"mediaType": INDEX, "digest": Digest::of(inner).to_string(), "size": inner.len()});
        documents.push(index(vec![entry; times]));
    }
    refused(2, move |_, request| {
        let last = request.path.rsplit('/').next()?;
        let of_digest = documents.iter().find(|document| Digest::of(document.as_bytes()).to_string() == last);
        let found = of_digest.or((last == "1").then(|| documents.last().unwrap()))?;
        Some(Reply::ok(found.clone()).header("Content-Type", INDEX))
    })
}

#[test]
fn indexes_in_indexes_end() {
    let deep = chained(30, 1);
    assert!(deep.contains("lies deeper than"), "{deep}");
    // A hundred million ways lead through five small documents.
    let wide = chained(4, 100);
    assert!(wide.contains("more than 1000 documents"), "{wide}");
}

#[test]
fn statuses_that_are_refusals() {
    let of = |expected: i32, status: u16, code: &'static str| {
        refused(expected, move |_, request| {
            let body = format!(r#"{{"errors":[{{"code":"{code}","message":"said by the registry"}}]}}"#);
            let reply = Reply { status, ..Reply::ok(body) };
            (request.path != "/v2/")
                .then(|| reply.header("Retry-After", "3600").header("ratelimit-limit", "100;w=21600"))
        })
    };
    let unauthorized = of(3, 401, "UNAUTHORIZED");
    assert!(unauthorized.contains("try `layercake login HOST`"), "{unauthorized}");
    let forbidden = of(3, 403, "DENIED");
    assert!(forbidden.contains("does not allow access"), "{forbidden}");
    let missing = of(2, 404, "MANIFEST_UNKNOWN");
    assert!(missing.contains("does not exist"), "{missing}");
    let limited = of(3, 429, "TOOMANYREQUESTS");
    assert!(limited.contains("rate limit of 100 requests in 6 h") && limited.contains("for 3600 s"), "{limited}");
    assert!(limited.contains("`layercake login HOST`"), "{limited}");
    let failed = of(3, 500, "UNKNOWN");
    assert!(failed.contains("failed with status 500"), "{failed}");
    assert_eq!(BTreeSet::from([unauthorized, forbidden, missing, limited, failed]).len(), 5);
}

#[test]
fn networks_that_do_not_lead_there() {
    let home = Home::empty();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = error(&home.layercake(["pull", &format!("{nobody}/app")]).exits(3));
    assert!(closed.contains("the connection was refused"), "{closed}");
    let unknown = error(&home.layercake(["pull", "registry.invalid/app"]).exits(3));
    assert!(unknown.contains("its name cannot be resolved"), "{unknown}");
    // Without any network, there is no route.
    let mut command = Command::new("unshare");
    command.args(if machine::is_root() { &["--net"][..] } else { &["--user", "--map-root-user", "--net"] });
    command.arg(program()).args(["pull", "192.0.2.1/app"]);
    home.furnish(&mut command);
    let lost = error(&run(&mut command).exits(3));
    assert!(lost.contains("no way leads there"), "{lost}");
    assert!([closed, unknown, lost].iter().all(|text| text.contains("`layercake load`")));
}

#[test]
fn files_of_credentials_that_are_damaged() {
    let image = Image::new(1000);
    let server = Server::start(move |request| match request.header("authorization") {
        Some(_) => image.answer(request),
        None => Reply::status(401).header("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let home = Home::empty();
    let name = format!("{}/app:1", server.host());
    home.write("../home/.docker/config.json", "{\"auths\": {");
    let json = error(&home.layercake(["pull", &name]).exits(3));
    assert!(json.contains(".docker/config.json") && json.contains("line 1"), "{json}");
    home.write("../home/.docker/config.json", json!({"auths": {server.host(): {"auth": "c2VjcmV0"}}}).to_string());
    let entry = error(&home.layercake(["pull", &name]).exits(3));
    assert!(entry.contains("`layercake login`") && !entry.contains("c2VjcmV0"), "{entry}");
    home.write("../home/.docker/config.json", json!({"credsStore": "that-nobody-has"}).to_string());
    let helper = error(&home.layercake(["pull", &name]).exits(3));
    assert!(helper.contains("`docker-credential-that-nobody-has` is not installed"), "{helper}");
    // The other file has some: then nobody needs the helper.
    let auth = json!({"auths": {format!("{}/app", server.host()): {"auth": "YTpi"}}});
    home.write("../config/containers/auth.json", auth.to_string());
    home.layercake(["pull", &name]).ok();
}
