//! A published port: `[IP:]HOST:CONTAINER[/tcp]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// A port of the machine's that leads to one of the container's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Where the machine listens; on all of its addresses where none was named.
    pub host: SocketAddr,
    /// Where in the container it leads.
    pub container: u16,
}

/// Why a text does not name a published port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// It does not have the right parts.
    #[error("`{text}` is not a published port: expected `[IP:]HOST:CONTAINER[/tcp]`")]
    Form {
        /// The text.
        text: String,
    },
    /// One of the ports is none.
    #[error("`{port}` in `{text}` is not a port: expected a number from 1 to 65535")]
    Number {
        /// The text.
        text: String,
        /// The part.
        port: String,
    },
    /// The address is none.
    #[error("`{address}` in `{text}` is not an IP address")]
    Address {
        /// The text.
        text: String,
        /// The part.
        address: String,
    },
    /// The protocol is not passed on.
    #[error("cannot publish `{text}`: only TCP ports are passed on, not `{protocol}`")]
    Protocol {
        /// The text.
        text: String,
        /// The part.
        protocol: String,
    },
}

impl FromStr for Port {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        if protocol != "tcp" {
            return Err(PortError::Protocol { text: text.to_owned(), protocol: protocol.to_owned() });
        }
        let form = || PortError::Form { text: text.to_owned() };
        let (rest, container) = ports.rsplit_once(':').ok_or_else(form)?;
        let (address, host) = rest.rsplit_once(':').map_or((None, rest), |(address, host)| (Some(address), host));
        let number = |port: &str| match port.parse() {
            Ok(0) | Err(_) => Err(PortError::Number { text: text.to_owned(), port: port.to_owned() }),
            Ok(number) => Ok(number),
        };
        let address = match address {
            None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Some(address) => {
                let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
                let wrong = |_| PortError::Address { text: text.to_owned(), address: address.to_owned() };
                bare.parse().map_err(wrong)?
            }
        };
        Ok(Self { host: SocketAddr::new(address, number(host)?), container: number(container)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, host: &str, container: u16) {
        assert_eq!(text.parse(), Ok(Port { host: host.parse().expect("a test's address"), container }));
    }

    #[test]
    fn ports_have_an_address_or_not() {
        check("8080:80", "0.0.0.0:8080", 80);
        check("8080:80/tcp", "0.0.0.0:8080", 80);
        check("127.0.0.1:1:65535", "127.0.0.1:1", 65535);
        check("[::1]:8080:80", "[::1]:8080", 80);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |text: &str| text.parse::<Port>().map_err(|error| error.to_string());
        for (text, expected) in [
            ("80", "`80` is not a published port: expected `[IP:]HOST:CONTAINER[/tcp]`"),
            ("0:80", "`0` in `0:80` is not a port: expected a number from 1 to 65535"),
            ("80:70000", "`70000` in `80:70000` is not a port: expected a number from 1 to 65535"),
            ("80:", "`` in `80:` is not a port: expected a number from 1 to 65535"),
            ("here:80:80", "`here` in `here:80:80` is not an IP address"),
            ("53:53/udp", "cannot publish `53:53/udp`: only TCP ports are passed on, not `udp`"),
        ] {
            assert_eq!(message(text), Err(expected.to_owned()));
        }
    }
}
