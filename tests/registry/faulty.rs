//! A proxy in front of a registry that does everything wrong now and then, as chance has it: the same for the same seed.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A running proxy; it ends when it is dropped.
pub(crate) struct Faulty {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    registry: u16,
    chance: Mutex<Chance>,
    /// How many of a hundred requests go wrong.
    rate: AtomicUsize,
    /// Faults so far, by name.
    faults: Mutex<BTreeMap<&'static str, usize>>,
    ended: AtomicBool,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The connection ends before the request is passed on.
    Dropped,
    /// The request ends in its middle, for the registry and for the client.
    CutRequest,
    /// The answer ends in its middle, and what comes after is missing.
    CutAnswer,
    /// The answer says that it is shorter than it is.
    Truncated,
    /// A byte of the request's body is another.
    CorruptRequest,
    /// A byte of the answer's body is another.
    CorruptAnswer,
    /// The registry has done it, and nobody hears of it.
    Unheard,
    Late,
    Status(u16, &'static str),
}

const FAULTS: [Fault; 14] = [
    Fault::Dropped,
    Fault::CutRequest,
    Fault::CutRequest,
    Fault::CutAnswer,
    Fault::CutAnswer,
    Fault::Truncated,
    Fault::CorruptRequest,
    Fault::CorruptAnswer,
    Fault::Unheard,
    Fault::Late,
    Fault::Status(429, "Retry-After: 0\r\n"),
    Fault::Status(429, "Retry-After: 1\r\n"),
    Fault::Status(500, ""),
    Fault::Status(503, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n"),
];

/// Numbers in a row that looks like chance: xorshift, by Marsaglia.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

/// The head of a request or an answer, and the length of its body if that is known.
struct Head {
    first: String,
    lines: Vec<String>,
    length: Option<usize>,
}

impl Faulty {
    /// In front of the registry on this port; so many of a hundred requests go wrong.
    pub(crate) fn start(registry: u16, seed: u64, rate: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            registry,
            chance: Mutex::new(Chance::new(seed)),
            rate: AtomicUsize::new(rate),
            faults: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let known = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if known.ended.load(Ordering::Relaxed) {
                    break;
                }
                let shared = known.clone();
                thread::spawn(move || {
                    // A connection that fails is what this is about.
                    let _ = shared.serve(&client);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, shared }
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on everything is passed on as it is.
    pub(crate) fn calm(&self) {
        self.shared.rate.store(0, Ordering::Relaxed);
    }

    /// Faults so far, by name.
    pub(crate) fn faults(&self) -> BTreeMap<&'static str, usize> {
        self.shared.faults.lock().unwrap().clone()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        let mut from_client = BufReader::new(client.try_clone()?);
        let mut to_client = client.try_clone()?;
        // What the client asks whether somebody is there is answered: there is one registry for this address, and whether
        // it speaks HTTP or HTTPS is found out by that.
        while let Some(request) = Head::read(&mut from_client)? {
            let looks = request.first.starts_with("GET /v2/ ");
            let (fault, place) = self.choose(if looks { 0 } else { self.rate.load(Ordering::Relaxed) });
            if !self.pass(fault, place, &request, &mut from_client, &mut to_client)? {
                break;
            }
        }
        Ok(())
    }

    /// A fault, and a place that it may be at.
    fn choose(&self, rate: usize) -> (Fault, usize) {
        let mut chance = self.chance.lock().unwrap();
        if chance.below(100) >= rate {
            return (Fault::None, 0);
        }
        let fault = FAULTS[chance.below(FAULTS.len())];
        *self.faults.lock().unwrap().entry(fault.name()).or_default() += 1;
        (fault, chance.below(1 << 30))
    }

    /// One request and its answer; says whether the connection goes on.
    fn pass(
        &self,
        fault: Fault,
        place: usize,
        request: &Head,
        from_client: &mut impl Read,
        to_client: &mut TcpStream,
    ) -> io::Result<bool> {
        match fault {
            Fault::Dropped => return Ok(false),
            Fault::Late => thread::sleep(Duration::from_millis(10 + place as u64 % 200)),
            _ => (),
        }
        let length = request.length.unwrap_or(0);
        let mut body = vec![0; if fault == Fault::CutRequest { place % (length + 1) } else { length }];
        from_client.read_exact(&mut body)?;
        if let Fault::Status(status, header) = fault {
            let text = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"made so by a test"}]}"#;
            let head = format!("HTTP/1.1 {status} X\r\n{header}Content-Length: {}\r\n\r\n", text.len());
            let text = if request.first.starts_with("HEAD") { "" } else { text };
            to_client.write_all((head + text).as_bytes())?;
            return Ok(true);
        }
        if fault == Fault::CorruptRequest && !body.is_empty() {
            let place = place % body.len();
            body[place] ^= 1;
        }
        let mut registry = TcpStream::connect(("127.0.0.1", self.registry))?;
        registry.write_all(request.text(request.length).as_bytes())?;
        if fault == Fault::CutRequest {
            registry.write_all(&body)?;
            return Ok(false);
        }
        registry.write_all(&body)?;
        self.answer(fault, place, request, registry, to_client)
    }

