//! The values of arguments: sizes, limits, hosts, secrets.

use std::fs;

use layercake_executor::fault::reason;
use layercake_executor::sandbox::{Host, Limit, Resource};

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
    fn hosts_have_addresses() {
        assert_eq!(host_line("db:10.0.0.5").unwrap().address.to_string(), "10.0.0.5");
        assert_eq!(host_line("db=::1").unwrap().address.to_string(), "::1");
        assert_eq!(host_line("db:[::1]").unwrap().address.to_string(), "::1");
        for text in ["db", ":1.2.3.4", "db:host"] {
            assert!(host_line(text).is_err(), "{text}");
        }
    }
}
