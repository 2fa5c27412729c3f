//! Progress: the events of a build, as lines, as JSON, or redrawn in place.

mod live;
mod title;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{Joint, Plan, Step, StepId};
use layercake_executor::build::event::{Event, Finish};
use serde_json::json;

use super::output::{tell, tell_bytes};
use super::paint::Paint;
use crate::arguments::build;
use live::Live;
use title::titles;

/// Shows what happens during a build on standard error.
pub struct Progress<'a> {
    plan: &'a Plan,
    titles: Vec<String>,
    paint: Paint,
    show: Show,
}

/// How it is shown.
enum Show {
    Nothing,
    Plain(Mutex<Unfinished>),
    Json(Mutex<Unfinished>),
    Live(Live),
}

impl<'a> Progress<'a> {
    /// Shows the steps of `plans`, as they are done together.
    pub fn new(joint: &'a Joint, plans: &[Plan], kind: Option<build::Progress>, paint: Paint) -> Self {
        let terminal = std::io::stderr().is_terminal() && !crate::settings::is_colourless();
        let show = match kind {
            None => Show::Nothing,
            Some(build::Progress::Json) => Show::Json(Mutex::default()),
            Some(build::Progress::Tty) => Show::Live(Live::new(paint)),
            Some(build::Progress::Auto) if terminal => Show::Live(Live::new(paint)),
            Some(build::Progress::Auto | build::Progress::Plain) => Show::Plain(Mutex::default()),
        };
        Self { plan: &joint.plan, titles: titles(joint, plans), paint, show }
    }

    /// Takes an event.
    pub fn event(&self, event: Event<'_>) {
        match &self.show {
            Show::Nothing => (),
            Show::Json(pieces) => self.json(event, pieces),
            Show::Plain(lines) => self.plain(event, lines),
            Show::Live(live) => live.event(event, |step| (self.step(step), self.title(step))),
        }
    }

    fn step(&self, id: StepId) -> &Step {
        &self.plan.steps[id.index()]
    }

    fn plain(&self, event: Event<'_>, unfinished: &Mutex<Unfinished>) {
        match event {
            Event::Described { .. } => (),
            Event::Started { step } => tell(&format!("#{} {}\n", step.0, self.title(step))),
            Event::Output { step, bytes } => {
                let mut unfinished = unfinished.lock().expect("no thread panics while it holds this");
                let lines = whole_lines(unfinished.entry(step).or_default(), bytes);
                tell_bytes(&prefixed(step, &lines));
            }
            Event::Finished { step, how } => {
                let rest = unfinished.lock().expect("no thread panics while it holds this").remove(&step);
                if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
                    tell_bytes(&prefixed(step, &rest));
                }
                match how {
                    Finish::Cached if is_shown(self.step(step)) => {
                        tell(&format!("#{} {} {}\n", step.0, self.title(step), self.paint.green("cached")));
                    }
                    Finish::Cached => (),
                    Finish::Done(time) => {
                        tell(&format!("#{} {} {}\n", step.0, self.paint.green("done"), seconds(time)));
                    }
                    Finish::Failed(time) => {
                        tell(&format!("#{} {} after {}\n", step.0, self.paint.red("failed"), seconds(time)));
                    }
                }
            }
            Event::Transfer { action, what, size } => tell(&transfer(action, what, size)),
            Event::Note { text } => tell(&format!("{} {text}\n", self.paint.yellow("note:"))),
        }
    }

    fn json(&self, event: Event<'_>, pieces: &Mutex<Unfinished>) {
        let value = match event {
            Event::Described { .. } => return,
            Event::Started { step } => json!({"event": "started", "step": step, "name": self.title(step)}),
            Event::Output { step, bytes } => {
                let mut pieces = pieces.lock().expect("no thread panics while it holds this");
                let text = whole_characters(pieces.entry(step).or_default(), bytes);
                json!({"event": "output", "step": step, "text": text})
            }
            Event::Finished { step, how } => {
                let (how, time) = match how {
                    Finish::Cached => ("cached", Duration::ZERO),
                    Finish::Done(time) => ("done", time),
                    Finish::Failed(time) => ("failed", time),
                };
                json!({"event": "finished", "step": step, "how": how, "seconds": time.as_secs_f64()})
            }
            Event::Transfer { action, what, size } => {
                json!({"event": "transfer", "action": action, "what": what, "size": size})
            }
            Event::Note { text } => json!({"event": "note", "text": text}),
        };
        tell(&format!("{value}\n"));
    }

    /// The stage and the instruction.
    fn title(&self, step: StepId) -> &str {
        &self.titles[step.index()]
    }
}

