//! A reason in words: those that `explain` has for a build that was, and a prediction for the one to come.

use layercake_compiler::plan::StepId;
use layercake_executor::explain::reason::{Change, Kind, Lock, Reason};

use crate::terminal::paint::Paint;

/// The most that is shown of a value, in characters.
pub(super) const WIDTH: usize = 100;

/// How many digits of a digest it is known by.
const DIGITS: usize = 12;

/// A reason as a sentence without a full stop.
pub(super) fn said(reason: &Reason, paint: Paint) -> String {
    let name = paint.cyan(format!("`{}`", shortened(&reason.name)));
    let change = || values(reason.old.as_deref(), reason.new.as_deref(), paint);
    let from = reason.step.map(|step| format!(" of {step}")).unwrap_or_default();
    match reason.kind {
        Kind::FirstBuild => "never built: nothing is remembered of these inputs".to_owned(),
        Kind::NewStep => "never built: no earlier build had this step".to_owned(),
        Kind::NoCache => "the cache is not used (`--no-cache`)".to_owned(),
        Kind::FailedBefore => "nothing has changed, but it failed the last time".to_owned(),
        Kind::Unfinished => "nothing has changed, but the last build ended before it".to_owned(),
        Kind::Gone => "nothing has changed, but what came of it is no longer in the store".to_owned(),
        Kind::Base => base(reason, &name, paint),
        Kind::Platform => format!("platform: {}", change()),
        Kind::File | Kind::Heredoc => {
            let what = if reason.kind == Kind::Heredoc { "the heredoc " } else { "" };
            let what = format!("{what}{name}{from}");
            match reason.change {
                Some(Change::Added) => format!("{what} is new"),
                Some(Change::Removed) => format!("{what} is gone"),
                Some(Change::Content) | None => format!("{what} has changed: {}", change()),
                Some(Change::Mode) => format!("{what} has another mode: {}", change()),
                Some(Change::Owner) => format!("{what} has another owner: {}", change()),
                Some(Change::Attributes) => format!("{what} has other extended attributes"),
                Some(Change::Type) => format!("{what} is of another kind: {}", change()),
            }
        }
        Kind::Ignore => format!("{name} has changed: {}", change()),
        Kind::Argument => format!("argument {name}: {}", change()),
        Kind::Variable => format!("variable {name}: {}", change()),
        Kind::Command => format!("the command: {}", change()),
        Kind::Paths | Kind::Flag | Kind::Setting => format!("{name}: {}", change()),
        Kind::Way => format!("{name} in the tree below: {}", change()),
        Kind::Mount => format!("the mount at {name}: {}", change()),
        Kind::Source => format!("{}{name} brings something else: {}", locked(reason.lock), change()),
        Kind::Content => format!("what is taken of {name} has changed: {}", change()),
        Kind::Order => "the order of what it is made from".to_owned(),
        Kind::Step => reason.step.map(|step| of_step(reason, step)).unwrap_or_default(),
    }
}

