//! Drawings of plans: every plan has one in each language, and it is sound.

use crate::cases::{self, Case};
use crate::compile::compiled_for;
use crate::picture::tangled;

pub(crate) fn judge(case: &Case) -> Vec<String> {
    // A file that does not compile is judged elsewhere.
    let Ok(compilation) = compiled_for(case, &cases::request(case)) else { return Vec::new() };
    let plan = compilation.plan;
    let (svg, html) = (plan.to_svg(None), plan.to_html(None));
    let mut problems = Vec::new();
    if let Err(problem) = balanced(&svg) {
        problems.push(format!("the picture: {problem}"));
    }
    problems.extend(tangled(&svg));
    for step in &plan.steps {
        let (drawn, listed) = (format!("data-step=\"{}\"", step.id.0), format!("<tr id=\"step-{}\"", step.id.0));
        if !svg.contains(&drawn) || !html.contains(&drawn) || !html.contains(&listed) {
            problems.push(format!("step {} is not drawn", step.id.0));
        }
    }
    for (language, text) in [("DOT", plan.to_dot(None)), ("Mermaid", plan.to_mermaid(None))] {
        // Each step stands on a line of its own, whatever is in its name.
        let steps = text.lines().filter(|line| line.starts_with("    s") && line.trim_end().ends_with([';', ']', ')']));
        if steps.count() != plan.steps.len() {
            problems.push(format!("{language} does not have each step once"));
        }
    }
    problems
}

/// Whether every element that begins ends where it should.
fn balanced(xml: &str) -> Result<(), String> {
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').ok_or_else(|| format!("`<{tag}` has no end"))?;
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) if open.pop() != Some(name) => return Err(format!("`</{name}>` ends nothing")),
            (true, _) | (_, true) => {}
            _ => open.push(name),
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} have no end")) }
}
