//! What must hold for every file that is mended.

use layercake_compiler::plan::Plan;
use layercake_compiler::{
    BaseRequest, Bases, Checked, Code, Diagnostic, Edit, Outcome, Request, Severity, apply, check, compile, fix, parse,
};

/// How a caller answers for base images.
pub(crate) type Supply = fn(&mut Bases, &[BaseRequest]);

/// A file that was mended as `check --fix` does.
pub(crate) struct Mended {
    pub(crate) text: String,
    pub(crate) edits: Vec<Edit>,
}

pub(crate) fn mended(text: &str, request: &Request, supply: Supply) -> Mended {
    let edits = fix(&parse(text), &checked(text, request, supply));
    Mended { text: apply(text, &edits), edits }
}

/// What is wrong with how a file is mended: the image is another, a rule that was mended still fires, or there is more to
/// mend.
pub(crate) fn broken(text: &str, request: &Request, supply: Supply) -> Vec<String> {
    let before = checked(text, request, supply);
    if before.iter().any(|finding| finding.severity == Severity::Error) {
        return Vec::new();
    }
    let first = mended(text, request, supply);
    let after = checked(&first.text, request, supply);
    let mut problems = Vec::new();
    let mut targets: Vec<Option<String>> = vec![request.target.clone()];
    targets.extend(
        layercake_compiler::subrequest::targets(&parse(text))
            .into_iter()
            .flat_map(|all| all.targets)
            .map(|t| Some(t.name)),
    );
    for target in targets {
        let request = Request { target: target.filter(|name| !name.is_empty()), ..request.clone() };
        let (old, new) = (planned(text, &request, supply), planned(&first.text, &request, supply));
        // A file whose warnings are errors may build now.
        if old.is_some() && old != new {
            problems.push(format!("the plan is another: {old:?}\n    {new:?}"));
        }
    }
    let again = mended(&first.text, request, supply);
    if again.text != first.text {
        problems.push(format!("a second time changes more: {:?}", again.edits));
    }
    let count =
        |findings: &[Diagnostic], rule| findings.iter().filter(|finding| finding.code == Code::Rule(rule)).count();
    for edit in &first.edits {
        // What could not be mended stays, but nothing new comes.
        if count(&after, edit.rule) > count(&before, edit.rule) {
            problems.push(format!("{} fires more often", edit.rule));
        }
    }
    if !first.edits.is_empty() && after.len() >= before.len() {
        problems.push(format!("nothing is mended by {:?}", first.edits));
    }
    problems
}

fn checked(text: &str, request: &Request, supply: Supply) -> Vec<Diagnostic> {
    let (parsed, mut bases) = (parse(text), Bases::new());
    loop {
        match check(&parsed, request, &bases) {
            Checked::Findings(findings) => return findings,
            Checked::NeedsBases(requests) => supply(&mut bases, &requests),
        }
    }
}

/// The plan, without what shows how an instruction is written: names for people, lines, and the texts of the history.
fn planned(text: &str, request: &Request, supply: Supply) -> Option<Plan> {
    let (parsed, mut bases) = (parse(text), Bases::new());
    let mut plan = loop {
        match compile(&parsed, request, &bases).ok()? {
            Outcome::Compiled(compilation) => break compilation.plan,
            Outcome::NeedsBases(requests) => supply(&mut bases, &requests),
        }
    };
    for step in &mut plan.steps {
        step.origin.name.clear();
        step.origin.line = 0;
    }
    for entry in &mut plan.image.history {
        entry.entry.created_by = entry.entry.created_by.to_lowercase().replace('"', "");
    }
    Some(plan)
}