    fn answer(
        &self,
        fault: Fault,
        place: usize,
        request: &Head,
        registry: TcpStream,
        to_client: &mut TcpStream,
    ) -> io::Result<bool> {
        let mut from_registry = BufReader::new(registry);
        let Some(answer) = Head::read(&mut from_registry)? else { return Ok(false) };
        let has_none = request.first.starts_with("HEAD") || answer.first.contains(" 204 ");
        let mut body = Vec::new();
        match answer.length {
            _ if has_none => (),
            Some(length) => {
                body.resize(length, 0);
                from_registry.read_exact(&mut body)?;
            }
            None => drop(from_registry.read_to_end(&mut body)?),
        }
        let at = place % (body.len() + 1);
        let length = if fault == Fault::Truncated && !has_none { Some(at) } else { answer.length };
        match fault {
            Fault::Unheard => return Ok(false),
            Fault::CorruptAnswer if at < body.len() => body[at] ^= 1,
            Fault::CutAnswer | Fault::Truncated => body.truncate(at),
            _ => (),
        }
        to_client.write_all(answer.text(length).as_bytes())?;
        to_client.write_all(&body)?;
        Ok(fault != Fault::CutAnswer && answer.length.is_some())
    }
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Dropped => "dropped",
            Self::CutRequest => "request cut",
            Self::CutAnswer => "answer cut",
            Self::Truncated => "answer truncated",
            Self::CorruptRequest => "request corrupt",
            Self::CorruptAnswer => "answer corrupt",
            Self::Unheard => "answer lost",
            Self::Late => "late",
            Self::Status(429, _) => "status 429",
            Self::Status(..) => "status 5xx",
        }
    }
}

impl Head {
    /// `None` where nothing comes any more.
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(None);
        }
        let mut head = Self { first, lines: Vec::new(), length: None };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    head.length = Some(value.trim().parse().map_err(io::Error::other)?);
                }
                Some((name, _)) if name.eq_ignore_ascii_case("connection") => (),
                Some(_) => head.lines.push(line),
                None => break,
            }
        }
        // A request without a length has no body.
        if !head.first.starts_with("HTTP/") {
            head.length = Some(head.length.unwrap_or(0));
        }
        Ok(Some(head))
    }

    /// With a body of this length. The registry gets one request on each connection.
    fn text(&self, length: Option<usize>) -> String {
        let connection = if self.first.starts_with("HTTP/") { "" } else { "Connection: close\r\n" };
        let length = length.map(|length| format!("Content-Length: {length}\r\n")).unwrap_or_default();
        format!("{}{}{length}{connection}\r\n", self.first, self.lines.concat())
    }
}
