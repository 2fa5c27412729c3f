//! An explanation for people: what changed first, with what follows from it below; what was there in one line.

use std::collections::BTreeSet;
use std::fmt::Write;

use layercake_compiler::plan::StepId;
use layercake_executor::explain::explanation::{Explained, State};
use layercake_executor::explain::history::Op;
use layercake_executor::explain::reason::{Kind, Reason};

use super::advice;
use super::words::{said, shortened};
use crate::terminal::paint::Paint;

/// Files that are listed for one step; `--format json` has them all.
const FILES: usize = 12;

/// Steps that are listed by their numbers where there is nothing else to say of them.
const IDS: usize = 16;

/// Whether a build was, or is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum Tense {
    /// It was.
    Past,
    /// It is still to come.
    Future,
}

/// A whole build; in one line if all of it was in the store.
pub(super) fn whole(steps: &[&Explained], paint: Paint) -> String {
    if steps.iter().all(|explained| explained.state == State::Hit) {
        return format!("{} all {} steps\n", paint.green("hit"), steps.len());
    }
    let of = |wanted: State| steps.iter().filter(move |explained| explained.state == wanted).copied();
    let (done, failed) = (of(State::Miss).filter(|miss| miss.step.op != Op::Image).count(), of(State::Failed).count());
    let mut counts = vec![format!("{} done", counted(done)), format!("{} in the store", of(State::Hit).count())];
    if failed > 0 {
        counts.insert(1, format!("{failed} failed"));
    }
    let mut text = format!("{}\n\n{}", counts.join(", "), misses(steps, Tense::Past, paint));
    for (state, word, end) in
        [(State::Hit, paint.green("hit "), ""), (State::Unreached, paint.dim("-   "), " not reached")]
    {
        let ids: Vec<String> = of(state).map(|explained| explained.step.id.to_string()).collect();
        match ids.len() {
            0 => (),
            1..=IDS => _ = writeln!(text, "{word} {}{end}", ids.join(" ")),
            more => _ = writeln!(text, "{word} {more} steps{end}"),
        }
    }
    for help in advice::of(steps) {
        let _ = writeln!(text, "{} {help}", paint.cyan("help:"));
    }
    text
}

/// Steps that were asked for, one by one.
pub(super) fn chosen(steps: &[&Explained], paint: Paint) -> String {
    let mut text = String::new();
    for explained in steps {
        let _ = writeln!(text, "{} {}", word(explained, paint), line(explained, paint));
        text.push_str(&reasons(&explained.reasons.iter().collect::<Vec<_>>(), "     ", paint));
    }
    text
}

/// The steps that are no hits: those that changed by themselves, and below each what follows from it.
pub(in crate::command) fn misses(steps: &[&Explained], tense: Tense, paint: Paint) -> String {
    let is_told = |explained: &&&Explained| !explained.reasons.is_empty();
    let missed: Vec<&Explained> = steps.iter().filter(is_told).copied().collect();
    let ids: BTreeSet<StepId> = missed.iter().map(|explained| explained.step.id).collect();
    let own: BTreeSet<StepId> =
        missed.iter().filter(|explained| has_own(explained, &ids)).map(|explained| explained.step.id).collect();
    let follows = |explained: &Explained| follows(explained, &own);
    let causes: Vec<&Explained> = missed.iter().filter(|explained| follows(explained).is_none()).copied().collect();
    let mut text = String::new();
    for (place, cause) in causes.iter().enumerate() {
        let following: Vec<&Explained> =
            missed.iter().filter(|explained| follows(explained) == Some(cause.step.id)).copied().collect();
        let _ = writeln!(text, "{} {}", word(cause, paint), line(cause, paint));
        // What is the same of the next one is said once.
        let next = causes.get(place + 1).filter(|_| following.is_empty() && cause.reasons.len() == 1);
        if next.is_some_and(|next| next.reasons == cause.reasons) {
            continue;
        }
        text.push_str(&reasons(&cause.reasons.iter().collect::<Vec<_>>(), "     ", paint));
        if !following.is_empty() {
            let below = if tense == Tense::Past { "so these were done again:" } else { "so these are done again:" };
            let _ = writeln!(text, "     {}", paint.dim(below));
        }
        for explained in following {
            let failed =
                if explained.state == State::Failed { format!("{} ", paint.red("fail")) } else { String::new() };
            let _ = writeln!(text, "       {failed}{}", line(explained, paint));
            // What the headline says is not said again.
            let is_new = |reason: &&Reason| reason.step != Some(cause.step.id) || is_of_file(reason);
            let further: Vec<&Reason> = explained.reasons.iter().filter(is_new).collect();
            text.push_str(&reasons(&further, "         ", paint));
        }
    }
    text
}

/// Whether a step has a reason that is none of the others.
fn has_own(explained: &Explained, missed: &BTreeSet<StepId>) -> bool {
    explained.reasons.iter().any(|reason| reason.step.is_none_or(|step| !missed.contains(&step)))
}

/// The step that a step without a reason of its own follows from: the first that it names of those that have one.
fn follows(explained: &Explained, own: &BTreeSet<StepId>) -> Option<StepId> {
    let named = explained.reasons.iter().filter_map(|reason| reason.step).find(|step| own.contains(step));
    named.filter(|_| !own.contains(&explained.step.id))
}

fn is_of_file(reason: &Reason) -> bool {
    matches!(reason.kind, Kind::File | Kind::Heredoc | Kind::Content)
}

fn word(explained: &Explained, paint: Paint) -> String {
    match explained.state {
        State::Hit => paint.green("hit "),
        // Nothing is done for an image.
        State::Miss if explained.step.op == Op::Image => paint.yellow("base"),
        State::Miss => paint.yellow("miss"),
        State::Failed => paint.red("fail"),
        State::Unreached => paint.dim("-   "),
    }
}

/// A step: its number, its line, its stage and what it does.
fn line(explained: &Explained, paint: Paint) -> String {
    let step = &explained.step;
    let is_named = !step.stage.bytes().all(|byte| byte.is_ascii_digit());
    let stage = if is_named { format!("[{}] ", step.stage) } else { String::new() };
    let line = if step.line == 0 { String::new() } else { format!("line {}", step.line) };
    format!("{:<4} {}  {stage}{}", step.id.to_string(), paint.dim(format!("{line:<8}")), shortened(&step.name))
}

/// A line for each reason.
fn reasons(reasons: &[&Reason], margin: &str, paint: Paint) -> String {
    let mut text = String::new();
    let files = reasons.iter().filter(|reason| reason.change.is_some()).count();
    let mut shown = 0;
    // What a step has changed itself comes before what it has from others.
    let (own, others): (Vec<&Reason>, Vec<&Reason>) = reasons.iter().partition(|reason| reason.step.is_none());
    for reason in own.into_iter().chain(others) {
        shown += usize::from(reason.change.is_some());
        if reason.change.is_none() || shown <= FILES {
            let _ = writeln!(text, "{margin}{}", said(reason, paint));
        }
    }
    if files > FILES {
        let _ = writeln!(text, "{margin}{}", paint.dim(format!("and {} more files", files - FILES)));
    }
    text
}

fn counted(steps: usize) -> String {
    if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") }
}
