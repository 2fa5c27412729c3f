//! What a person sees of a run, whole, with everything left out that differs from one run to the next; held to a snapshot.

use super::home::Home;
use super::ran::Ran;

/// Compares what a person sees of a run with `snapshots/FOLDER/NAME.snap`.
#[track_caller]
pub(crate) fn assert_transcript(folder: &str, name: &str, home: &Home, ran: &Ran) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(format!("{}/snapshots/{folder}", env!("CARGO_MANIFEST_DIR")));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, transcript(home, ran)));
}

fn transcript(home: &Home, ran: &Ran) -> String {
    let Ran { arguments, stderr, stdout, .. } = ran;
    let output = if stdout.is_empty() { String::new() } else { format!("--- standard output\n{stdout}") };
    let end = ran.status.map_or_else(|| "ended by a signal".to_owned(), |status| format!("status {status}"));
    let text = format!("$ layercake {arguments}\n{stderr}{output}--- {end}\n");
    redacted(&text.replace(home.path("").to_str().unwrap(), "[home]/"))
}

/// The text without digests, ports, times and names of unfinished work.
fn redacted(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let hex = run_of(rest, |c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
        let number = run_of(rest, |c| c.is_ascii_digit() || c == '.');
        let (word, taken) = if hex == 64 {
            ("[digest]", hex)
        } else if result.ends_with("127.0.0.1:") && number > 0 {
            ("[port]", number)
        } else if number > 0 && rest[number..].starts_with(" s\n") {
            ("[time]", number)
        } else if result.ends_with("/store/tmp/") {
            ("[unfinished]", run_of(rest, |c| c.is_ascii_digit() || matches!(c, '-' | '/')))
        } else {
            let whole = run_of(rest, char::is_alphanumeric).max(1);
            let whole = (whole..).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
            (&rest[..whole], whole)
        };
        result.push_str(word);
        rest = &rest[taken..];
    }
    result
}

/// The length in bytes of what the text begins with.
fn run_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}
