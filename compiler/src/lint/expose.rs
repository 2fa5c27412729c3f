//! What `EXPOSE` should not say.

use crate::diagnostic::Diagnostic;
use crate::lint::Rule;
use crate::source::Span;

/// A protocol that is not in lower case.
pub(crate) fn protocol_casing(port: &str, at: Span) -> Diagnostic {
    let message = format!("Defined protocol '{port}' in EXPOSE instruction should be lowercase");
    Diagnostic::warning(Rule::ExposeProtoCasing, at, message).help(format!("write `{}`", port.to_lowercase()))
}

/// An address or a port of the host.
pub(crate) fn mapping(port: &str, at: Span) -> Diagnostic {
    let message = format!("EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'");
    Diagnostic::warning(Rule::ExposeInvalidFormat, at, message)
        .help("name the container's port alone; the host's is chosen when the container is run")
}
