//! The values of arguments: sizes, limits, hosts, secrets.

use std::fs;
use std::path::PathBuf;

use layercake_executor::cgroup::{InvalidLimits, Limits, Swap};
use layercake_executor::fault::reason;
use layercake_executor::sandbox::{Host, Limit, Resource};

use crate::arguments::resources::Resources;
use crate::failure::Failure;
use crate::settings;

/// `NAME=VALUE`.
///
/// # Errors
/// If there is no `=`, or nothing before it.
pub fn key_value<'a>(text: &'a str, option: &str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
        Failure::input(format!("`{option} {text}` has no value")).help(format!("write `{option} NAME=VALUE`"))
    })
}

/// A size as docker writes it: bytes, or a number and one of `b`, `k`, `m`, `g`.
///
/// # Errors
/// If it is none.
pub fn bytes(text: &str) -> Result<u64, Failure> {
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).unwrap_or(&lower);
    let (number, shift) = match lower.strip_suffix(['k', 'm', 'g', 't']) {
        Some(number) => {
            (number, lower.chars().last().and_then(|unit| "kmgt".find(unit)).map_or(0, |place| 10 * (place + 1)))
        }
        None => (lower, 0),
    };
    let value = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    value.ok_or_else(|| {
        Failure::input(format!("`{text}` is not a size"))
            .help("write a number of bytes, or one with a unit, such as `64m`")
    })
}

/// `TYPE=SOFT[:HARD]` of `--ulimit`; -1 is no limit.
///
/// # Errors
/// If there is no such limit, or a number is none.
pub fn limit(text: &str) -> Result<Limit, Failure> {
    let (name, values) = key_value(text, "--ulimit")?;
    let wrong = || {
        Failure::input(format!("`--ulimit {text}` is no limit"))
            .help("write `TYPE=SOFT[:HARD]`, such as `nofile=1024:2048`")
    };
    let resource: Resource = serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|_| wrong())?;
    let number = |text: &str| match text {
        "-1" => Ok(None),
        text => text.parse().map(Some).map_err(|_| wrong()),
    };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    Ok(Limit { resource, soft: number(soft)?, hard: number(hard)? })
}

/// The limits of every command, by control groups.
///
/// # Errors
/// If a size is none, or they make no sense together.
pub fn limits(arguments: &Resources) -> Result<Limits, Failure> {
    let limits = Limits {
        memory: arguments.memory.as_deref().map(bytes).transpose()?.filter(|memory| *memory > 0),
        swap: match arguments.memory_swap.as_deref() {
            None | Some("0") => None,
            Some("-1") => Some(Swap::Unlimited),
            Some(text) => Some(Swap::Bytes(bytes(text)?)),
        },
        cpu_quota: arguments.cpu_quota.filter(|quota| *quota != 0),
        cpu_period: arguments.cpu_period.filter(|period| *period != 0),
        cpu_shares: arguments.cpu_shares.filter(|shares| *shares != 0),
        cpus: arguments.cpuset_cpus.clone().filter(|cpus| !cpus.is_empty()),
        memory_nodes: arguments.cpuset_mems.clone().filter(|nodes| !nodes.is_empty()),
    };
    match limits.check() {
        Ok(()) => Ok(limits),
        Err(error) => Err(Failure::input(error).help(match error {
            InvalidLimits::TooLittleMemory => "give it more, such as `--memory 64m`",
            InvalidLimits::SwapWithoutMemory => "give `--memory` too, or leave out `--memory-swap`",
            InvalidLimits::SwapBelowMemory => "give `--memory-swap` both together, or -1 for all there is",
        })),
    }
}

/// `HOST:IP` or `HOST=IP` of `--add-host`.
///
/// # Errors
/// If there is no address.
pub fn host_line(text: &str) -> Result<Host, Failure> {
    let (name, address) = text.split_once(['=', ':']).unwrap_or((text, ""));
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if name.is_empty() {
        return Err(Failure::input(format!("`--add-host {text}` names no host")).help("write `HOST:IP`"));
    }
    match address.parse() {
        Ok(address) => Ok(Host { name: name.to_owned(), address }),
        Err(_) => Err(Failure::input(format!("`--add-host {text}` has no IP address"))
            .help("write `HOST:IP`, such as `db:10.0.0.5`")),
    }
}

