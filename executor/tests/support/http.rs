//! A small HTTP server for tests, which can do everything wrong: each request is answered by a function of the test.

#![allow(dead_code, reason = "each test program uses some of it")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server; it stops taking connections when it is dropped.
pub(crate) struct Server {
    address: std::net::SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stopped: Arc<std::sync::atomic::AtomicBool>,
}

/// What a client has asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What it is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection is cut after so many bytes of the body.
    pub(crate) cut: Option<usize>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200) }
    }

    pub(crate) fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let stopped = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (noted, ended) = (requests.clone(), stopped.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let (answer, noted) = (answer.clone(), noted.clone());
                thread::spawn(move || serve(stream, &*answer, &noted));
            }
        });
        Self { address, requests, stopped }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The requests so far, without those that only look whether somebody is there.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let all = self.requests.lock().unwrap();
        all.iter().filter(|request| request.path != "/v2/").cloned().collect()
    }

    /// How many requests there were of this method whose paths begin so.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        self.requests().iter().filter(|request| request.method == method && request.path.starts_with(path)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, std::sync::atomic::Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, answer: &dyn Fn(&Request) -> Reply, noted: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(request) = read(&mut reader) {
        noted.lock().unwrap().push(request.clone());
        let reply = answer(&request);
        let body: &[u8] = if request.method == "HEAD" { b"" } else { &reply.body };
        let headers: String = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n{headers}\r\n", reply.status, reply.body.len());
        let sent = &body[..reply.cut.unwrap_or(body.len()).min(body.len())];
        // The client may have gone; that is for the test to judge.
        let whole = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent)).is_ok();
        if !whole || reply.cut.is_some() {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}
