//! Passwords, tokens and helpers.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use layercake_executor::registry::client::Client;
use layercake_executor::registry::error::{Error, Given};
use layercake_executor::registry::event::{How, ignore};
use layercake_executor::registry::settings::Settings;
use serde_json::{Value, json};

use crate::fake::Good;
use crate::fixture::{image, name, platform, store};
use crate::http::{Reply, Request, Server};
use crate::registry::{PROGRAM, Protection, Protocol, Registry};
use crate::tools::{available, run};
use crate::{Notes, settings};

fn with_file(file: &Path) -> Client {
    Client::new(Settings { credentials: vec![file.to_owned()], ..settings() })
}

fn write_auth(file: &Path, host: &str, user_and_password: &str) {
    fs::write(file, json!({"auths": {host: {"auth": STANDARD.encode(user_and_password)}}}).to_string()).unwrap();
}

#[test]
fn a_password_opens_a_registry_and_a_wrong_one_does_not() {
    if !available(&[PROGRAM, "htpasswd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (users, file) = (folder.path().join("users"), folder.path().join("config.json"));
    run(Command::new("htpasswd").args(["-B", "-b", "-c"]).arg(&users).args(["me", "se:cret"]));
    let registry = Registry::start(&Protection::Basic(users), &Protocol::Http);
    let (from, amd64) = (store(), platform("linux/amd64"));
    let descriptor = image(&from, "a", &amd64);
    let target = name(&format!("{}/app", registry.host()));

    let error = with_file(&file).push(&from, &descriptor, &target, &ignore).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { given: Given::Nothing, .. }), "{error}");
    assert!(error.to_string().contains(&format!("`layercake login {}`", registry.host())), "{error}");

    let error = with_file(&file).login(&registry.host(), "me", "wrong", &file).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { given: Given::Credentials, .. }), "{error}");
    assert!(!file.exists(), "a password that is refused is not kept");
    write_auth(&file, &registry.host(), "me:wrong");
    let error = with_file(&file).push(&from, &descriptor, &target, &ignore).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { given: Given::Credentials, .. }), "{error}");

    with_file(&file).login(&registry.host(), "me", "se:cret", &file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    with_file(&file).push(&from, &descriptor, &target, &ignore).unwrap();
    with_file(&file).pull(&store(), &target, &amd64, &ignore).unwrap();

    assert!(with_file(&file).logout(&registry.host(), &file).unwrap());
    assert!(with_file(&file).pull(&store(), &target, &amd64, &ignore).is_err());
}

/// A token server for a real registry: it signs what is asked for if user and password are right, and lets everybody
/// pull from repositories below `public/`.
struct Tokens {
    folder: tempfile::TempDir,
}

impl Tokens {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-keyout"]);
        run(openssl.arg(folder.path().join("key.pem")).arg("-out").arg(folder.path().join("certificate.pem")));
        Self { folder }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn answer(&self, request: &Request) -> Reply {
        let known = request.header("authorization") == Some(&format!("Basic {}", STANDARD.encode("me:secret")));
        if request.header("authorization").is_some() && !known {
            return Reply::status(401);
        }
        let query = request.path.split_once('?').map_or("", |(_, query)| query).replace("%3A", ":");
        let query = query.replace("%2F", "/").replace("%2C", ",");
        let access = query.split('&').filter_map(|part| part.strip_prefix("scope=")).map(|scope| {
            let mut parts = scope.splitn(3, ':');
            let (kind, name) = (parts.next().unwrap(), parts.next().unwrap());
            let wanted = parts.next().unwrap().split(',');
            let allowed: Vec<&str> =
                wanted.filter(|action| known || *action == "pull" && name.starts_with("public/")).collect();
            json!({"type": kind, "name": name, "actions": allowed})
        });
        let token = self.sign(&access.collect());
        Reply::ok(json!({"token": token, "expires_in": 300}).to_string())
    }

    /// A JSON web token as distribution's `token` package reads it.
    fn sign(&self, access: &Value) -> String {
        let pem = fs::read_to_string(self.certificate()).unwrap();
        let certificate: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [certificate]});
        let claims = json!({
            "iss": "test", "sub": "me", "aud": "test", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1",
            "access": access,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let unsigned = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        fs::write(unsigned.path(), &text).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-sign"]).arg(self.folder.path().join("key.pem")).arg(unsigned.path());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(openssl.output().unwrap().stdout))
    }
}

