//! What the command sees of the network: devices, and the files that name hosts and servers.

use std::os::fd::AsRawFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::spec::{Host, Network};
use crate::mount::last_error;

/// The names that every machine has for itself, as Docker writes them.
const LOCAL: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
                     ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// Name servers, where the machine names none that can be reached: Google's, as Docker does.
const PUBLIC_SERVERS: &str = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n";

/// Where systemd-resolved writes the servers that its own address stands for.
const BEHIND_RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

/// Switches the loopback device of a new network namespace on.
pub(super) fn raise_loopback() -> Result<(), Errno> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: an all-zero request is a valid one: numbers and characters.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(*b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the request outlives the call, and has a terminated name.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// The text of `/etc/hosts`. The machine's own names hold only where its network is seen.
pub(super) fn hosts(network: Network, hostname: &str, extra: &[Host]) -> String {
    let of_machine = match network {
        Network::Host => std::fs::read_to_string("/etc/hosts").unwrap_or_default(),
        Network::None | Network::Private => String::new(),
    };
    hosts_text(&of_machine, hostname, extra)
}

fn hosts_text(of_machine: &str, hostname: &str, extra: &[Host]) -> String {
    let is_local = |address| LOCAL.lines().any(|line| line.split('\t').next() == Some(address));
    let kept = of_machine.lines().filter(|line| {
        let address = line.split('#').next().and_then(|entry| entry.split_whitespace().next());
        address.is_some_and(|address| !is_local(address))
    });
    let own = (!hostname.is_empty()).then(|| format!("127.0.1.1\t{hostname}"));
    let extra = extra.iter().map(|host| format!("{}\t{}", host.address, host.name));
    let lines = kept.map(|line| line.trim_end().to_owned()).chain(own).chain(extra);
    LOCAL.to_owned() + &lines.map(|line| line + "\n").collect::<String>()
}

/// The text of `/etc/resolv.conf`.
pub(super) fn name_servers(network: Network) -> String {
    let of_machine = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let behind = || std::fs::read_to_string(BEHIND_RESOLVED).unwrap_or_default();
    name_servers_text(network, &of_machine, behind)
}

/// A server on the machine's loopback device is out of reach from another network.
fn name_servers_text(network: Network, of_machine: &str, behind: impl Fn() -> String) -> String {
    if network == Network::Host || network == Network::None {
        return of_machine.to_owned();
    }
    let text = if of_machine.lines().any(|line| server(line) == Some("127.0.0.53")) {
        behind()
    } else {
        of_machine.to_owned()
    };
    let local = |line: &str| server(line).is_some_and(|server| server.starts_with("127.") || server == "::1");
    let kept: Vec<_> = text.lines().filter(|line| !local(line)).collect();
    let mut text = kept.join("\n") + "\n";
    if !kept.iter().any(|line| server(line).is_some()) {
        text.push_str(PUBLIC_SERVERS);
    }
    text
}

fn server(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    (words.next() == Some("nameserver")).then(|| words.next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_the_local_names_once() {
        let extra = [Host { name: "db".to_owned(), address: [10, 0, 0, 9].into() }];
        let text = hosts_text("# x\n127.0.0.1 localhost vm\n10.0.0.1 gate # door\n\n::1 localhost\n", "box", &extra);
        let rest = text.strip_prefix(LOCAL);
        assert_eq!(rest, Some("10.0.0.1 gate # door\n127.0.1.1\tbox\n10.0.0.9\tdb\n"));
    }

    #[test]
    fn servers_on_the_machines_loopback_are_replaced_in_other_networks() {
        let stub = "nameserver 127.0.0.53\noptions edns0\n";
        let behind = || "nameserver 192.0.2.1\nsearch lan\n".to_owned();
        assert_eq!(name_servers_text(Network::Host, stub, behind), stub);
        assert_eq!(name_servers_text(Network::Private, stub, behind), "nameserver 192.0.2.1\nsearch lan\n");
        let dnsmasq = "search lan\nnameserver 127.0.0.1\n";
        assert_eq!(name_servers_text(Network::Private, dnsmasq, String::new), format!("search lan\n{PUBLIC_SERVERS}"));
        let both = "nameserver ::1\nnameserver 9.9.9.9\n";
        assert_eq!(name_servers_text(Network::Private, both, String::new), "nameserver 9.9.9.9\n");
    }
}
