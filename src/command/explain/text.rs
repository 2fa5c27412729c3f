//! An explanation for people: a line for each step, and below one that was no hit a line for each reason.

use std::fmt::Write;

use layercake_executor::explain::explanation::{Explained, State};
use layercake_executor::explain::reason::{Change, Kind, Reason};

use crate::terminal::paint::Paint;

/// Files that are listed for one step; `--format json` has them all.
const FILES: usize = 12;

/// The most that is shown of a value, in characters.
const WIDTH: usize = 100;

/// The steps; in one line if all of them were hits and nobody asked for one in particular.
pub(super) fn render(steps: &[&Explained], is_all: bool, paint: Paint) -> String {
    if is_all && steps.iter().all(|explained| explained.state == State::Hit) {
        return format!("{} all {} steps\n", paint.green("hit"), steps.len());
    }
    let mut text = String::new();
    for Explained { step, state, reasons } in steps {
        let word = match state {
            State::Hit => paint.green("hit "),
            State::Miss => paint.yellow("miss"),
            State::Failed => paint.red("fail"),
            State::Unreached => paint.dim("-   "),
        };
        let is_named = !step.stage.bytes().all(|byte| byte.is_ascii_digit());
        let stage = if is_named { format!("[{}] ", step.stage) } else { String::new() };
        let line = if step.line == 0 { String::new() } else { format!("line {}", step.line) };
        let name = shortened(&step.name);
        let id = step.id.to_string();
        let _ = writeln!(text, "{word} {id:<4} {}  {stage}{name}", paint.dim(format!("{line:<8}")));
        let files = reasons.iter().filter(|reason| reason.change.is_some()).count();
        let mut shown = 0;
        for reason in reasons {
            shown += usize::from(reason.change.is_some());
            if reason.change.is_none() || shown <= FILES {
                let _ = writeln!(text, "       {}", said(reason, paint));
            }
        }
        if files > FILES {
            let _ = writeln!(text, "       {}", paint.dim(format!("and {} more files", files - FILES)));
        }
    }
    text
}

/// A reason in words.
fn said(reason: &Reason, paint: Paint) -> String {
    let name = paint.cyan(&reason.name);
    let change = || values(reason.old.as_deref(), reason.new.as_deref(), paint);
    let from = reason.step.map(|step| format!(" of {step}")).unwrap_or_default();
    match reason.kind {
        Kind::FirstBuild => "first build of these inputs".to_owned(),
        Kind::NewStep => "no earlier build had this step".to_owned(),
        Kind::NoCache => "nothing was to be taken from the cache (`--no-cache`)".to_owned(),
        Kind::FailedBefore => "it failed the last time".to_owned(),
        Kind::Gone => "its result was no longer in the store".to_owned(),
        Kind::Base if reason.old.as_deref().is_some_and(|old| !old.contains('@')) => {
            format!("base image {name} has moved: {}", change())
        }
        Kind::Base => format!("base image: {}", change()),
        Kind::Platform => format!("platform: {}", change()),
        Kind::File | Kind::Heredoc => {
            let what = if reason.kind == Kind::Heredoc { "heredoc" } else { "file" };
            match reason.change {
                Some(Change::Added) => format!("new {what} {name}{from}: {}", change()),
                Some(Change::Removed) => format!("removed {what} {name}{from}: {}", change()),
                Some(Change::Content) | None => format!("{what} {name}{from}: {}", change()),
                Some(Change::Mode) => format!("mode of {name}{from}: {}", change()),
                Some(Change::Owner) => format!("owner of {name}{from}: {}", change()),
                Some(Change::Attributes) => format!("extended attributes of {name}{from}"),
                Some(Change::Type) => format!("type of {name}{from}: {}", change()),
            }
        }
        Kind::Ignore => format!("{name}: {}", change()),
        Kind::Argument => format!("build argument {name}: {}", change()),
        Kind::Variable => format!("variable {name}: {}", change()),
        Kind::Command => format!("command: {}", change()),
        Kind::Paths | Kind::Flag | Kind::Setting => format!("{name}: {}", change()),
        Kind::Way => format!("{name} in the tree below: {}", change()),
        Kind::Mount => format!("mount {name}: {}", change()),
        Kind::Source => format!("source {name}: {}", change()),
        Kind::Content => format!("content of {name}: {}", change()),
        Kind::Order => "the order of what it is made from".to_owned(),
        Kind::Step => reason.step.map(|step| format!("because {step} changed")).unwrap_or_default(),
    }
}

/// `old -> new`, or what is new or gone. Of long texts the part that differs.
fn values(old: Option<&str>, new: Option<&str>, paint: Paint) -> String {
    let (old, new) = (old.filter(|old| !old.is_empty()), new.filter(|new| !new.is_empty()));
    match (old, new) {
        (Some(old), Some(new)) => {
            let skipped =
                if old.len().max(new.len()) > WIDTH && !old.starts_with("sha256:") { common(old, new) } else { 0 };
            let cut = |text: &str| {
                let mark = if skipped > 0 { "…" } else { "" };
                format!("{mark}{}", value(&text[skipped..]))
            };
            format!("{} {} {}", cut(old), paint.dim("->"), cut(new))
        }
        (None, Some(new)) => format!("(none) {} {}", paint.dim("->"), value(new)),
        (Some(old), None) => format!("{} {} (none)", value(old), paint.dim("->")),
        (None, None) => "(none)".to_owned(),
    }
}

/// The bytes that two texts have in common at their beginning, back to the beginning of a word.
fn common(old: &str, new: &str) -> usize {
    let same: usize = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    old[..same].rfind(char::is_whitespace).map_or(0, |place| place + 1)
}

/// A value on one line. Digests are known by their first digits; what can be a control sequence is not.
fn value(text: &str) -> String {
    match text.split_once("blake3:").or_else(|| text.split_once("sha256:")) {
        Some(("", hex)) if hex.len() == 64 => format!("{}{}", &text[..7], &hex[..12]),
        _ => shortened(text),
    }
}

fn shortened(text: &str) -> String {
    let line: String = text.chars().flat_map(printed).take(WIDTH + 1).collect();
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn printed(letter: char) -> impl Iterator<Item = char> {
    let escaped = letter.is_control().then(|| letter.escape_default());
    let plain = escaped.is_none().then_some(letter);
    escaped.into_iter().flatten().chain(plain)
}
