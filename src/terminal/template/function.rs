//! The functions of templates: docker's, and those of Go's that make sense here.

use std::cmp::Ordering;

use layercake_compiler::go;

use super::value::{Nil, Value};
use super::{Problem, Subject};

/// Their names.
pub(super) const NAMES: [&str; 24] = [
    "and", "eq", "ge", "gt", "index", "join", "json", "le", "len", "lower", "lt", "ne", "not", "or", "pad", "print",
    "printf", "println", "slice", "split", "title", "truncate", "upper", "html",
];

/// More than anybody pads a column by.
const WIDEST: i64 = 10_000;

pub(super) fn call(name: &str, arguments: &[Value], subject: Subject) -> Result<Value, Problem> {
    let wrong = |what: String| Problem::Call { function: name.to_owned(), what };
    // As docker: a heading is no value that could be shaped.
    if let (
        Subject::Headings,
        "json" | "lower" | "upper" | "title" | "truncate" | "split" | "join" | "pad",
        Some(heading),
    ) = (subject, name, arguments.iter().find(|argument| matches!(argument, Value::Text(_))))
    {
        return Ok(heading.clone());
    }
    let text = |at: usize| match arguments.get(at) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        Some(other) => Err(wrong(format!("{} is no text", other.kind()))),
        None => Err(wrong("an argument is missing".to_owned())),
    };
    let number = |at: usize| match arguments.get(at) {
        Some(Value::Int(number)) => Ok(*number),
        Some(other) => Err(wrong(format!("{} is no number", other.kind()))),
        None => Err(wrong("an argument is missing".to_owned())),
    };
    let first = || arguments.first().ok_or_else(|| wrong("an argument is missing".to_owned()));
    let most = |most: usize| {
        if arguments.len() > most { Err(wrong("there are too many arguments".to_owned())) } else { Ok(()) }
    };
    match name {
        "and" => Ok(first()
            .map(|_| arguments.iter().find(|value| !value.is_true()).or(arguments.last()).cloned())?
            .unwrap_or(Value::Nil(Nil::Pointer))),
        "or" => Ok(first()
            .map(|_| arguments.iter().find(|value| value.is_true()).or(arguments.last()).cloned())?
            .unwrap_or(Value::Nil(Nil::Pointer))),
        "not" => most(1).and(first()).map(|value| Value::Bool(!value.is_true())),
        "eq" => {
            let (first, others) = arguments.split_first().ok_or_else(|| wrong("an argument is missing".to_owned()))?;
            let mut is_equal = false;
            if others.is_empty() {
                return Err(wrong("an argument is missing".to_owned()));
            }
            for other in others {
                is_equal |= compare(first, other).map_err(wrong)? == Ordering::Equal;
            }
            Ok(Value::Bool(is_equal))
        }
        "ne" | "lt" | "le" | "gt" | "ge" => {
            let [first, second] = arguments else { return Err(wrong("it takes two arguments".to_owned())) };
            let order = compare(first, second).map_err(wrong)?;
            Ok(Value::Bool(match name {
                "ne" => order.is_ne(),
                "lt" => order.is_lt(),
                "le" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            }))
        }
        "index" => {
            arguments.iter().skip(1).try_fold(first()?.clone(), |value, key| element(&value, key).map_err(wrong))
        }
        "len" => {
            most(1)?;
            let length = match first()? {
                Value::Text(text) => text.len(),
                Value::List(items) => items.len(),
                Value::Map(fields) => fields.len(),
                Value::Nil(Nil::List | Nil::Map) => 0,
                other => return Err(wrong(format!("{} has no length", other.kind()))),
            };
            Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
        }
        "slice" => {
            slice(first()?, number(1).unwrap_or(0), arguments.get(2).map(|_| number(2)).transpose()?).map_err(wrong)
        }
        "json" => most(1).and(first()).map(|value| Value::Text(value.to_json().to_string())),
        "lower" => text(0).map(|text| Value::Text(text.to_lowercase())),
        "upper" => text(0).map(|text| Value::Text(text.to_uppercase())),
        "title" => text(0).map(|text| Value::Text(title(text))),
        "html" => text(0).map(|text| {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            Value::Text(escaped.replace('"', "&#34;").replace('\'', "&#39;"))
        }),
        "split" => {
            let (text, separator) = (text(0)?, text(1)?);
            let parts: Vec<Value> = if separator.is_empty() {
                text.chars().map(|letter| Value::Text(letter.to_string())).collect()
            } else {
                text.split(separator).map(|part| Value::Text(part.to_owned())).collect()
            };
            Ok(Value::List(parts))
        }
        "join" => {
            let items = match first()? {
                Value::List(items) => items.as_slice(),
                Value::Nil(_) => &[],
                other => return Err(wrong(format!("{} is no list", other.kind()))),
            };
            Ok(Value::Text(items.iter().map(Value::shown).collect::<Vec<_>>().join(text(1)?)))
        }
        "pad" => {
            let (text, before, after) = (text(0)?, number(1)?, number(2)?);
            let blanks = |count: i64| " ".repeat(usize::try_from(count.clamp(0, WIDEST)).unwrap_or(0));
            Ok(Value::Text(if text.is_empty() { String::new() } else { blanks(before) + text + &blanks(after) }))
        }
        "truncate" => {
            let length = usize::try_from(number(1)?).unwrap_or(0);
            text(0).map(|text| Value::Text(text.chars().take(length).collect()))
        }
        "print" => Ok(Value::Text(print(arguments))),
        "println" => {
            let shown: Vec<String> = arguments.iter().map(Value::shown).collect();
            Ok(Value::Text(shown.join(" ") + "\n"))
        }
        "printf" => printf(text(0)?, &arguments[1..]).map(Value::Text).map_err(wrong),
        other => Err(Problem::NoFunction(other.to_owned())),
    }
}