/// A reason in a few words, for a column or a box of this many characters.
pub(in crate::command) fn short(reason: &Reason, width: usize) -> String {
    let name = |around: &str| {
        let room = width.saturating_sub(around.chars().count() + 2);
        format!("`{}`", ending(&reason.name, room))
    };
    let before = |words: &str| format!("{words} {}", name(&format!("{words} ")));
    let after = |words: &str| format!("{} {words}", name(&format!(" {words}")));
    let change = |words: &str| {
        let value = |value: Option<&String>| value.filter(|value| !value.is_empty()).cloned();
        let (old, new) = (value(reason.old.as_ref()), value(reason.new.as_ref()));
        let none = || "(none)".to_owned();
        let whole = format!(
            "{words}`{}` {} -> {}",
            reason.name,
            old.map_or_else(none, |old| value_of(&old)),
            new.map_or_else(none, |new| value_of(&new)),
        );
        let fits = whole.chars().count() <= width;
        if fits { whole } else { format!("{words}{}", after("has changed").trim_start()) }
    };
    let text = match reason.kind {
        Kind::FirstBuild | Kind::NewStep => "never built".to_owned(),
        Kind::NoCache => "`--no-cache`".to_owned(),
        Kind::FailedBefore => "it failed the last time".to_owned(),
        Kind::Unfinished => "not finished the last time".to_owned(),
        Kind::Gone => "no longer in the store".to_owned(),
        Kind::Base if reason.lock == Some(Lock::Renewed) => "the lock file was renewed".to_owned(),
        Kind::Base if is_renamed(reason) => "another base image".to_owned(),
        Kind::Base => "the base image has moved".to_owned(),
        Kind::Platform => "another platform".to_owned(),
        Kind::File | Kind::Heredoc => match reason.change {
            Some(Change::Added) => after("is new"),
            Some(Change::Removed) => after("is gone"),
            Some(Change::Content) | None => after("has changed"),
            Some(Change::Mode) => before("the mode of"),
            Some(Change::Owner) => before("the owner of"),
            Some(Change::Attributes) => before("attributes of"),
            Some(Change::Type) => before("the kind of"),
        },
        Kind::Argument => change("argument "),
        Kind::Variable => change("variable "),
        Kind::Command => "another command".to_owned(),
        Kind::Ignore | Kind::Paths | Kind::Flag | Kind::Setting | Kind::Content => after("has changed"),
        Kind::Way => after("in the tree below"),
        Kind::Mount => before("the mount at"),
        Kind::Source => "its source has changed".to_owned(),
        Kind::Order => "another order".to_owned(),
        Kind::Step => reason.step.map(|step| format!("because of {step}")).unwrap_or_default(),
    };
    ending_cut(&text, width)
}

/// Another image, or the same name of another one.
fn base(reason: &Reason, name: &str, paint: Paint) -> String {
    let (old, new) = (reason.old.as_deref().unwrap_or_default(), reason.new.as_deref().unwrap_or_default());
    if is_renamed(reason) {
        return format!("another base image: {}", values(Some(old), Some(new), paint));
    }
    let [old, new] = [old, new].map(digests_cut);
    match reason.lock {
        None if reason.name.contains("://") => format!("the image {name} is another: {old} {} {new}", paint.dim("->")),
        None => format!("the tag {name} has moved from {old} to {new}"),
        Some(Lock::Renewed) => format!("`layercake.lock` was renewed: it has {name} as {new} now, and had {old}"),
        Some(Lock::Added) => format!("`layercake.lock` holds {name} to {new}; without it, it was {old}"),
        Some(Lock::Dropped) => format!("no lock file holds {name} any more: it is {new} now, and was locked to {old}"),
    }
}

/// Whether it is another name. Those have their digests behind them.
fn is_renamed(reason: &Reason) -> bool {
    reason.old.as_deref().is_some_and(|old| old.contains('@'))
}

/// What the lock file has to do with it.
fn locked(lock: Option<Lock>) -> &'static str {
    match lock {
        None => "",
        Some(Lock::Renewed) => "`layercake.lock` was renewed: ",
        Some(Lock::Added) => "it is in `layercake.lock` now: ",
        Some(Lock::Dropped) => "no lock file holds it any more: ",
    }
}

/// That another step is the cause. Where that one was none itself, it is another one that is worked on.
fn of_step(reason: &Reason, step: StepId) -> String {
    match (&reason.old, &reason.new) {
        (Some(old), Some(new)) => {
            format!("it follows `{}` ({step}) now, and followed `{}` before", shortened(new), shortened(old))
        }
        _ => format!("because of {step}"),
    }
}

/// `old -> new`, or what is new or gone. Of long texts the part that differs.
fn values(old: Option<&str>, new: Option<&str>, paint: Paint) -> String {
    let (old, new) = (old.filter(|old| !old.is_empty()), new.filter(|new| !new.is_empty()));
    match (old, new) {
        (Some(old), Some(new)) => {
            let (old, new) = (digests_cut(old), digests_cut(new));
            let is_long = old.len().max(new.len()) > WIDTH;
            let skipped = if is_long { common(&old, &new) } else { 0 };
            let cut = |text: &str| {
                let mark = if skipped > 0 { "…" } else { "" };
                format!("{mark}{}", shortened(&text[skipped..]))
            };
            format!("{} {} {}", cut(&old), paint.dim("->"), cut(&new))
        }
        (None, Some(new)) => format!("(none) {} {}", paint.dim("->"), value_of(new)),
        (Some(old), None) => format!("{} {} (none)", value_of(old), paint.dim("->")),
        (None, None) => "(none)".to_owned(),
    }
}

