//! Texts as Go prints them: BuildKit writes them into histories and messages, and histories have to be the same.

/// A string in double quotes, as `%q` prints it.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            character if is_printable(character) => out.push(character),
            character => out.extend(escaped(u32::from(character))),
        }
    }
    out.push('"');
    out
}

/// A character by its number.
fn escaped(code: u32) -> impl Iterator<Item = char> {
    let (mark, digits) = match code {
        ..0x80 => ('x', 2),
        0x80..0x1_0000 => ('u', 4),
        _ => ('U', 8),
    };
    let digit = move |place: u32| char::from_digit(code >> (4 * place) & 0xf, 16);
    ['\\', mark].into_iter().chain((0..digits).rev().filter_map(digit))
}

/// What Go prints as it is: close to its `unicode.IsPrint`, without the tables of unassigned characters.
fn is_printable(character: char) -> bool {
    let is_invisible = matches!(u32::from(character),
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
        | 0xe000..=0xf8ff | 0xfeff | 0xfff9..=0xfffb | 0xe_0000..=0xe_0fff | 0xf_0000..=0x10_ffff);
    character == ' ' || !(character.is_control() || character.is_whitespace() || is_invisible)
}

/// A list as `%v` prints it.
#[must_use]
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    format!("[{}]", items.join(" "))
}

/// A list as `%q` prints it.
#[must_use]
pub fn quoted_list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| quote(item.as_ref())).collect();
    list(&items)
}

/// Nanoseconds as Go prints a duration: `1m30s`, `1.5s`, `2ms`.
#[must_use]
pub fn duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let all = nanoseconds.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let (whole, rest) = (value / unit, value % unit);
        if rest == 0 {
            return whole.to_string();
        }
        let digits = unit.ilog10() as usize;
        format!("{whole}.{}", format!("{rest:0digits$}").trim_end_matches('0'))
    };
    let text = match all {
        0 => "0s".to_owned(),
        1..1_000 => format!("{all}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(all, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(all, 1_000_000)),
        _ => {
            let (minutes, seconds) = (all / 60_000_000_000, fraction(all % 60_000_000_000, 1_000_000_000));
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

/// Why a text is no duration; the texts are Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidDuration {
    #[error("time: invalid duration {}", quote(.0))]
    Malformed(String),
    #[error("time: missing unit in duration {}", quote(.0))]
    MissingUnit(String),
    #[error("time: unknown unit {} in duration {}", quote(.0), quote(.1))]
    UnknownUnit(String, String),
}

/// A duration such as `1h30m` or `1.5s`, in nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Result<i64, InvalidDuration> {
    let malformed = || InvalidDuration::Malformed(text.to_owned());
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(malformed());
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|character: char| character != '.' && !character.is_ascii_digit()).unwrap_or(rest.len());
        let number = &rest[..end];
        if number.is_empty() || number == "." || number.matches('.').count() > 1 {
            return Err(malformed());
        }
        rest = &rest[end..];
        let end = rest.find(|character: char| character == '.' || character.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, after) = rest.split_at(end);
        rest = after;
        let scale: i64 = match unit {
            "" => return Err(InvalidDuration::MissingUnit(text.to_owned())),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(InvalidDuration::UnknownUnit(unit.to_owned(), text.to_owned())),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| malformed())? };
        let mut value = whole.checked_mul(scale).ok_or_else(malformed)?;
        let mut place = scale;
        for digit in fraction.bytes() {
            place /= 10;
            value = value.checked_add(i64::from(digit - b'0') * place).ok_or_else(malformed)?;
        }
        total = total.checked_add(value).ok_or_else(malformed)?;
    }
    Ok(sign * total)
}

/// A truth value as `strconv.ParseBool` reads it.
#[must_use]
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, nanoseconds) in [("1h30m", 5_400_000_000_000), ("1.5s", 1_500_000_000), ("2ms", 2_000_000), ("0", 0)]
        {
            assert_eq!(parse_duration(text), Ok(nanoseconds));
        }
        assert_eq!(parse_duration("1"), Err(InvalidDuration::MissingUnit("1".to_owned())));
        assert!(parse_duration("99999999999h").is_err());
        for (nanoseconds, text) in [
            (0, "0s"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (1_500, "1.5µs"),
        ] {
            assert_eq!(duration(nanoseconds), text);
        }
    }

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(quote("a\"b\\\n\x01é\u{200b}"), r#""a\"b\\\n\x01é\u200b""#);
        assert_eq!(quoted_list(&["a b", "c"]), r#"["a b" "c"]"#);
    }
}
