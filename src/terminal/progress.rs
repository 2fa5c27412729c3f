//! Progress: the events of a build, as lines, as JSON, or redrawn in place.

mod live;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{Plan, Step, StepId};
use layercake_executor::build::event::{Event, Finish};
use serde_json::json;

use super::output::tell;
use super::paint::Paint;
use crate::arguments::build;
use live::Live;

/// Shows what happens during a build on standard error.
pub struct Progress<'a> {
    plan: &'a Plan,
    paint: Paint,
    show: Show,
}

/// How it is shown.
enum Show {
    Nothing,
    Plain(Mutex<HashMap<StepId, Vec<u8>>>),
    Json,
    Live(Live),
}

impl<'a> Progress<'a> {
    /// Shows the steps of `plan`.
    pub fn new(plan: &'a Plan, kind: Option<build::Progress>, paint: Paint) -> Self {
        let terminal = std::io::stderr().is_terminal() && !crate::settings::is_colourless();
        let show = match kind {
            None => Show::Nothing,
            Some(build::Progress::Json) => Show::Json,
            Some(build::Progress::Tty) => Show::Live(Live::new(paint)),
            Some(build::Progress::Auto) if terminal => Show::Live(Live::new(paint)),
            Some(build::Progress::Auto | build::Progress::Plain) => Show::Plain(Mutex::default()),
        };
        Self { plan, paint, show }
    }

    /// Takes an event.
    pub fn event(&self, event: Event<'_>) {
        match &self.show {
            Show::Nothing => (),
            Show::Json => self.json(event),
            Show::Plain(lines) => self.plain(event, lines),
            Show::Live(live) => live.event(event, |step| self.step(step)),
        }
    }

    fn step(&self, id: StepId) -> &Step {
        &self.plan.steps[id.index()]
    }

    fn plain(&self, event: Event<'_>, unfinished: &Mutex<HashMap<StepId, Vec<u8>>>) {
        match event {
            Event::Started { step } => tell(&format!("#{} {}\n", step.0, self.title(step))),
            Event::Output { step, bytes } => {
                let mut unfinished = unfinished.lock().expect("no thread panics while it holds this");
                let line = unfinished.entry(step).or_default();
                line.extend_from_slice(bytes);
                if let Some(end) = line.iter().rposition(|byte| *byte == b'\n') {
                    let rest = line.split_off(end + 1);
                    let text = prefixed(step, &std::mem::replace(line, rest));
                    tell(&text);
                }
            }
            Event::Finished { step, how } => {
                let rest = unfinished.lock().expect("no thread panics while it holds this").remove(&step);
                if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
                    tell(&prefixed(step, &rest));
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

    fn json(&self, event: Event<'_>) {
        let value = match event {
            Event::Started { step } => json!({"event": "started", "step": step, "name": self.title(step)}),
            Event::Output { step, bytes } => {
                json!({"event": "output", "step": step, "text": String::from_utf8_lossy(bytes)})
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
    fn title(&self, step: StepId) -> String {
        title(self.step(step))
    }
}

/// The instruction, and the stage where it has a name.
fn title(step: &Step) -> String {
    let stage = step.origin.stage.as_str();
    if stage.bytes().all(|byte| byte.is_ascii_digit()) {
        step.origin.name.clone()
    } else {
        format!("[{stage}] {}", step.origin.name)
    }
}

/// Whether a step is worth a line when there was nothing to do.
fn is_shown(step: &Step) -> bool {
    matches!(step.operation, Operation::Run(_) | Operation::Copy(_) | Operation::MakeDir(_))
}

fn prefixed(step: StepId, lines: &[u8]) -> String {
    String::from_utf8_lossy(lines)
        .lines()
        .map(|line| format!("#{} | {}\n", step.0, line.trim_end_matches('\r')))
        .collect()
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
