//! `HEALTHCHECK`.

use super::command::{Typed, command_line, count};
use super::flags::{Flags, Takes};
use crate::ast::{Arguments, CommandLine, HealthTest, Healthcheck, Instruction, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::go;

/// The shortest time that may be asked for, in nanoseconds.
const MINIMUM: i64 = 1_000_000;

pub(super) fn typed(instruction: &Instruction) -> Typed<Healthcheck> {
    let Arguments::Health(kind, arguments) = &instruction.arguments else {
        return Err(count(instruction, "HEALTHCHECK requires at least one argument"));
    };
    let error = |message: String, place: &Word| {
        Box::new(Diagnostic::error(Code::InvalidHealthcheck, instruction.span, message).label(place.span, ""))
    };
    let written = kind.text.to_uppercase();
    if written == "NONE" {
        // `HEALTHCHECK NONE []` has no argument either.
        let has_arguments = match arguments.as_ref() {
            Arguments::Array(words) => !words.is_empty(),
            other => *other != Arguments::None,
        };
        if has_arguments {
            return Err(error("HEALTHCHECK NONE takes no arguments".to_owned(), kind));
        }
        let (interval, timeout, start_period, start_interval, retries) = (0, 0, 0, 0, 0);
        return Ok(Healthcheck { test: HealthTest::None, interval, timeout, start_period, start_interval, retries });
    }
    let times = ["interval", "timeout", "start-period", "start-interval"];
    let known: Vec<_> = times.into_iter().chain(["retries"]).map(|name| (name, Takes::Value)).collect();
    let flags = Flags::read(instruction, &known)?;
    if written != "CMD" {
        let message = format!("Unknown type {} in HEALTHCHECK (try CMD)", go::quote(&written));
        return Err(Box::new(error(message, kind).help("write `HEALTHCHECK CMD command` or `HEALTHCHECK NONE`")));
    }
    let command = command_line(arguments);
    let is_missing = match &command {
        CommandLine::Shell(_) => **arguments == Arguments::None,
        CommandLine::Exec(words) => words.is_empty(),
    };
    if is_missing {
        return Err(error("Missing command after HEALTHCHECK CMD".to_owned(), kind));
    }
    let time = |name: &str| -> Typed<i64> {
        let Some(value) = flags.non_empty(name) else { return Ok(0) };
        let invalid = |message| Box::new(error(message, &value).help("write a time such as `30s`, `1m30s` or `500ms`"));
        match go::parse_duration(&value.text) {
            Ok(time) if time != 0 && time < MINIMUM => {
                Err(invalid(format!("Interval {} cannot be less than 1ms", go::quote(name))))
            }
            Ok(time) => Ok(time),
            Err(cause) => Err(invalid(cause.to_string())),
        }
    };
    Ok(Healthcheck {
        test: HealthTest::Command(command),
        interval: time("interval")?,
        timeout: time("timeout")?,
        start_period: time("start-period")?,
        start_interval: time("start-interval")?,
        retries: retries(flags.non_empty("retries"), error)?,
    })
}

fn retries(value: Option<Word>, error: impl Fn(String, &Word) -> Box<Diagnostic>) -> Typed<i64> {
    let Some(value) = value else { return Ok(0) };
    match value.text.parse::<i32>() {
        Ok(retries) if retries >= 0 => Ok(i64::from(retries)),
        Ok(retries) => Err(error(format!("--retries cannot be negative ({retries})"), &value)),
        Err(cause) => {
            let why = match cause.kind() {
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            let message = format!("strconv.ParseInt: parsing {}: {why}", go::quote(&value.text));
            Err(Box::new(error(message, &value).help("write a whole number")))
        }
    }
}
