//! What people see when something cannot be fetched: the whole of it, held to snapshots.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::archive::tar;
use crate::site::Resource;
use crate::support::Home;
use crate::support::home::run;
use crate::support::http::{Reply, Server};
use crate::support::registry::{PROGRAM, Protection, Protocol, Registry};
use crate::support::tools::available;
use crate::support::transcript::assert_transcript;

const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A build of a Dockerfile that ends with this line fails like this.
#[track_caller]
fn assert_add_fails(home: &Home, add: &str, status: i32, snapshot: &str) {
    home.write("ctx/Dockerfile", format!("FROM scratch\n\n{add} /\n"));
    assert_fails(home, &["build", "ctx"], status, snapshot);
}

#[track_caller]
fn assert_fails(home: &Home, arguments: &[&str], status: i32, snapshot: &str) {
    let mut ran = home.piped(arguments.iter().copied(), "").exits(status);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    // How long is waited is chance, and so is the time that was taken.
    ran.stderr = ran
        .stderr
        .lines()
        .filter(|line| !line.contains("trying again"))
        .fold(String::new(), |text, line| text + line + "\n");
    assert_transcript("remote", snapshot, home, &ran);
}

#[test]
fn a_server_says_no() {
    let Some(home) = Home::with_base() else { return };
    for (status, exit) in [(404, 2), (403, 3), (500, 3), (418, 3), (206, 3)] {
        let server = Server::start(move |_| Reply::status(status));
        assert_add_fails(&home, &format!("ADD http://{}/f", server.host()), exit, &format!("status-{status}"));
    }
}

#[test]
fn nobody_is_there() {
    let Some(home) = Home::with_base() else { return };
    assert_add_fails(&home, "ADD http://127.0.0.1:1/f", 3, "refused");
    assert_add_fails(&home, "ADD http://no-such-host.invalid/f", 3, "no-such-host");
}

#[test]
fn a_file_is_another_one() {
    let Some(home) = Home::with_base() else { return };
    let server = Resource::new("not abc").serve();
    assert_add_fails(&home, &format!("ADD --checksum={ABC} http://{}/f", server.host()), 2, "checksum");
    assert_eq!(home.unfinished(), [""; 0]);
    assert_add_fails(&home, &format!("ADD --checksum=md5:1 http://{}/f", server.host()), 2, "unknown-checksum");
}

#[test]
fn an_address_is_wrong() {
    let Some(home) = Home::with_base() else { return };
    assert_add_fails(&home, "ADD http://127.0.0.1/a/%2e%2e", 2, "no-filename");
    let long = "x".repeat(256);
    assert_add_fails(&home, &format!("ADD http://127.0.0.1/{long}"), 2, "long-filename");
    assert_add_fails(&home, "ADD http:///f", 2, "no-host");
    assert_add_fails(&home, "ADD ftp://127.0.0.1/f", 2, "wrong-scheme");
}

#[test]
fn redirects_lead_nowhere() {
    let Some(home) = Home::with_base() else { return };
    let circle = Server::start(|_| Reply::status(302).header("Location", "/f"));
    assert_add_fails(&home, &format!("ADD http://{}/f", circle.host()), 3, "redirect-in-a-circle");
    let elsewhere = Server::start(|_| Reply::status(302).header("Location", "file:///etc/passwd"));
    assert_add_fails(&home, &format!("ADD http://{}/f", elsewhere.host()), 3, "redirect-to-a-file");
}

#[test]
fn a_password_is_not_shown() {
    let Some(home) = Home::with_base() else { return };
    let server = Server::start(|_| Reply::status(404));
    home.write("ctx/Dockerfile", "FROM scratch\nARG URL\nADD $URL /\n");
    let url = format!("URL=http://me:secret@{}/f", server.host());
    assert_fails(&home, &["build", "--build-arg", &url, "ctx"], 2, "password");
}

