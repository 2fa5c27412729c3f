//! Laws that hold for every text, tried on random ones.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::HashSet;

use layercake_compiler::ast::{Arguments, Escape, Instruction, Word};
use layercake_compiler::ignore::Ignore;
use layercake_compiler::passes::{PIPELINE, optimize};
use layercake_compiler::plan::Plan;
use layercake_compiler::platform::Platform;
use layercake_compiler::shell::Lexer;
use layercake_compiler::source::Span;
use layercake_compiler::{
    BaseImage, Bases, Checked, Compilation, Diagnostic, Outcome, Parsed, Request, check, compile, freeze, lower, parse,
    verify,
};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;

/// Texts that look enough like Dockerfiles to get past the first line.
fn dockerfile() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "FROM",
        "from",
        "RUN",
        "COPY",
        "ADD",
        "ENV",
        "ARG",
        "WORKDIR",
        "USER",
        "LABEL",
        "EXPOSE",
        "CMD",
        "ENTRYPOINT",
        "SHELL",
        "VOLUME",
        "HEALTHCHECK",
        "ONBUILD",
        "STOPSIGNAL",
        "MAINTAINER",
        "NONE",
        "AS",
        "scratch",
        "alpine",
        "base",
        "0",
        "1",
        "a=b",
        "A=$B",
        "${A:-${B:+x}}",
        "${A#*}",
        "${A/b/c}",
        "$",
        "'",
        "\"",
        "\\",
        "`",
        "[\"a\", \"b\"]",
        "[]",
        "<<EOF",
        "<<-E",
        "EOF",
        "--from=base",
        "--from=0",
        "--chown=1:2",
        "--mount=type=cache,target=/c",
        "--mount=from=base,target=/b",
        "--link",
        "--platform=$BUILDPLATFORM",
        "--parents",
        "80-90/udp",
        "/abs/path",
        "rel/../path",
        ".",
        "#",
        "# check=skip=all",
        "# escape=`",
        "&&",
        "é",
        "\u{a0}",
        "\0",
        "https://example.org/a.git",
        "https://example.org/a.tar",
    ];
    const SEPARATORS: &[&str] = &[" ", " ", " ", "\n", "\n", "\\\n", "\t", "\r\n", " \\\n\n", ""];
    vec((select(WORDS), select(SEPARATORS)), 0..40)
        .prop_map(|parts| parts.into_iter().map(|(word, separator)| format!("{word}{separator}")).collect())
}

/// Dockerfiles that compile more often than not.
fn sound_dockerfile() -> impl Strategy<Value = String> {
    let instruction = prop_oneof![
        select(&["a", "b", "c"][..]).prop_map(|name| format!("ENV {name}=$a$b{name}")),
        Just("ARG a=1".to_owned()),
        Just("ARG c".to_owned()),
        select(&["/x", "y", ".", "/"][..]).prop_map(|path| format!("WORKDIR {path}")),
        select(&["one", "two"][..]).prop_map(|path| format!("COPY {path} $a/")),
        Just("COPY --from=s0 /x /y".to_owned()),
        Just("ADD https://example.org/f /f".to_owned()),
        Just("RUN --mount=type=cache,target=/c echo $a".to_owned()),
        Just("RUN --mount=type=bind,from=alpine,target=/c true".to_owned()),
        Just("RUN <<EOF\ncat\nEOF".to_owned()),
        Just("USER $b".to_owned()),
        Just("LABEL x=\"$c\"".to_owned()),
        Just("CMD echo".to_owned()),
        Just("ENTRYPOINT [\"/e\"]".to_owned()),
        Just("ONBUILD COPY onbuild /".to_owned()),
        Just("EXPOSE 80 81/udp".to_owned()),
    ];
    let stage = (select(&["alpine", "scratch", "s0", "busybox:1"][..]), vec(instruction, 0..8));
    vec(stage, 1..5).prop_map(|stages| {
        let stages = stages.into_iter().enumerate().map(|(number, (base, body))| {
            let base = if number == 0 && base == "s0" { "alpine" } else { base };
            format!("FROM {base} AS s{number}\n{}\n", body.join("\n"))
        });
        stages.collect()
    })
}

fn compiled(text: &str) -> Result<Box<Compilation>, Vec<Diagnostic>> {
    let platform = Platform::new("linux", "amd64", "");
    let (parsed, request, mut bases) = (parse(text), Request::new(platform), Bases::new());
    loop {
        match compile(&parsed, &request, &bases)? {
            Outcome::Compiled(compilation) => return Ok(compilation),
            Outcome::NeedsBases(requests) => requests.iter().for_each(|request| {
                let (platform, digest) = (request.platform.clone(), Some("sha256:0".to_owned()));
                bases.insert(request, BaseImage { digest, platform, config: Default::default(), author: None });
            }),
        }
    }
}