/// `id=ID[,src=FILE|,env=NAME]` of `--secret`: its id and its content.
///
/// # Errors
/// If it has no id, or its file or variable is not there.
pub fn secret(text: &str) -> Result<(String, Vec<u8>), Failure> {
    let (mut id, mut file, mut variable, mut kind) = (None, None, None, None);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("id", value)) => id = Some(value),
            Some(("src" | "source", value)) => file = Some(value),
            Some(("env", value)) => variable = Some(value),
            Some(("type", value @ ("file" | "env"))) => kind = Some(value),
            _ => {
                return Err(Failure::input(format!("`{part}` of `--secret {text}` means nothing"))
                    .help("write `id=ID`, `id=ID,src=FILE` or `id=ID,env=NAME`"));
            }
        }
    }
    let Some(id) = id.or(file).or(variable) else {
        return Err(Failure::input(format!("`--secret {text}` has no id")).help("write `id=ID,src=FILE`"));
    };
    // As docker: `type=env` makes `src` a variable; without a source, a variable of the id's name goes before a file.
    let variable = variable.or(file.filter(|_| kind == Some("env")));
    let content = match (variable, file) {
        (Some(name), _) => settings::variable(name)
            .map(String::into_bytes)
            .ok_or_else(|| Failure::input(format!("the variable `{name}` of the secret `{id}` is not set")))?,
        (None, Some(file)) => read_secret(id, file)?,
        (None, None) => match settings::variable(id) {
            Some(value) => value.into_bytes(),
            None => read_secret(id, id)?,
        },
    };
    Ok((id.to_owned(), content))
}

/// `default|ID[=SOCKET|KEY[,KEY]]` of `--ssh`: its id, and the paths of a socket or of keys. Where it names none, that is
/// the socket that `SSH_AUTH_SOCK` names.
///
/// # Errors
/// If there is neither.
pub fn ssh(text: &str) -> Result<(String, Vec<PathBuf>), Failure> {
    let (id, paths) = text.split_once('=').unwrap_or((text, ""));
    let id = if id.is_empty() { "default" } else { id };
    if !paths.is_empty() {
        return Ok((id.to_owned(), paths.split(',').map(PathBuf::from).collect()));
    }
    match settings::variable("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty()) {
        Some(socket) => Ok((id.to_owned(), vec![PathBuf::from(socket)])),
        None => Err(Failure::input(format!("`--ssh {text}` names no SSH agent, and `SSH_AUTH_SOCK` is not set")).help(
            format!(
                "start one with `eval $(ssh-agent)` and `ssh-add`, or write `--ssh {id}=SOCKET` or `--ssh {id}=KEY`"
            ),
        )),
    }
}

fn read_secret(id: &str, file: &str) -> Result<Vec<u8>, Failure> {
    fs::read(file)
        .map_err(|error| Failure::input(format!("cannot read `{file}` of the secret `{id}`: {}", reason(&error))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in
            [("100", 100), ("1k", 1024), ("64m", 64 << 20), ("2G", 2 << 30), ("1kb", 1024), ("1KiB", 1024), ("5b", 5)]
        {
            assert_eq!(bytes(text).unwrap(), expected, "{text}");
        }
        for text in ["", "m", "-1", "1x", "99999999999999999999", "18446744073709551615g"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_have_two_values() {
        let found = limit("nofile=10:20").unwrap();
        assert_eq!((found.resource, found.soft, found.hard), (Resource::Nofile, Some(10), Some(20)));
        let found = limit("core=-1").unwrap();
        assert_eq!((found.soft, found.hard), (None, None));
        for text in ["nofile", "files=1", "nofile=a", "nofile=1:b"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_of_docker_are_read() {
        let resources = |memory: &str, swap: Option<&str>| Resources {
            memory: Some(memory.to_owned()),
            memory_swap: swap.map(str::to_owned),
            cpu_quota: Some(50_000),
            ..Resources::default()
        };
        let found = limits(&resources("64m", Some("-1"))).unwrap();
        assert_eq!((found.memory, found.swap, found.cpu_quota), (Some(64 << 20), Some(Swap::Unlimited), Some(50_000)));
        assert!(limits(&Resources::default()).unwrap().is_empty());
        // As for docker, nothing is no limit.
        assert_eq!(limits(&resources("0", Some("0"))).unwrap().memory, None);
        for (memory, swap) in [("1m", None), ("64m", Some("32m")), ("lots", None), ("0", Some("64m"))] {
            assert!(limits(&resources(memory, swap)).is_err(), "{memory} {swap:?}");
        }
    }

    #[test]
    fn hosts_have_addresses() {
        assert_eq!(host_line("db:10.0.0.5").unwrap().address.to_string(), "10.0.0.5");
        assert_eq!(host_line("db=::1").unwrap().address.to_string(), "::1");
        assert_eq!(host_line("db:[::1]").unwrap().address.to_string(), "::1");
        for text in ["db", ":1.2.3.4", "db:host"] {
            assert!(host_line(text).is_err(), "{text}");
        }
    }
}
