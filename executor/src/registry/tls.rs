//! [`TlsProblem`]: why no secure connection to a server can be made, for people.

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

/// Why there is no secure connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsProblem {
    /// The certificate is too old.
    #[error("its certificate has expired{}", day(" on", *.0))]
    Expired(Option<Timestamp>),
    /// The certificate is too young, or our clock is slow.
    #[error("its certificate is not valid yet{}", day(", only from", *.0))]
    NotValidYet(Option<Timestamp>),
    /// The certificate is another server's.
    #[error("its certificate is for {}, not for this host", .0.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    WrongName(Vec<String>),
    /// Nobody we trust vouches for the certificate.
    #[error("its certificate is signed by an authority that is not trusted here")]
    UnknownIssuer,
    /// A certificate that is made to sign others is used by a server itself. Other libraries let that pass.
    #[error("its certificate is that of an authority (CA:TRUE), which no server may use for itself")]
    AuthorityItself,
    /// Anything else about the certificate.
    #[error("its certificate is refused: {0}")]
    Certificate(String),
    /// The server wants to see a certificate of ours, or another one.
    #[error("it wants to be shown a client certificate that it knows")]
    WantsIdentity,
    /// The server speaks something else.
    #[error("it does not speak TLS")]
    NotSpoken,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl TlsProblem {
    /// What the TLS library's error means.
    pub(crate) fn of(error: &rustls::Error) -> Self {
        use AlertDescription as Alert;
        match error {
            rustls::Error::InvalidCertificate(error) => Self::of_certificate(error),
            rustls::Error::AlertReceived(
                Alert::CertificateRequired | Alert::BadCertificate | Alert::UnknownCA | Alert::CertificateUnknown,
            ) => Self::WantsIdentity,
            rustls::Error::InvalidMessage(_) => Self::NotSpoken,
            error => Self::Other(error.to_string()),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        use CertificateError as E;
        match error {
            E::Expired => Self::Expired(None),
            E::ExpiredContext { not_after, .. } => Self::Expired(time(*not_after)),
            E::NotValidYet => Self::NotValidYet(None),
            E::NotValidYetContext { not_before, .. } => Self::NotValidYet(time(*not_before)),
            E::NotValidForName => Self::WrongName(vec!["another".to_owned()]),
            E::NotValidForNameContext { presented, .. } if presented.is_empty() => {
                Self::Certificate("it names no host".to_owned())
            }
            E::NotValidForNameContext { presented, .. } => {
                Self::WrongName(presented.iter().map(|name| bare(name).to_owned()).collect())
            }
            E::UnknownIssuer => Self::UnknownIssuer,
            E::Other(error) if error.to_string().contains("CaUsedAsEndEntity") => Self::AuthorityItself,
            error => Self::Certificate(error.to_string()),
        }
    }

    /// Whether it is the server's certificate that is not right.
    pub(crate) fn is_the_certificates(&self) -> bool {
        !matches!(self, Self::WantsIdentity | Self::NotSpoken | Self::Other(_))
    }

    /// What to do, where the server is the registry `host`.
    pub(crate) fn help(&self, host: &str) -> String {
        let section = format!("`[registry.\"{host}\"]` of the settings");
        match self {
            Self::Expired(_) => "have it renewed, or set this machine's clock if that is wrong".to_owned(),
            Self::NotValidYet(_) => "check this machine's clock".to_owned(),
            Self::WrongName(_) => "use a name that the certificate has, or have one made for this name".to_owned(),
            Self::UnknownIssuer => format!(
                "name the authority's file with `ca` in {section}, add it to the system's, or set `insecure = true` there"
            ),
            Self::AuthorityItself | Self::Certificate(_) => {
                format!("have another one made, or set `insecure = true` in {section}")
            }
            Self::WantsIdentity => {
                format!("name one with `client-certificate` and `client-key` in {section} in your own `config.toml`")
            }
            Self::NotSpoken => format!("if it is to be reached by plain HTTP, set `insecure = true` in {section}"),
            Self::Other(_) => format!("check what listens there, or set `insecure = true` in {section}"),
        }
    }
}

fn time(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

/// A day is all that people need of the time.
fn day(before: &str, time: Option<Timestamp>) -> String {
    time.map(|time| format!("{before} {}", time.strftime("%Y-%m-%d"))).unwrap_or_default()
}

/// A name without its kind: `DnsName("a.io")`, `IpAddress(127.0.0.1)`.
fn bare(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(presented);
    inner.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_problem_has_its_own_words() {
        let year_2000 = UnixTime::since_unix_epoch(Duration::from_secs(951_782_400));
        let of = |error: CertificateError| TlsProblem::of(&rustls::Error::InvalidCertificate(error)).to_string();
        let expired = CertificateError::ExpiredContext { time: year_2000, not_after: year_2000 };
        assert_eq!(of(expired), "its certificate has expired on 2000-02-29");
        assert_eq!(bare("DnsName(\"a.io\")"), "a.io");
        assert_eq!(bare("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert!(of(CertificateError::UnknownIssuer).contains("not trusted"));
        assert!(of(CertificateError::BadSignature).contains("refused"));
    }
}