/// Every span of a node.
fn spans(instruction: &Instruction) -> Vec<Span> {
    fn of_arguments(arguments: &Arguments, out: &mut Vec<Span>) {
        match arguments {
            Arguments::None | Arguments::Unknown => {}
            Arguments::Text(word) => out.push(word.span),
            Arguments::Words(words) | Arguments::Array(words) => out.extend(words.iter().map(|word| word.span)),
            Arguments::Pairs(pairs) => out.extend(pairs.iter().flat_map(|pair| [pair.name.span, pair.value.span])),
            Arguments::Health(kind, command) => {
                out.push(kind.span);
                of_arguments(command, out);
            }
            Arguments::Trigger(trigger) => out.extend(spans(trigger)),
        }
    }
    let words = instruction.flags.iter().chain(&instruction.comments).map(|word| word.span);
    let mut all: Vec<Span> = words.chain([instruction.span, instruction.keyword.span]).collect();
    all.extend(instruction.heredocs.iter().map(|heredoc| heredoc.content.span));
    of_arguments(&instruction.arguments, &mut all);
    all
}

fn check_spans(parsed: &Parsed) -> Result<(), String> {
    let text = parsed.source.text();
    let labels = |finding: &Diagnostic| finding.labels.iter().map(|label| label.span).collect::<Vec<_>>();
    let findings = parsed.diagnostics.iter().flat_map(|finding| labels(finding).into_iter().chain(finding.instruction));
    for span in parsed.ast.instructions.iter().flat_map(spans).chain(findings) {
        if span.start > span.end || text.get(span.range()).is_none() {
            return Err(format!("{span:?} does not lie in {text:?}"));
        }
    }
    Ok(())
}

fn texts(instruction: &Instruction) -> (String, Vec<String>, String) {
    let strip = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect();
    let arguments = match &instruction.arguments {
        Arguments::Text(word) => format!("text {:?}", word.text),
        Arguments::Words(words) => format!("words {:?}", strip(words) as Vec<String>),
        Arguments::Array(words) => format!("array {:?}", strip(words) as Vec<String>),
        Arguments::Pairs(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|pair| (&pair.name.text, &pair.value.text, pair.form)).collect();
            format!("pairs {pairs:?}")
        }
        Arguments::Trigger(trigger) => format!("trigger {:?}", texts(trigger)),
        Arguments::Health(kind, _) => format!("health {:?}", kind.text),
        other => format!("{other:?}"),
    };
    (instruction.keyword.text.clone(), strip(&instruction.flags), arguments)
}

fn check_plan(plan: &Plan) -> Result<(), String> {
    let mut needed = HashSet::from([plan.result]);
    for (place, step) in plan.steps.iter().enumerate().rev() {
        if step.id.index() != place || step.inputs.iter().any(|input| input.index() >= place) {
            return Err(format!("step {place} is out of order"));
        }
        if !needed.contains(&step.id) {
            return Err(format!("step {place} is not needed"));
        }
        needed.extend(&step.inputs);
    }
    for planned in &plan.image.history {
        if planned.entry.empty_layer != planned.step.is_none() {
            return Err("an entry of the history has a step but no layer, or the other way round".to_owned());
        }
    }
    Ok(())
}

