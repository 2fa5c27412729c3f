//! Progress on a terminal: what is done scrolls up, what is under way stays below and is redrawn in place.

use std::fmt::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use layercake_compiler::plan::{Step, StepId};
use layercake_executor::build::event::{Event, Finish};

use super::super::output::tell;
use super::super::paint::Paint;
use super::{is_shown, seconds, transfer};

/// Redrawing more often than this only costs time.
const PAUSE: Duration = Duration::from_millis(60);

/// How much of a step's output is kept to be shown if it fails.
const TAIL: usize = 16 << 10;

/// The part of the terminal that is redrawn.
pub(super) struct Live {
    paint: Paint,
    state: Mutex<State>,
}

struct State {
    running: Vec<Running>,
    drawn_lines: usize,
    drawn_at: Instant,
}

struct Running {
    step: StepId,
    title: String,
    since: Instant,
    output: Vec<u8>,
}

impl Live {
    pub(super) fn new(paint: Paint) -> Self {
        Self { paint, state: Mutex::new(State { running: Vec::new(), drawn_lines: 0, drawn_at: Instant::now() }) }
    }

    pub(super) fn event<'a>(&self, event: Event<'_>, of: impl Fn(StepId) -> (&'a Step, &'a str)) {
        let mut state = self.state.lock().expect("no thread panics while it holds this");
        let state = &mut *state;
        match event {
            Event::Described { .. } => (),
            Event::Started { step } => {
                state.running.push(Running {
                    step,
                    title: of(step).1.to_owned(),
                    since: Instant::now(),
                    output: Vec::new(),
                });
                self.redraw(state, "");
            }
            Event::Output { step, bytes } => {
                if let Some(running) = state.running.iter_mut().find(|running| running.step == step) {
                    running.output.extend_from_slice(bytes);
                    let excess = running.output.len().saturating_sub(TAIL);
                    running.output.drain(..excess);
                }
                if state.drawn_at.elapsed() > PAUSE {
                    self.redraw(state, "");
                }
            }
            Event::Finished { step, how } => {
                let place = state.running.iter().position(|running| running.step == step);
                let running = place.map(|place| state.running.remove(place));
                let (step, title) = of(step);
                let above = match how {
                    Finish::Cached if is_shown(step) => format!("{} {title}\n", self.paint.dim("cached")),
                    Finish::Cached => String::new(),
                    Finish::Done(time) => {
                        format!("{} {title} {}\n", self.paint.green("  done"), self.paint.dim(seconds(time)))
                    }
                    Finish::Failed(time) => {
                        let output = running.map(|running| String::from_utf8_lossy(&running.output).into_owned());
                        format!(
                            "{} {title} {}\n{}",
                            self.paint.red("failed"),
                            seconds(time),
                            output.unwrap_or_default()
                        )
                    }
                };
                self.redraw(state, &above);
            }
            Event::Transfer { action, what, size } => self.redraw(state, &self.paint.dim(transfer(action, what, size))),
            Event::Note { text } => self.redraw(state, &format!("{} {text}\n", self.paint.yellow("note:"))),
        }
    }

    /// Replaces what was drawn by `above`, which then scrolls up, and what is under way.
    fn redraw(&self, state: &mut State, above: &str) {
        let width =
            rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| usize::from(size.ws_col).max(20));
        let mut text = String::new();
        if state.drawn_lines > 0 {
            // To the first drawn line, and clear from there on.
            let _ = write!(text, "\x1b[{}A\x1b[J", state.drawn_lines);
        }
        text.push_str(above);
        for running in &state.running {
            let line = format!("     → {} {}", running.title, seconds(running.since.elapsed()));
            text.push_str(&self.paint.cyan(fit(&line, width)));
            text.push('\n');
            text.push_str(&self.paint.dim(fit(&format!("       {}", last_line(&running.output)), width)));
            text.push('\n');
        }
        state.drawn_lines = state.running.len() * 2;
        state.drawn_at = Instant::now();
        tell(&text);
    }
}

/// The last line that says something, without what would move the cursor.
fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.split(['\n', '\r']).rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.chars().filter(|letter| !letter.is_control()).collect()
}

fn fit(line: &str, width: usize) -> String {
    line.chars().take(width - 1).collect()
}
