//! Proxies on the way, by the variables that name them.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::authority::{Authority, Validity};
use crate::support::Home;
use crate::support::home::run;
use crate::support::ran::Ran;
use crate::support::registry::{PROGRAM, Protection, Registry};
use crate::support::tools::available;

/// What a proxy wants to see: `me:pa ss`.
const AUTHORIZATION: &str = "Basic bWU6cGEgc3M=";

/// A proxy that leads to the registry on this port whatever it is asked for, those who show that they may; notes whom it
/// was asked for.
fn proxy(port: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let noted = noted.clone();
            // A connection that ends early is no concern of the proxy's.
            thread::spawn(move || drop(tunnel(client, port, &noted)));
        }
    });
    (address, asked)
}

fn tunnel(mut client: TcpStream, port: u16, noted: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut request, mut is_known) = (String::new(), false);
    reader.read_line(&mut request)?;
    noted.lock().unwrap().push(request.trim_end().to_owned());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        is_known |= name.eq_ignore_ascii_case("proxy-authorization") && value.trim() == AUTHORIZATION;
    }
    if !is_known {
        return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    }
    let server = TcpStream::connect(("127.0.0.1", port))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let mut back = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
    std::io::copy(&mut client, &mut &server)?;
    server.shutdown(std::net::Shutdown::Both)
}

#[test]
fn the_environment_names_them() {
    if !available(&[PROGRAM, "openssl"]) {
        return;
    }
    let authority = Authority::new();
    authority.issue("server", "DNS:registry.test,IP:192.0.2.7", Validity::Now);
    let registry = Registry::start(&Protection::None, &authority.protocol("server", None));
    let (address, asked) = proxy(registry.port());
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let push = |host: &str, variables: &[(&str, &str)]| -> Ran {
        let name = format!("{host}:{}/app:1", registry.port());
        home.build(["-t", &name, "ctx"]);
        let mut command = home.command(["push", &name]);
        command.env("SSL_CERT_FILE", authority.path("ca.pem")).envs(variables.iter().copied());
        run(&mut command)
    };
    let full = format!("http://me:pa%20ss@{address}");
    push("registry.test", &[("HTTPS_PROXY", &full)]).ok();
    push("192.0.2.7", &[("https_proxy", &full)]).ok();
    push("registry.test", &[("ALL_PROXY", &full), ("NO_PROXY", "other.test, 10.0.0.0/8")]).ok();
    let asked_for = format!("CONNECT registry.test:{} HTTP/1.1", registry.port());
    assert!(asked.lock().unwrap().contains(&asked_for), "{asked:?}");
    // What is excepted is looked for directly, where it cannot be found.
    asked.lock().unwrap().clear();
    for exception in ["registry.test", ".test", "test", "*"] {
        let direct = push("registry.test", &[("HTTPS_PROXY", &full), ("NO_PROXY", exception)]).exits(3);
        assert!(direct.stderr.contains("its name cannot be resolved"), "{exception}: {}", direct.stderr);
    }
    assert!(asked.lock().unwrap().is_empty(), "{asked:?}");
    let stranger = push("registry.test", &[("HTTPS_PROXY", &address)]).exits(3);
    assert!(stranger.stderr.contains("proxy refused") && stranger.stderr.contains("407"), "{}", stranger.stderr);
    assert!(!stranger.stderr.contains("pa%20ss"), "{}", stranger.stderr);
    let other = push("registry.test", &[("HTTPS_PROXY", "socks5://me:secret@127.0.0.1:9")]).exits(2);
    assert!(other.stderr.contains("`socks5://127.0.0.1:9` is a SOCKS proxy"), "{}", other.stderr);
    let nonsense = push("registry.test", &[("HTTPS_PROXY", "http://")]).exits(2);
    assert!(nonsense.stderr.contains("the proxy"), "{}", nonsense.stderr);
}