/// Every instruction begins a line of the syntax as text, and every word stands there with its place.
fn check_syntax(parsed: &Parsed) -> Result<(), String> {
    let text = parsed.ast.to_text(&parsed.source);
    let begun = text.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).count();
    if begun != parsed.ast.instructions.len() + 1 {
        return Err(format!("{begun} lines begin something:\n{text}"));
    }
    let lines: HashSet<&str> = text.lines().collect();
    for instruction in &parsed.ast.instructions {
        let Arguments::Words(words) = &instruction.arguments else { continue };
        for word in words.iter().filter(|word| !word.text.contains(char::is_control)) {
            let place = parsed.source.position(word.span.start);
            let line = format!("    word      {:<7} {}", format!("{}:{}", place.line, place.column), word.text);
            if !lines.contains(line.as_str()) {
                return Err(format!("`{line}` is missing:\n{text}"));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_parses_and_spans_lie_in_it(text in any::<String>()) {
        let parsed = parse(&text);
        check_spans(&parsed).unwrap();
        check_syntax(&parsed).unwrap();
    }

    #[test]
    fn anything_like_a_dockerfile_parses_and_compiles_or_says_why(text in dockerfile()) {
        let parsed = parse(&text);
        check_spans(&parsed).unwrap();
        check_syntax(&parsed).unwrap();
        match compiled(&text) {
            Ok(compilation) => {
                check_plan(&compilation.plan).unwrap();
                let written = |text: String| text.lines().filter(|line| line.starts_with('%')).count();
                let stages = &compilation.program.stages;
                let statements: usize = stages.iter().map(|stage| stage.statements.len()).sum();
                prop_assert_eq!(written(compilation.program.to_string()), statements);
                let graph = lower(&compilation.program);
                prop_assert_eq!(written(graph.to_string()), graph.nodes.node_count());
            }
            Err(findings) => prop_assert!(!findings.is_empty()),
        }
        let request = Request::new(Platform::new("linux", "amd64", ""));
        prop_assert!(matches!(check(&parsed, &request, &Bases::new()), Checked::NeedsBases(_) | Checked::Findings(_)));
    }

    #[test]
    fn a_logical_line_reads_the_same_when_it_is_written_on_one_line(text in dockerfile()) {
        let parsed = parse(&text);
        let directive = if parsed.ast.escape == Escape::Backtick { "# escape=`\n" } else { "" };
        for instruction in &parsed.ast.instructions {
            let line = instruction.line.text();
            let ends_in_escape = line.trim_end().ends_with(parsed.ast.escape.character());
            if !instruction.heredocs.is_empty() || ends_in_escape || line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let again = parse(&format!("{directive}{line}\n"));
            prop_assert_eq!(again.ast.instructions.first().map(texts), Some(texts(instruction)));
        }
    }

    #[test]
    fn compiling_is_a_function_and_its_result_can_be_stored(text in sound_dockerfile()) {
        let (Ok(first), Ok(second)) = (compiled(&text), compiled(&text)) else { return Ok(()) };
        check_plan(&first.plan).unwrap();
        prop_assert_eq!(&first.plan, &second.plan);
        prop_assert_eq!(first.plan.to_string(), second.plan.to_string());
        let json = serde_json::to_string(&first.plan).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Plan>(&json).unwrap(), &first.plan);
        serde_json::to_string(&*first).unwrap();
    }

    #[test]
    fn passes_change_nothing_when_they_run_again(text in sound_dockerfile()) {
        let Ok(compilation) = compiled(&text) else { return Ok(()) };
        let mut graph = lower(&compilation.program);
        for pass in PIPELINE {
            pass.run(&mut graph);
            let once = serde_json::to_string(&graph).unwrap();
            pass.run(&mut graph);
            prop_assert_eq!(once, serde_json::to_string(&graph).unwrap());
            verify(&graph).unwrap();
        }
        prop_assert_eq!(freeze(graph), freeze(optimize(&compilation.program, &|_| true).unwrap()));
    }

    #[test]
    fn quotes_protect_and_plain_texts_stay(text in "[^'$\"\\\\<]*") {
        let expand = |text: &str| Lexer::new('\\').expand(text, &|_| None).unwrap();
        prop_assert_eq!(expand(&text).text, text.clone());
        let quoted = expand(&format!("'{text}'"));
        prop_assert_eq!(&quoted.text, &text);
        prop_assert_eq!(quoted.words, if text.is_empty() { vec![] } else { vec![text] });
    }

    #[test]
    fn expanding_anything_ends(text in any::<String>(), pieces in vec(select(&["${", "}", "a", ":-", "#", "%", "/", "\\", "*", "?", "\"", "'", "$a"][..]), 0..30)) {
        let lookup = |name: &str| (name == "a").then_some("a/b.c");
        drop(Lexer::new('\\').expand(&text, &lookup));
        drop(Lexer::new('`').expand(&pieces.concat(), &lookup));
    }

    #[test]
    fn the_last_pattern_that_matches_a_path_or_a_folder_above_it_decides(
        patterns in vec(select(&["a", "!a", "a/b", "!a/b", "*", "!*/c", "**/c", "!**/b", "a/**", "?", "[ab]/c"][..]), 0..6),
        path in vec(select(&["a", "b", "c"][..]), 1..4),
    ) {
        let list = Ignore::new(&patterns).unwrap();
        let folders: Vec<String> = (1..=path.len()).map(|depth| path[..depth].join("/")).collect();
        let mut expected = false;
        for pattern in &patterns {
            let alone = Ignore::new([pattern.trim_start_matches('!')]).unwrap();
            if folders.iter().any(|folder| alone.excludes(folder)) {
                expected = !pattern.starts_with('!');
            }
        }
        prop_assert_eq!(list.excludes(&path.join("/")), expected);

        // Where a walk need not enter, nothing is lost.
        let mut matches = list.root();
        for folder in &folders[..folders.len() - 1] {
            matches = list.below(&matches, folder);
            if !list.may_include_below(folder, &matches) {
                prop_assert!(list.excludes(&path.join("/")));
            }
        }
    }
}
