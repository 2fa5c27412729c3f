//! Certificates, plain HTTP, proxies, and networks that are not there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use layercake_executor::fault::Fault;
use layercake_executor::registry::client::Client;
use layercake_executor::registry::error::{Error, Obstacle};
use layercake_executor::registry::event::ignore;
use layercake_executor::registry::settings::{Proxies, Registry as RegistrySettings, Security, Settings};

use crate::fixture::{image, name, platform, store};
use crate::registry::{PROGRAM, Protection, Protocol, Registry};
use crate::settings;
use crate::tools::{available, run};

fn certificate(folder: &Path) -> Protocol {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:registry.test", "-keyout"]);
    run(openssl.arg(&key).arg("-out").arg(&certificate));
    Protocol::Https { certificate, key, clients: None }
}

/// Settings that let a registry be reached in any way.
fn insecure(host: &str) -> BTreeMap<String, RegistrySettings> {
    let settings = RegistrySettings { security: Some(Security::Waived), ..RegistrySettings::default() };
    BTreeMap::from([(host.to_owned(), settings)])
}

fn pull(settings: Settings, reference: &str) -> Error {
    Client::new(settings).pull(&store(), &name(reference), &platform("linux/amd64"), &ignore).unwrap_err()
}

#[test]
fn a_certificate_must_be_trusted() {
    if !available(&[PROGRAM, "openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start(&Protection::None, &certificate(folder.path()));
    let (from, amd64) = (store(), platform("linux/amd64"));
    let descriptor = image(&from, "a", &amd64);
    let target = name(&format!("{}/app", registry.host()));
    let push = |settings| Client::new(settings).push(&from, &descriptor, &target, &ignore);

    let trusting = Settings { certificates: vec![folder.path().join("certificate.pem")], ..settings() };
    push(trusting.clone()).unwrap();
    push(Settings { registries: insecure(&registry.host()), ..settings() }).unwrap();
    let error = push(settings()).unwrap_err();
    assert!(matches!(&error, Error::Unreachable { why: Obstacle::Tls(_), .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    // By a name that the certificate does not have.
    let elsewhere = pull(trusting, &format!("localhost:{}/app", registry.port()));
    assert!(matches!(&elsewhere, Error::Unreachable { why: Obstacle::Tls(_), .. }), "{elsewhere}");
    let missing = Settings { certificates: vec![folder.path().join("missing.pem")], ..settings() };
    assert!(matches!(push(missing).unwrap_err(), Error::File { .. }));
}

#[test]
fn a_registry_that_is_not_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = pull(settings(), &format!("127.0.0.1:{port}/app"));
    assert!(matches!(&error, Error::Unreachable { why: Obstacle::Refused, .. }), "{error}");
    let error_by_name = pull(settings(), "registry.invalid/app");
    assert!(matches!(&error_by_name, Error::Unreachable { why: Obstacle::Name, .. }), "{error_by_name}");
    for error in [error, error_by_name] {
        assert_eq!(error.fault(), Fault::Environment);
        assert!(error.to_string().contains("`layercake load`"), "{error}");
    }
}

/// A proxy that knows `registry.test` and leads to a port here; notes whom it was asked for.
fn proxy(port: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let noted = noted.clone();
            thread::spawn(move || tunnel(client, port, &noted));
        }
    });
    (address, asked)
}

fn tunnel(mut client: TcpStream, port: u16, noted: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut request = String::new();
    reader.read_line(&mut request).unwrap();
    noted.lock().unwrap().push(request.trim_end().to_owned());
    while reader.read_line(&mut request).is_ok_and(|length| length > 2) {}
    let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let mut back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
    // Whoever ends first ends it.
    let _ = std::io::copy(&mut client, &mut server);
    let _ = server.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_proxy_leads_to_registries_that_only_it_can_find() {
    if !available(&[PROGRAM, "openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start(&Protection::None, &certificate(folder.path()));
    let (address, asked) = proxy(registry.port());
    let proxies = Proxies { https: Some(address), ..Proxies::default() };
    let certificates = vec![folder.path().join("certificate.pem")];
    let through = Settings { proxies: proxies.clone(), certificates, ..settings() };
    let (from, amd64) = (store(), platform("linux/amd64"));
    let descriptor = image(&from, "a", &amd64);
    let target = name(&format!("registry.test:{}/app", registry.port()));
    Client::new(through.clone()).push(&from, &descriptor, &target, &ignore).unwrap();
    let wanted = format!("CONNECT registry.test:{} HTTP/1.1", registry.port());
    assert!(asked.lock().unwrap().iter().all(|request| *request == wanted), "{asked:?}");
    assert!(!asked.lock().unwrap().is_empty());
    let exceptions = vec!["registry.test".to_owned()];
    let error = pull(Settings { proxies: Proxies { exceptions, ..proxies }, ..through }, &target.to_string());
    assert!(matches!(error, Error::Unreachable { why: Obstacle::Name, .. }), "{error}");
}

#[test]
fn plain_http_is_spoken_only_where_that_is_allowed() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let (address, _asked) = proxy(registry.port());
    // The same way for both protocols, to a registry that speaks plain HTTP only.
    let proxies = Proxies { https: Some(address.clone()), http: Some(address), exceptions: Vec::new() };
    let (from, amd64) = (store(), platform("linux/amd64"));
    let descriptor = image(&from, "a", &amd64);
    let host = format!("registry.test:{}", registry.port());
    let push = |settings| Client::new(settings).push(&from, &descriptor, &name(&format!("{host}/app")), &ignore);
    let error = push(Settings { proxies: proxies.clone(), ..settings() }).unwrap_err();
    assert!(matches!(&error, Error::Unreachable { why: Obstacle::Tls(_), .. }), "{error}");
    assert!(error.to_string().contains("insecure"), "{error}");
    push(Settings { proxies, registries: insecure(&host), ..settings() }).unwrap();
}

#[test]
fn a_proxy_that_is_none_is_a_wrong_setting() {
    let proxies = Proxies { https: Some("http://".to_owned()), ..Proxies::default() };
    let error = pull(Settings { proxies, ..settings() }, "registry.test/app");
    assert!(matches!(error, Error::Setting { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Input);
}