#[test]
fn tokens_are_fetched_for_what_is_done_and_are_kept() {
    if !available(&[PROGRAM, "openssl"]) {
        return;
    }
    let tokens = Arc::new(Tokens::new());
    let signer = tokens.clone();
    let server = Server::start(move |request| signer.answer(request));
    let realm = format!("http://{}/token", server.host());
    let registry = Registry::start(&Protection::Token { certificate: tokens.certificate(), realm }, &Protocol::Http);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let (from, amd64) = (store(), platform("linux/amd64"));
    let descriptor = image(&from, "a", &amd64);
    let public = name(&format!("{}/public/app", registry.host()));

    let error = with_file(&file).push(&from, &descriptor, &public, &ignore).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { given: Given::Nothing, .. }), "{error}");
    let error = with_file(&file).login(&registry.host(), "me", "wrong", &file).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { given: Given::Credentials, .. }), "{error}");

    with_file(&file).login(&registry.host(), "me", "secret", &file).unwrap();
    let client = with_file(&file);
    let before = server.requests().len();
    client.push(&from, &descriptor, &public, &ignore).unwrap();
    let asked: Vec<String> = server.requests().split_off(before).into_iter().map(|request| request.path).collect();
    let unique: BTreeSet<&String> = asked.iter().collect();
    assert_eq!(unique.len(), asked.len(), "no token is fetched twice: {asked:?}");
    assert!(asked.iter().any(|path| path.contains("scope=repository%3Apublic%2Fapp%3Apull%2Cpush")), "{asked:?}");

    // Mounting needs to read the other repository as well.
    let (notes, private) = (Notes::default(), name(&format!("{}/private/app", registry.host())));
    client.push(&from, &descriptor, &private, &|event| notes.take(event)).unwrap();
    assert!(notes.ends().iter().any(|how| matches!(how, How::Mounted(_))), "{:?}", notes.ends());

    let nobody = Client::new(settings());
    nobody.pull(&store(), &public, &amd64, &ignore).unwrap();
    let error = nobody.pull(&store(), &private, &amd64, &ignore).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { given: Given::Nothing, .. }), "{error}");
    client.pull(&store(), &private, &amd64, &ignore).unwrap();
}

/// A registry that wants the token `good`, which `token` gives.
fn guarded(
    token: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> (Server, layercake_executor::image::reference::Reference) {
    let own = Arc::new(Mutex::new(String::new()));
    let host = own.clone();
    let (server, reference) = Good::new().serve(move |_, request| {
        if request.path.starts_with("/token") {
            return Some(token(request));
        }
        let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", host.lock().unwrap());
        let good = request.header("authorization") == Some("Bearer good");
        (!good).then(|| Reply::status(401).header("WWW-Authenticate", challenge))
    });
    *own.lock().unwrap() = server.host();
    (server, reference)
}

#[test]
fn an_identity_token_is_exchanged_by_post() {
    let (server, reference) = guarded(|request| {
        let form = String::from_utf8(request.body.clone()).unwrap();
        let right = request.method == "POST"
            && ["grant_type=refresh_token", "refresh_token=id%2Bty", "service=s", "scope=repository%3Aapp%3Apull"]
                .iter()
                .all(|part| form.contains(part));
        if right { Reply::ok(r#"{"access_token":"good"}"#) } else { Reply::status(401) }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs::write(&file, json!({"auths": {server.host(): {"identitytoken": "id+ty"}}}).to_string()).unwrap();
    with_file(&file).pull(&store(), &reference, &platform("linux/amd64"), &ignore).unwrap();
}

#[test]
fn a_token_that_has_died_is_replaced() {
    let given = Mutex::new(0);
    let (server, reference) = guarded(move |_| {
        let mut given = given.lock().unwrap();
        *given += 1;
        // The first is refused, as one that was good until now.
        Reply::ok(if *given == 1 { r#"{"token":"stale"}"# } else { r#"{"token":"good"}"# })
    });
    let client = Client::new(settings());
    let error = client.resolve(&store(), &reference, &platform("linux/amd64"), &ignore).unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
    client.pull(&store(), &reference, &platform("linux/amd64"), &ignore).unwrap();
    assert_eq!(server.count("GET", "/token"), 2);
}

#[test]
fn a_token_server_that_makes_no_sense() {
    let error = |reply: Reply| {
        let (_server, reference) = guarded(move |_| reply.clone());
        Client::new(settings()).pull(&store(), &reference, &platform("linux/amd64"), &ignore).unwrap_err()
    };
    assert!(matches!(error(Reply::ok("{}")), Error::Unexpected { .. }));
    assert!(matches!(error(Reply::ok("<html>")), Error::Unexpected { .. }));
    assert!(matches!(error(Reply::status(500)), Error::Server { .. }));
}