#[test]
fn a_context_is_not_there() {
    let home = Home::empty();
    let server = Server::start(|_| Reply::status(404));
    assert_fails(&home, &["compile", &format!("http://{}/ctx.tar", server.host())], 2, "context-not-found");
    assert_fails(&home, &["compile", "--offline", "http://127.0.0.1:1/ctx.tar"], 3, "context-offline");
    let empty = Resource::new(tar(&[("other", "")])).serve();
    assert_fails(&home, &["compile", &format!("http://{}/ctx.tar", empty.host())], 2, "context-without-dockerfile");
    let folder = Resource::new(tar(&[("app-1.0/README", ""), ("app-1.0/Dockerfile", "FROM scratch\n")])).serve();
    assert_fails(&home, &["compile", &format!("http://{}/ctx.tar", folder.host())], 2, "context-in-a-folder");
    assert_fails(&home, &["compile", "-f", "-", "-"], 2, "standard-input-twice");
    assert_fails(&home, &["compile", "-f", "x", "-"], 2, "dockerfile-twice");
}

#[test]
fn a_server_has_to_prove_who_it_is() {
    if !available(&[PROGRAM, "openssl"]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let (certificate, key) = certificate(&home);
    // Any server that speaks TLS would do.
    let server =
        Registry::start(&Protection::None, &Protocol::Https { certificate: certificate.clone(), key, clients: None });
    assert_add_fails(&home, &format!("ADD https://{}/v2/", server.host()), 3, "unknown-authority");
    let mut build = home.command(["build", "-t", "x", "ctx"]);
    run(build.env("SSL_CERT_FILE", &certificate)).ok();
    assert_eq!(home.layers("x")[0].text("v2"), "{}");
}

#[test]
fn redirects_do_not_lead_from_https_to_plain_http() {
    if !available(&["openssl"]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let target = Resource::new("abc").serve();
    home.write("f", format!("HTTP/1.1 302 Found\r\nLocation: http://{}/f\r\nContent-Length: 0\r\n\r\n", target.host()));
    let server = Redirecting::start(&home);
    home.write("ctx/Dockerfile", format!("FROM base\nADD https://127.0.0.1:{}/f /\n", server.port));
    let trusting = || {
        let mut command = home.command(["build", "-t", "x", "ctx"]);
        command.env("SSL_CERT_FILE", home.path("work/certificate.pem"));
        run(&mut command)
    };
    let refused = trusting().exits(3);
    assert!(refused.stderr.contains("from HTTPS to plain HTTP"), "{}", refused.stderr);
    assert_eq!(target.requests().len(), 0);
    // With a checksum it does not matter who sends it.
    home.write("ctx/Dockerfile", format!("FROM base\nADD --checksum={ABC} https://127.0.0.1:{}/f /\n", server.port));
    trusting().ok();
    assert_eq!(home.layers("x")[1].text("f"), "abc");
}

/// Files of a certificate for this machine, and of its key.
fn certificate(home: &Home) -> (PathBuf, PathBuf) {
    let (certificate, key) = (home.path("work/certificate.pem"), home.path("work/key.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl
        .args([
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-subj",
            "/CN=test",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-out",
        ])
        .arg(&certificate);
    assert!(openssl.arg("-keyout").arg(&key).output().unwrap().status.success());
    (certificate, key)
}

/// A server that sends the files of a home's `work` as whole answers, over TLS.
struct Redirecting {
    process: Child,
    port: u16,
}

impl Redirecting {
    fn start(home: &Home) -> Self {
        let (certificate, key) = certificate(home);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut openssl = Command::new("openssl");
        openssl.args(["s_server", "-HTTP", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-cert"]);
        openssl.arg(certificate).arg("-key").arg(key).current_dir(home.path("work"));
        let process = openssl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "openssl does not listen");
            sleep(Duration::from_millis(10));
        }
        Self { process, port }
    }
}

impl Drop for Redirecting {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
