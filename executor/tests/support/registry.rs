//! A real registry (Debian's `docker-registry`) on a free loopback port, with its storage in a temporary folder. It ends
//! when the value is dropped.

#![allow(dead_code, reason = "each test program uses some of it")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program; tests that use a [`Registry`] ask whether it is available first.
pub(crate) const PROGRAM: &str = "docker-registry";

/// A running registry.
pub(crate) struct Registry {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

/// Who may use a registry.
pub(crate) enum Protection {
    /// Everybody.
    None,
    /// Who is in this file of `htpasswd`.
    Basic(PathBuf),
    /// Who has a token that this certificate's key has signed, from the server at this address.
    Token { certificate: PathBuf, realm: String },
}

/// The protocol that a registry speaks.
pub(crate) enum Protocol {
    Http,
    /// With this certificate and key; perhaps for those alone whom an authority knows.
    Https {
        certificate: PathBuf,
        key: PathBuf,
        clients: Option<PathBuf>,
    },
}

impl Registry {
    /// One that everybody may use.
    pub(crate) fn open() -> Self {
        Self::start(&Protection::None, &Protocol::Http)
    }

    pub(crate) fn start(protection: &Protection, protocol: &Protocol) -> Self {
        // Between finding a port and using it somebody else may take it.
        for _ in 0..5 {
            if let Some(registry) = Self::try_start(protection, protocol) {
                return registry;
            }
        }
        panic!("no registry could be started");
    }

    fn try_start(protection: &Protection, protocol: &Protocol) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("config.yml");
        fs::write(&config, configuration(folder.path(), port, protection, protocol)).unwrap();
        let log = || File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(log()).stderr(log());
        let process = command.spawn().unwrap();
        let mut registry = Self { process, folder, port };
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end && registry.process.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Bytes of the bodies of the answers so far.
    pub(crate) fn sent_bytes(&self) -> u64 {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        let length = |line: &str| {
            let (_, rest) = line.split_once("] \"")?;
            let (request, rest) = rest.split_once('"')?;
            // What is said of a body that is only asked about is not sent.
            if request.starts_with("HEAD ") { None } else { rest.split_whitespace().nth(1)?.parse::<u64>().ok() }
        };
        log.lines().filter_map(length).sum()
    }

    /// The folder that it keeps everything in.
    pub(crate) fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// The requests that have been answered, as `METHOD PATH STATUS`.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        // Apache's format: ADDRESS - - [TIME] "METHOD PATH HTTP/1.1" STATUS LENGTH …
        let request = |line: &str| {
            let (_, rest) = line.split_once("] \"")?;
            let (request, rest) = rest.split_once('"')?;
            let (request, _) = request.rsplit_once(' ')?;
            Some(format!("{request} {}", rest.split_whitespace().next()?))
        };
        log.lines().filter_map(request).collect()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(folder: &Path, port: u16, protection: &Protection, protocol: &Protocol) -> String {
    let storage = folder.join("storage");
    let auth = match protection {
        Protection::None => String::new(),
        Protection::Basic(path) => format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", path.display()),
        Protection::Token { certificate, realm } => format!(
            "auth:\n  token:\n    realm: {realm}\n    service: test\n    issuer: test\n    rootcertbundle: {}\n",
            certificate.display()
        ),
    };
    let tls = match protocol {
        Protocol::Http => String::new(),
        Protocol::Https { certificate, key, clients } => {
            let clients =
                clients.as_ref().map(|authority| format!("    clientcas:\n      - {}\n", authority.display()));
            let (certificate, key) = (certificate.display(), key.display());
            format!("  tls:\n    certificate: {certificate}\n    key: {key}\n{}", clients.unwrap_or_default())
        }
    };
    format!(
        "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
         http:\n  addr: 127.0.0.1:{port}\n{tls}{auth}",
        storage.display()
    )
}