fn compare(first: &Value, second: &Value) -> Result<Ordering, String> {
    match (first, second) {
        (Value::Text(first), Value::Text(second)) => Ok(first.cmp(second)),
        (Value::Int(first), Value::Int(second)) => Ok(first.cmp(second)),
        (Value::Bool(first), Value::Bool(second)) => Ok(first.cmp(second)),
        (Value::Nil(_), Value::Nil(_)) => Ok(Ordering::Equal),
        // Whatever is there is not nothing.
        (Value::Nil(_), _) => Ok(Ordering::Less),
        (_, Value::Nil(_)) => Ok(Ordering::Greater),
        _ => Err(format!("{} and {} cannot be compared", first.kind(), second.kind())),
    }
}

fn element(value: &Value, key: &Value) -> Result<Value, String> {
    match (value, key) {
        (Value::List(items), Value::Int(at)) => {
            let item = usize::try_from(*at).ok().and_then(|at| items.get(at));
            item.cloned().ok_or_else(|| format!("there is no element {at} in a list of {}", items.len()))
        }
        (Value::Nil(Nil::List), Value::Int(at)) => Err(format!("there is no element {at} in an empty list")),
        // The zero of the map's values, which are texts.
        (Value::Map(fields), Value::Text(key)) => Ok(fields.get(key).cloned().unwrap_or(Value::Text(String::new()))),
        (Value::Nil(Nil::Map), Value::Text(_)) => Ok(Value::Text(String::new())),
        (Value::Struct(fields), Value::Text(key)) => {
            let field = fields.iter().find(|(known, _)| known == key);
            field.map(|(_, value)| value.clone()).ok_or_else(|| format!("there is no field `{key}`"))
        }
        (value, key) => Err(format!("{} has no element by {}", value.kind(), key.kind())),
    }
}

fn slice(value: &Value, from: i64, to: Option<i64>) -> Result<Value, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        other => return Err(format!("{} cannot be cut", other.kind())),
    };
    let place = |at: i64| usize::try_from(at).ok().filter(|at| *at <= length).ok_or(format!("there is no place {at}"));
    let (from, to) = (place(from)?, to.map_or(Ok(length), place)?);
    match value {
        Value::Text(text) => text.get(from..to).map(|part| Value::Text(part.to_owned())),
        Value::List(items) => items.get(from..to).map(|part| Value::List(part.to_vec())),
        _ => None,
    }
    .ok_or_else(|| format!("nothing lies from {from} to {to}"))
}

fn title(text: &str) -> String {
    let mut is_first = true;
    let letter = |letter: char| {
        let shown = if is_first { letter.to_uppercase().collect::<String>() } else { letter.to_string() };
        is_first = letter.is_whitespace();
        shown
    };
    text.chars().map(letter).collect()
}

/// With a blank between two of which neither is a text.
fn print(arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut is_text = true;
    for value in arguments {
        let is_next_text = matches!(value, Value::Text(_));
        if !is_text && !is_next_text {
            out.push(' ');
        }
        out.push_str(&value.shown());
        is_text = is_next_text;
    }
    out
}

/// The verbs `%s %v %d %q %x %t %%`, with `-`, `0` and a width.
fn printf(format: &str, arguments: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let mut flags = String::new();
        while let Some(flag) = letters.next_if(|letter| matches!(letter, '-' | '0')) {
            flags.push(flag);
        }
        let mut width = 0_i64;
        while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10)) {
            letters.next();
            width = (width * 10 + i64::from(digit)).min(WIDEST);
        }
        let verb = letters.next().ok_or("`%` has no verb")?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("`%{verb}` has no argument"))?;
        let shown = match (verb, value) {
            ('s' | 'v', value) | ('d', value @ Value::Int(_)) | ('t', value @ Value::Bool(_)) => value.shown(),
            ('q', Value::Text(text)) => go::quote(text),
            ('q', Value::List(items)) => go::quoted_list(&items.iter().map(Value::shown).collect::<Vec<_>>()),
            ('x', Value::Int(number)) => format!("{number:x}"),
            ('x', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            (verb, value) => return Err(format!("`%{verb}` prints no {}", value.kind().trim_start_matches("a "))),
        };
        let missing = usize::try_from(width).unwrap_or(0).saturating_sub(shown.chars().count());
        let (before, after) = if flags.contains('-') { (0, missing) } else { (missing, 0) };
        let filler = if flags.contains('0') && after == 0 { "0" } else { " " };
        out.push_str(&filler.repeat(before));
        out.push_str(&shown);
        out.push_str(&" ".repeat(after));
    }
    match arguments.next() {
        Some(_) => Err("there are more arguments than verbs".to_owned()),
        None => Ok(out),
    }
}
