//! Named contexts that stand for stages: they must not stand for each other.

use crate::diagnostic::{Code, Diagnostic};
use crate::request::{NamedContext, Request};

use super::stage::StageSyntax;

/// Checks that no named context leads back to itself by way of others. A name that a stage has is that stage.
pub(super) fn check(stages: &[StageSyntax<'_>], request: &Request, findings: &mut Vec<Diagnostic>) -> Option<()> {
    let is_stage = |name: &str| {
        let mut named = stages.iter().filter_map(|stage| stage.from.name.as_ref());
        named.any(|stage| stage.name.eq_ignore_ascii_case(name))
    };
    let next = |name: &String| match request.named_contexts.get(name) {
        Some(NamedContext::Stage(next)) if !is_stage(next) => Some(next.to_ascii_lowercase()),
        _ => None,
    };
    for start in request.named_contexts.keys() {
        let mut way = vec![start.clone()];
        while let Some(to) = next(way.last().expect("it has a start")) {
            let is_seen = way.contains(&to);
            way.push(to);
            if is_seen {
                break;
            }
        }
        if way.len() > 1 && way.last() == Some(start) {
            let names: Vec<String> = way.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("the build contexts lead in a circle: {}", names.join(" -> "));
            let error = Diagnostic::about_request(Code::CircularDependency, message);
            findings.push(error.help("name a stage of the Dockerfile, a folder or an image with `--build-context`"));
            return None;
        }
    }
    Some(())
}
