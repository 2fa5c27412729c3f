//! What stands where: the s-expressions of BuildKit's parser, and the structure it finds.

use layercake_compiler::ast::{Arguments, Body, Command, DirectiveName, Escape, Heredoc, Instruction, PairForm, Word};
use layercake_compiler::{Code, Diagnostic, Parsed, Severity, go, lint, parse};
use serde_json::{Map, Value, json};

use crate::Problems;
use crate::cases::Case;

pub(crate) fn judge(case: &Case) -> Problems {
    match case.str("kind") {
        Some("json_array") => json_array(case),
        Some("words") => words(case),
        Some("heredoc_word") => heredoc_word(case),
        _ => judge_file(case, &case.value),
    }
}

/// Arrays are read through the instruction that takes them.
fn json_array(case: &Case) -> Problems {
    let parsed = parse(&format!("CMD {}\n", case.text));
    let arguments = parsed.ast.instructions.first().map(|instruction| &instruction.arguments);
    let found = match arguments {
        Some(Arguments::Array(words)) => Some(texts(words)),
        _ => None,
    };
    let expected: Option<Vec<String>> = case.value.get("expected").map(strings);
    if found == expected { vec![] } else { vec![format!("{found:?}, expected {expected:?}")] }
}

fn words(case: &Case) -> Problems {
    let parsed = parse(&format!("ARG {}\n", case.text));
    let found = match parsed.ast.instructions.first().map(|instruction| &instruction.arguments) {
        Some(Arguments::Words(words)) => texts(words),
        _ => vec![],
    };
    let expected = strings(&case.value["expected"]);
    if found == expected { vec![] } else { vec![format!("{found:?}, expected {expected:?}")] }
}

/// A word that stands for a heredoc names a file that `COPY` makes.
fn heredoc_word(case: &Case) -> Problems {
    let parsed = parse(&format!("COPY {}\n", json!([case.text, "/"])));
    let found = match parsed.ast.instructions.first().and_then(|instruction| instruction.command.as_ref()) {
        Some(Command::Copy(copy)) => copy.sources.inline.first().map(|inline| inline.name.as_str()),
        _ => None,
    };
    let expected = case.str("heredoc_name");
    if found == expected { vec![] } else { vec![format!("{found:?}, expected {expected:?}")] }
}

/// A whole file.
pub(crate) fn judge_file(case: &Case, expected: &Value) -> Problems {
    let parsed = parse(&case.text);
    let mut problems = Problems::new();
    let error = expected.get("expect_error").or_else(|| expected.get("error")).and_then(Value::as_str);
    if let Some(error) = error {
        if !has_errors(&parsed) {
            problems.push(format!("parsed, expected the error: {error}"));
        }
        return problems;
    }
    let mut compare = |what: &str, found: Value, expected: &Value| {
        if found != *expected {
            problems.push(format!("{what}: {found}, expected {expected}"));
        }
    };
    let dump: Vec<String> =
        parsed.ast.instructions.iter().map(|instruction| format!("({})\n", sexp(instruction))).collect();
    compare("ast_text", json!(dump.concat().trim()), &expected["ast_text"]);
    let escape = if parsed.ast.escape == Escape::Backslash { "\\" } else { "`" };
    compare("escape", json!(escape), &expected["escape"]);
    let nodes: Vec<Value> = parsed.ast.instructions.iter().map(|instruction| node(&parsed, instruction)).collect();
    let wanted = expected["nodes"].as_array().unwrap();
    if nodes.len() == wanted.len() {
        nodes.iter().zip(wanted).for_each(|(found, wanted)| compare("node", found.clone(), wanted));
    } else {
        compare("number of nodes", json!(nodes.len()), &json!(wanted.len()));
    }
    if let Some(warnings) = expected.get("warnings") {
        let rule = Code::Rule(lint::Rule::NoEmptyContinuation);
        let found = parsed.diagnostics.iter().filter(|finding| finding.code == rule);
        let lines: Vec<usize> = found.filter_map(|finding| finding.line(&parsed.source)).collect();
        let wanted: Vec<&Value> = warnings.as_array().unwrap().iter().map(|warning| &warning["start_line"]).collect();
        compare("empty lines", json!(lines), &json!(wanted));
    }
    if let Some(directives) = expected.get("directives") {
        compare_directives(&parsed, directives, &mut compare);
    }
    match expected.get("stages").filter(|stages| !stages.is_null()) {
        Some(stages) => {
            if let Some(error) = errors(&parsed).first() {
                compare("instructions", json!(error.message), &json!(null));
            } else {
                compare("stages", self::stages(&parsed), stages);
                compare("global_args", json!(global_arguments(&parsed)), &expected["global_args"]);
            }
        }
        None => {
            let is_outside = |found: &Diagnostic| found.code == Code::OutsideStage;
            let is_rejected =
                has_errors(&parsed) || !starts_with_a_stage(&parsed) || errors(&parsed).iter().any(is_outside);
            if expected.get("instructions_error").is_some() && !is_rejected {
                compare("instructions", json!("accepted"), &expected["instructions_error"]);
            }
        }
    }
    problems
}

fn starts_with_a_stage(parsed: &Parsed) -> bool {
    let mut commands = parsed.ast.instructions.iter().filter_map(|instruction| instruction.command.as_ref());
    matches!(commands.find(|command| !matches!(command, Command::Arg(_))), Some(Command::From(_)))
}

