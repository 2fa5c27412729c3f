//! `build --call`: questions about a Dockerfile, answered in BuildKit's JSON or in docker's columns.

use std::fmt::Write;

use super::check;
use super::inputs::{Fetching, Inputs, Resolver, project};
use crate::arguments::build::CheckFormat;
use crate::arguments::inputs as arguments;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::paint::Paint;
use crate::terminal::{output, table};
use layercake_compiler::subrequest::{Argument, Credential, Outline, OutlineOutcome, Targets, outline, targets};

/// Answers a question: `check`, `targets` or `outline`, with `,format=json` or `,format=text`.
///
/// # Errors
/// If there is no such question, or the Dockerfile is wrong.
pub fn run(question: &str, arguments: &arguments::Inputs, paint: Paint) -> Result<(), Failure> {
    let (question, option) = question.split_once(',').map_or((question, None), |(name, option)| (name, Some(option)));
    let is_json = match option {
        None | Some("format=text") => false,
        Some("format=json") => true,
        Some(option) => {
            return Err(Failure::input(format!("`{option}` of `--call` means nothing"))
                .help("write `format=json` or `format=text`"));
        }
    };
    match question.strip_prefix("subrequests.").unwrap_or(question) {
        "check" | "lint" => {
            let format = if is_json { CheckFormat::Json } else { CheckFormat::Text };
            check::answer(arguments, format, paint)
        }
        "targets" => {
            let settings = Settings::read(project(arguments))?;
            let inputs = Inputs::read(arguments, &Fetching::new(&settings, paint))?;
            let targets = targets(&inputs.parsed).map_err(|diagnostics| inputs.refused(&diagnostics, paint))?;
            if is_json { output::json(&targets) } else { output::result(&targets_table(&targets)) }
        }
        "outline" => {
            let outline = ask_outline(arguments, paint)?;
            if is_json { output::json(&outline) } else { output::result(&outline_tables(&outline)) }
        }
        other => Err(Failure::input(format!("there is no question `{other}` to `--call`"))
            .help("ask for `check`, `targets` or `outline`")),
    }
}

fn ask_outline(arguments: &arguments::Inputs, paint: Paint) -> Result<Outline, Failure> {
    let settings = Settings::read(project(arguments))?;
    let inputs = Inputs::read(arguments, &Fetching::new(&settings, paint))?;
    let resolver = Resolver::open(arguments, &settings)?;
    let answer =
        inputs.until_done(&resolver, paint, |bases| match outline(&inputs.parsed, &inputs.request, bases) {
            Ok(OutlineOutcome::NeedsBases(requests)) => Err(requests),
            Ok(OutlineOutcome::Outline(outline)) => Ok(Ok(outline)),
            Err(diagnostics) => Ok(Err(diagnostics)),
        })?;
    answer.map_err(|diagnostics| inputs.refused(&diagnostics, paint))
}

fn targets_table(targets: &Targets) -> String {
    let mut rows = vec![["TARGET", "DESCRIPTION"].map(str::to_owned).to_vec()];
    for target in &targets.targets {
        let name = match (target.name.as_str(), target.default) {
            ("", true) => "(default)".to_owned(),
            ("", false) => continue,
            (name, true) => format!("{name} (default)"),
            (name, false) => name.to_owned(),
        };
        rows.push(vec![name, target.description.clone()]);
    }
    table::render(&rows)
}

fn outline_tables(outline: &Outline) -> String {
    let mut text = String::new();
    if !outline.name.is_empty() {
        let _ = writeln!(text, "TARGET:      {}", outline.name);
    }
    if !outline.description.is_empty() {
        let _ = writeln!(text, "DESCRIPTION: {}", outline.description);
    }
    let argument =
        |argument: &Argument| vec![argument.name.clone(), argument.value.clone(), argument.description.clone()];
    let credential = |used: &Credential| vec![used.name.clone(), if used.required { "true" } else { "" }.to_owned()];
    let lists = [
        (vec!["BUILD ARG", "VALUE", "DESCRIPTION"], outline.args.iter().map(argument).collect::<Vec<_>>()),
        (vec!["SECRET", "REQUIRED"], outline.secrets.iter().map(credential).collect()),
        (vec!["SSH", "REQUIRED"], outline.ssh.iter().map(credential).collect()),
    ];
    for (headings, rows) in lists.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        let headings = headings.into_iter().map(str::to_owned).collect();
        text.push('\n');
        text.push_str(&table::render(&[vec![headings], rows].concat()));
    }
    text.trim_start().to_owned()
}