/// Whether a step is worth a line when there was nothing to do.
fn is_shown(step: &Step) -> bool {
    matches!(step.operation, Operation::Run(_) | Operation::Copy(_) | Operation::MakeDir(_))
}

/// What commands have written of a line, or of a character, that is not at its end.
type Unfinished = HashMap<StepId, Vec<u8>>;

/// The longest line that is waited for, in bytes. A longer one is shown in pieces.
const LONGEST_LINE: usize = 64 << 10;

/// Adds `bytes` to what is `unfinished`, and takes out of it the lines that are done.
fn whole_lines(unfinished: &mut Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    unfinished.extend_from_slice(bytes);
    let end = match unfinished.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None if unfinished.len() > LONGEST_LINE => unfinished.len(),
        None => return Vec::new(),
    };
    let rest = unfinished.split_off(end);
    std::mem::replace(unfinished, rest)
}

/// Adds `bytes` to what is `unfinished`, and takes out of it what is text, and what can never become any.
fn whole_characters(unfinished: &mut Vec<u8>, bytes: &[u8]) -> String {
    unfinished.extend_from_slice(bytes);
    // At most three bytes wait for a fourth.
    let cut = (1..=3.min(unfinished.len())).map(|length| unfinished.len() - length).find(|start| {
        let end = &unfinished[*start..];
        std::str::from_utf8(end).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    });
    let rest = unfinished.split_off(cut.unwrap_or(unfinished.len()));
    String::from_utf8_lossy(&std::mem::replace(unfinished, rest)).into_owned()
}

/// The lines, each with the step's number before it. Of a line that a command wrote over, the last version counts, as it
/// would on a terminal. The bytes stay as they are.
fn prefixed(step: StepId, lines: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
        let line = &line[..end];
        let start = line.iter().rposition(|byte| *byte == b'\r').map_or(0, |last| last + 1);
        text.extend_from_slice(format!("#{} | ", step.0).as_bytes());
        text.extend_from_slice(&line[start..]);
        text.push(b'\n');
    }
    text
}

fn transfer(action: &str, what: &str, size: Option<u64>) -> String {
    match size {
        Some(size) => format!("{action} {what} ({})\n", super::table::size(size)),
        None => format!("{action} {what}\n"),
    }
}

/// A time for people: hundredths while they matter.
fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        format!("{:.0} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_when_they_are_done_or_long() {
        let mut unfinished = Vec::new();
        assert_eq!(whole_lines(&mut unfinished, b"a"), b"");
        assert_eq!(whole_lines(&mut unfinished, b"b\nc\nd"), b"ab\nc\n");
        assert_eq!(unfinished, b"d");
        let long = vec![b'x'; LONGEST_LINE];
        assert_eq!(whole_lines(&mut unfinished, &long).len(), LONGEST_LINE + 1);
        assert!(unfinished.is_empty());
    }

    #[test]
    fn bytes_stay_and_what_was_written_over_goes() {
        let shown = prefixed(StepId(7), b"10%\r20%\r100%\r\n\xff\xfe\n\nend");
        assert_eq!(shown, b"#7 | 100%\n#7 | \xff\xfe\n#7 | \n#7 | end\n");
    }

    #[test]
    fn characters_are_not_torn() {
        let text = "aé€😀\u{7f}";
        for cut in 0..=text.len() {
            let mut unfinished = Vec::new();
            let (first, second) = text.as_bytes().split_at(cut);
            let shown = whole_characters(&mut unfinished, first) + &whole_characters(&mut unfinished, second);
            assert_eq!(shown, text, "{cut}");
        }
        let mut unfinished = Vec::new();
        assert_eq!(whole_characters(&mut unfinished, b"\xff\xffx"), "\u{fffd}\u{fffd}x");
        assert_eq!(whole_characters(&mut unfinished, b"\xe2\x82"), "");
        assert_eq!(whole_characters(&mut unfinished, b"x"), "\u{fffd}x");
    }
}