fn compare_directives(parsed: &Parsed, expected: &Value, compare: &mut impl FnMut(&str, Value, &Value)) {
    let value = |name| parsed.ast.directives.iter().find(|found| found.name == name).map(|found| found.value.clone());
    for (key, wanted) in expected.as_object().unwrap() {
        let found = match key.as_str() {
            "escape" => value(DirectiveName::Escape),
            "check" => parsed.check(),
            "syntax" => parsed.syntax(),
            "syntax_ref" => parsed.syntax().map(|syntax| syntax.split(' ').next().unwrap_or_default().to_owned()),
            _ => continue,
        };
        compare(key, json!(found), wanted);
    }
}

fn errors(parsed: &Parsed) -> Vec<Diagnostic> {
    parsed.diagnostics.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect()
}

fn has_errors(parsed: &Parsed) -> bool {
    !errors(parsed).is_empty()
}

fn texts(words: &[Word]) -> Vec<String> {
    words.iter().map(|word| word.text.clone()).collect()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// An instruction as an s-expression, without the parentheses around it.
fn sexp(instruction: &Instruction) -> String {
    let mut out = instruction.keyword.text.to_lowercase();
    if !instruction.flags.is_empty() {
        out = format!("{out} {}", go::quoted_list(&texts(&instruction.flags)));
    }
    if let Arguments::Trigger(trigger) = &instruction.arguments {
        return format!("{out} ({})", sexp(trigger));
    }
    for argument in arguments(&instruction.arguments) {
        out = format!("{out} {}", go::quote(&argument));
    }
    out.trim().to_owned()
}

/// Arguments as BuildKit's parser keeps them: a flat list.
fn arguments(found: &Arguments) -> Vec<String> {
    match found {
        Arguments::None | Arguments::Trigger(_) => vec![],
        Arguments::Unknown => vec![String::new()],
        Arguments::Text(text) => vec![text.text.clone()],
        Arguments::Words(words) | Arguments::Array(words) => texts(words),
        Arguments::Pairs(pairs) => pairs
            .iter()
            .flat_map(|pair| {
                let form = if pair.form == PairForm::Equals { "=" } else { "" };
                [pair.name.text.clone(), pair.value.text.clone(), form.to_owned()]
            })
            .collect(),
        Arguments::Health(kind, command) => std::iter::once(kind.text.clone()).chain(arguments(command)).collect(),
    }
}

fn node(parsed: &Parsed, instruction: &Instruction) -> Value {
    let lines = (parsed.source.line(instruction.span.start), parsed.source.line(instruction.last_line));
    let mut node = Map::new();
    node.insert("instruction".to_owned(), json!(instruction.keyword.text.to_lowercase()));
    node.insert("args".to_owned(), json!(arguments(&instruction.arguments)));
    node.insert("original".to_owned(), json!(instruction.line.text()));
    let is_array = match &instruction.arguments {
        Arguments::Array(_) => true,
        Arguments::Health(_, command) => matches!(**command, Arguments::Array(_)),
        _ => false,
    };
    if is_array {
        node.insert("json_form".to_owned(), json!(true));
    }
    for (key, list) in [("flags", &instruction.flags), ("prev_comment", &instruction.comments)] {
        if !list.is_empty() {
            node.insert(key.to_owned(), json!(texts(list)));
        }
    }
    if !instruction.heredocs.is_empty() {
        node.insert("heredocs".to_owned(), instruction.heredocs.iter().map(heredoc).collect());
    }
    if let Arguments::Trigger(trigger) = &instruction.arguments {
        let mut inner = self::node(parsed, trigger);
        inner["start_line"] = json!(0);
        inner["end_line"] = json!(0);
        node.insert("sub".to_owned(), inner);
    }
    node.insert("start_line".to_owned(), json!(lines.0));
    node.insert("end_line".to_owned(), json!(lines.1));
    Value::Object(node)
}

fn heredoc(found: &Heredoc) -> Value {
    json!({
        "name": found.name,
        "fd": found.file_descriptor,
        "expand": found.body == Body::Expanded,
        "chomp": found.chomp,
        "content": found.content.text,
    })
}

fn stages(parsed: &Parsed) -> Value {
    let targets = layercake_compiler::subrequest::targets(parsed).unwrap().targets;
    let mut counts = Vec::new();
    for instruction in &parsed.ast.instructions {
        match instruction.command {
            Some(Command::From(_)) => counts.push(0),
            _ => counts.last_mut().into_iter().for_each(|count| *count += 1),
        }
    }
    let stage = |(target, commands): (&layercake_compiler::subrequest::Target, usize)| {
        let mut stage = json!({"name": target.name, "base": target.base, "commands": commands});
        for (key, value) in [("platform", &target.platform), ("doc_comment", &target.description)] {
            if !value.is_empty() {
                stage[key] = json!(value);
            }
        }
        stage
    };
    targets.iter().zip(counts).map(stage).collect()
}

fn global_arguments(parsed: &Parsed) -> usize {
    let is_argument = |instruction: &&Instruction| matches!(instruction.command, Some(Command::Arg(_)));
    parsed.ast.instructions.iter().take_while(is_argument).count()
}