/// The bytes that two texts have in common at their beginning, back to the beginning of a word.
fn common(old: &str, new: &str) -> usize {
    let same: usize = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    old[..same].rfind(char::is_whitespace).map_or(0, |place| place + 1)
}

/// A value on one line.
fn value_of(text: &str) -> String {
    shortened(&digests_cut(text))
}

/// A text with the first digits of every digest in it.
fn digests_cut(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(place) = rest.find("blake3:").or_else(|| rest.find("sha256:")) {
        let digits = place + "sha256:".len();
        let length = rest[digits..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let shown = if length == 64 { DIGITS } else { length };
        out.push_str(&rest[..digits + shown]);
        rest = &rest[digits + length..];
    }
    out + rest
}

/// A text on one line; what can be a control sequence is none.
pub(super) fn shortened(text: &str) -> String {
    ending_cut(&text.chars().flat_map(printed).take(WIDTH + 1).collect::<String>(), WIDTH)
}

/// The beginning of a text that is too long.
fn ending_cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The end of a path that is too long: it says more than the beginning.
fn ending(path: &str, width: usize) -> String {
    let path: String = path.chars().flat_map(printed).collect();
    let length = path.chars().count();
    if length <= width {
        return path;
    }
    ['…'].into_iter().chain(path.chars().skip(length + 1 - width.max(1))).collect()
}

fn printed(letter: char) -> impl Iterator<Item = char> {
    let escaped = letter.is_control().then(|| letter.escape_default());
    let plain = escaped.is_none().then_some(letter);
    escaped.into_iter().flatten().chain(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Reason {
        Reason { change: Some(Change::Content), ..Reason::of(Kind::File, name, None, None) }
    }

    #[test]
    fn few_words_fit_where_they_are_put() {
        let argument = |value: &str| Reason::of(Kind::Argument, "V", Some("1".to_owned()), Some(value.to_owned()));
        for (reason, expected) in [
            (file("src/main.c"), "`src/main.c` has changed"),
            (file("src/a/long/way/down/main.c"), "`…/way/down/main.c` has changed"),
            (argument("2"), "argument `V` 1 -> 2"),
            (argument("a long value, and more of it"), "argument `V` has changed"),
            (argument(""), "argument `V` 1 -> (none)"),
            (Reason::of(Kind::Flag, "--chown", None, Some("1".to_owned())), "`--chown` has changed"),
            (Reason::step(StepId(7)), "because of %7"),
        ] {
            assert_eq!(short(&reason, 31), expected);
            for width in 1..31 {
                assert!(short(&reason, width).chars().count() <= width, "{expected} in {width}");
            }
        }
    }

    #[test]
    fn of_digests_the_beginning_is_shown_and_of_long_texts_what_differs() {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        assert_eq!(digests_cut(&format!("a@{} b", digest("1"))), "a@sha256:111111111111 b");
        assert_eq!(digests_cut("sha256:12 blake3:"), "sha256:12 blake3:");
        let (old, new) = (format!("{} one", "word ".repeat(40)), format!("{} two", "word ".repeat(40)));
        assert_eq!(values(Some(&old), Some(&new), Paint::Plain), "…one -> …two");
        assert_eq!(values(None, Some("x\u{1b}[31m"), Paint::Plain), "(none) -> x\\u{1b}[31m");
    }

    #[test]
    fn a_tag_that_moves_and_a_lock_file_are_told_apart() {
        let said = |lock| {
            let (old, new) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
            said(&Reason { lock, ..Reason::of(Kind::Base, "debian:12", Some(old), Some(new)) }, Paint::Plain)
        };
        assert_eq!(said(None), "the tag `debian:12` has moved from sha256:aaaaaaaaaaaa to sha256:bbbbbbbbbbbb");
        let renewed =
            "`layercake.lock` was renewed: it has `debian:12` as sha256:bbbbbbbbbbbb now, and had sha256:aaaaaaaaaaaa";
        assert_eq!(said(Some(Lock::Renewed)), renewed);
        assert!(said(Some(Lock::Added)).starts_with("`layercake.lock` holds `debian:12` to sha256:b"));
        assert!(said(Some(Lock::Dropped)).starts_with("no lock file holds `debian:12` any more"));
    }
}
