//! A certificate authority of a test's own, by openssl.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::support::registry::Protocol;
use crate::support::tools::run;

/// What `openssl ca` needs to know. `CN` and dates come by arguments.
const CONFIG: &str = "[ca]\ndefault_ca = own\n[own]\ndatabase = index\nnew_certs_dir = .\nserial = serial\n\
    default_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n";

/// An authority. It goes with its folder.
pub(crate) struct Authority {
    folder: TempDir,
}

/// When a certificate is good.
#[derive(Clone, Copy)]
pub(crate) enum Validity {
    Now,
    /// In January 2020.
    Past,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().unwrap() };
        for (file, text) in [("config", CONFIG), ("index", ""), ("serial", "01\n")] {
            std::fs::write(authority.path(file), text).unwrap();
        }
        authority.openssl(&[
            "req",
            "-x509",
            "-days",
            "2",
            "-subj",
            "/CN=authority",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ]);
        authority
    }

    /// A file in its folder: `ca.pem` is its own certificate.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes `NAME.pem` and `NAME.key` for these alternative names, such as `IP:127.0.0.1`.
    pub(crate) fn issue(&self, name: &str, names: &str, validity: Validity) {
        let (key, request, out) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        self.openssl(&["req", "-subj", &subject, "-keyout", &key, "-out", &request]);
        std::fs::write(self.path("extensions"), format!("subjectAltName = {names}\n")).unwrap();
        let dates: &[&str] = match validity {
            Validity::Now => &["-days", "2"],
            Validity::Past => &["-startdate", "20200101000000Z", "-enddate", "20200131000000Z"],
        };
        let mut command = Command::new("openssl");
        command.args(["ca", "-batch", "-notext", "-config", "config", "-cert", "ca.pem", "-keyfile", "ca.key"]);
        command.args(["-extfile", "extensions", "-in", &request, "-out", &out]).args(dates);
        run(command.current_dir(self.folder.path()));
    }

    /// The protocol of a registry with the certificate `NAME.pem`; it may want to know its clients by this authority.
    pub(crate) fn protocol(&self, name: &str, clients: Option<PathBuf>) -> Protocol {
        let (certificate, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        Protocol::Https { certificate, key, clients }
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(arguments).args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        run(command.current_dir(self.folder.path()));
    }
}
