//! `EXPOSE`: ports, ranges of them, and what people write around them.

use std::net::IpAddr;

use crate::diagnostic::Diagnostic;
use crate::go;
use crate::lint;
use crate::source::Span;

/// How many ports there are: of each number one for each protocol.
pub(super) const ALL: usize = 3 * 65_536;

/// What a port takes in the image's configuration and in the history, in bytes, about.
pub(super) const WEIGHT: usize = 400;

/// The `port/protocol` names that a specification stands for. Errors are in BuildKit's words.
pub(super) fn parse(text: &str, at: Span, warnings: &mut Vec<Diagnostic>) -> Result<Vec<String>, String> {
    let (address, host, container) = match text.rsplitn(3, ':').collect::<Vec<_>>().as_slice() {
        [container] => ("", "", *container),
        [container, host] => ("", *host, *container),
        [container, host, address] => (*address, *host, *container),
        _ => return Err(format!("invalid port: {}", go::quote(text))),
    };
    let (ports, protocol) = container.split_once('/').unwrap_or((container, ""));
    let problem = match protocol.to_lowercase().as_str() {
        _ if ports.is_empty() => Some("no port specified".to_owned()),
        "" | "tcp" | "udp" | "sctp" => None,
        _ => Some(format!("invalid proto: {protocol}")),
    };
    if let Some(problem) = problem {
        return Err(format!("invalid port: {}: {problem}", go::quote(text)));
    }
    if protocol != protocol.to_lowercase() {
        warnings.push(lint::expose::protocol_casing(text, at));
    }
    if !address.is_empty() || !host.is_empty() {
        warnings.push(lint::expose::mapping(text, at));
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if !address.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address: {bare}"));
    }
    let (first, last) = range(ports).ok_or_else(|| format!("invalid containerPort: {ports}"))?;
    if !host.is_empty() {
        let (host_first, host_last) = range(host).ok_or_else(|| format!("invalid hostPort: {host}"))?;
        // A range of the host's ports may stand for one of the container's: any of them will do.
        if last - first != host_last - host_first && first != last {
            return Err(format!("invalid ranges specified for container and host Ports: {ports} and {host}"));
        }
    }
    let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_lowercase() };
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

/// A number as Go reads it: a sign is allowed.
fn number(text: &str) -> Option<u16> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> Result<Vec<String>, String> {
        parse(text, Span::default(), &mut Vec::new())
    }

    #[test]
    fn ranges_protocols_and_mappings() {
        assert_eq!(ports("80").unwrap(), ["80/tcp"]);
        assert_eq!(ports("80-82/UDP").unwrap(), ["80/udp", "81/udp", "82/udp"]);
        assert_eq!(ports("127.0.0.1:8080:80").unwrap(), ["80/tcp"]);
        assert_eq!(ports("[::1]:8080:80").unwrap(), ["80/tcp"]);
        for wrong in ["", "/tcp", "x", "65536", "82-80", "80/http", "1-2:80-85", "a:1:80"] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
    }
}
