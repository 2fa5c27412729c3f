//! `RUN` and its flags.

use super::command::{Typed, command_line};
use super::flags::{Flags, Takes};
use super::mount;
use crate::ast::{Device, Instruction, Run, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::go;
use crate::lex::fields;
use crate::operation::{Network, Security};
use crate::suggest;

pub(super) fn typed(instruction: &Instruction) -> Typed<Run> {
    let known =
        [("mount", Takes::Values), ("network", Takes::Value), ("security", Takes::Value), ("device", Takes::Values)];
    let flags = Flags::read(instruction, &known)?;
    let command = command_line(&instruction.arguments);
    let devices = flags.values("device");
    let devices: Result<Vec<Device>, _> = devices
        .iter()
        .map(|flag| {
            parse_device(&flag.text).map_err(|message| {
                Box::new(Diagnostic::error(Code::InvalidDevice, instruction.span, message).label(flag.span, ""))
            })
        })
        .collect();
    let mounts: Result<Vec<_>, _> =
        flags.values("mount").into_iter().map(|flag| mount::flag(instruction, flag)).collect();
    Ok(Run {
        command,
        heredocs: instruction.heredocs.clone(),
        mounts: mounts?,
        network: network(instruction, flags.value("network"))?,
        security: security(instruction, flags.value("security"))?,
        devices: devices?,
    })
}

fn network(instruction: &Instruction, flag: Option<Word>) -> Typed<Network> {
    let Some(flag) = flag else { return Ok(Network::Default) };
    match flag.text.as_str() {
        "default" => Ok(Network::Default),
        "none" => Ok(Network::None),
        "host" => Ok(Network::Host),
        other => {
            let message = format!("invalid network mode {}", go::quote(other));
            let error = Diagnostic::error(Code::InvalidFlag, instruction.span, message).label(flag.span, "");
            Err(Box::new(error.help("use `default`, `none` or `host`")))
        }
    }
}

fn security(instruction: &Instruction, flag: Option<Word>) -> Typed<Security> {
    let Some(flag) = flag else { return Ok(Security::Sandbox) };
    match flag.text.as_str() {
        "sandbox" => Ok(Security::Sandbox),
        "insecure" => Ok(Security::Insecure),
        other => {
            let message = format!("security {} is not valid", go::quote(other));
            let error = Diagnostic::error(Code::InvalidFlag, instruction.span, message).label(flag.span, "");
            Err(Box::new(error.help("use `sandbox` or `insecure`")))
        }
    }
}

/// Reads the value of a `--device` flag: `NAME[,required[=BOOL]]` or `name=NAME,…`.
///
/// # Errors
/// What is wrong with it, in BuildKit's words.
pub fn parse_device(value: &str) -> Result<Device, String> {
    let fields = fields::read(value).map_err(|error| format!("failed to parse csv devices: {error}"))?;
    let mut device = Device { name: String::new(), required: false };
    for field in fields {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        match (key.to_lowercase().as_str(), value) {
            ("required", None) => device.required = true,
            ("required", Some(value)) => {
                device.required =
                    go::parse_bool(value).ok_or_else(|| format!("invalid value for required: {value}"))?;
            }
            ("name", Some(_)) if !device.name.is_empty() => {
                return Err(format!("device name already set to {}", device.name));
            }
            ("name", Some(value)) => device.name = value.to_owned(),
            _ if device.name.is_empty() => device.name.clone_from(&field),
            (_, None) => return Err(format!("invalid field '{field}' must be a key=value pair")),
            (key, Some(_)) => {
                let guess = suggest::nearest(key, ["name", "required"]);
                let guess = guess.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                return Err(format!("unexpected key '{key}' in '{field}'{guess}"));
            }
        }
    }
    Ok(device)
}
