//! What can be told of whole builds without running them: configs, histories, and errors in the text.

use layercake_compiler::ignore::Ignore;
use layercake_compiler::oci::ContainerConfig;
use layercake_compiler::{BaseImage, Bases, Compilation, Diagnostic, NamedContext, Outcome, Request, compile, parse};
use serde_json::Value;

use crate::Verdict;
use crate::cases::{self, Case};
use crate::compile::{compare_error, compare_image, messages};

/// Judges a build; `None` if its failure lies in what is not there at compile time.
pub(crate) fn judge(case: &Case) -> Option<Verdict> {
    let expected = &case.value["expect"];
    let mut verdict = Verdict::default();
    let error = expected["error_contains"].as_str().unwrap_or_default();
    match (expected["error_class"].as_str(), compiled(case)) {
        (None, Ok(compilation)) => compare_image(&mut verdict, &compilation, expected),
        (None, Err(found)) => verdict.problems.push(format!("fails: {}", messages(&found))),
        // Secrets that were not given are found missing when they are asked for.
        (Some("build"), Ok(_)) if error.starts_with("secret ") || has_invalid_ignore(case) => return None,
        (Some("parse" | "build"), Ok(_)) => verdict.problems.push(format!("compiles, expected the error: {error}")),
        (Some("parse" | "build"), Err(found)) => compare_error(&mut verdict, case, &found, error, expected),
        (Some(_), Ok(_)) => return None,
        (Some(class), Err(found)) => verdict.problems.push(format!("fails as no {class}: {}", messages(&found))),
    }
    Some(verdict)
}

fn compiled(case: &Case) -> Result<Box<Compilation>, Vec<Diagnostic>> {
    let (parsed, request, mut bases) = (parse(&case.text), request(case), Bases::new());
    loop {
        match compile(&parsed, &request, &bases)? {
            Outcome::Compiled(compilation) => return Ok(compilation),
            Outcome::NeedsBases(requests) => {
                for request in &requests {
                    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
                    let config = ContainerConfig { env: vec![path], cmd: vec!["sh".to_owned()], ..Default::default() };
                    let platform = request.platform.clone();
                    bases.insert(request, BaseImage { digest: None, platform, config, author: None });
                }
            }
        }
    }
}

fn request(case: &Case) -> Request {
    let mut request = cases::request(case);
    let empty = serde_json::Map::new();
    let labels = case.value.get("labels").and_then(Value::as_object).unwrap_or(&empty);
    request.labels =
        labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
    for (name, context) in case.value.get("named_contexts").and_then(Value::as_object).unwrap_or(&empty) {
        let meaning = match context.get("image").and_then(Value::as_str) {
            Some(image) => NamedContext::Image(image.to_owned()),
            None => NamedContext::Folder,
        };
        request.named_contexts.insert(name.clone(), meaning);
    }
    request
}

fn has_invalid_ignore(case: &Case) -> bool {
    let files = case.value["context"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ignore = files.iter().filter(|file| file["path"].as_str().is_some_and(|path| path.ends_with(".dockerignore")));
    ignore.filter_map(|file| file["content"].as_str()).any(|text| Ignore::parse(text).is_err())
}
