//! Texts that are made to take long, to take much, or to go deep: they end soon, with an answer.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use layercake_compiler::ast::{Arguments, Command};
use layercake_compiler::lint::Advice;
use layercake_compiler::platform::Platform;
use layercake_compiler::{
    BaseImage, Bases, Checked, Code, Compilation, Diagnostic, Outcome, Request, Severity, check, compile, parse,
};

fn compiled(text: &str) -> Result<Box<Compilation>, Vec<Diagnostic>> {
    let (parsed, mut bases) = (parse(text), Bases::new());
    let request = Request::new(Platform::new("linux", "amd64", ""));
    loop {
        match compile(&parsed, &request, &bases)? {
            Outcome::Compiled(compilation) => return Ok(compilation),
            Outcome::NeedsBases(requests) => requests.iter().for_each(|request| {
                let platform = request.platform.clone();
                bases.insert(request, BaseImage { digest: None, platform, config: Default::default(), author: None });
            }),
        }
    }
}

fn codes(findings: &[Diagnostic]) -> Vec<Code> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|error| error.code).collect()
}

#[test]
fn expressions_nested_a_million_deep_are_an_error() {
    let deep = "${a:-".repeat(1_000_000);
    for text in
        [format!("FROM scratch\nENV a={deep}\n"), format!("FROM {deep}\n"), format!("FROM scratch\nENV a=\"{deep}\"\n")]
    {
        assert_eq!(codes(&compiled(&text).unwrap_err()), [Code::TooLarge]);
    }
    let fine = format!("FROM scratch\nENV a={}x{}\n", "${a:-".repeat(90), "}".repeat(90));
    assert_eq!(compiled(&fine).unwrap().plan.image.config.env[1], "a=x");
}

#[test]
fn chains_of_triggers_and_arrays_in_arrays_are_not_followed_without_end() {
    let chain = format!("FROM scratch\n{}RUN x\n", "ONBUILD ".repeat(1_000_000));
    assert_eq!(codes(&parse(&chain).diagnostics), [Code::InvalidTrigger]);
    let arrays = format!("FROM scratch\nCMD {}\n", "[".repeat(1_000_000));
    let parsed = parse(&arrays);
    assert!(matches!(parsed.ast.instructions[1].arguments, Arguments::Text(_)));
}

#[test]
fn variables_that_double_again_and_again_come_to_an_end() {
    let text = format!("FROM scratch\nENV a=0123456789\n{}", "ENV a=$a$a\n".repeat(100));
    let codes = codes(&compiled(&text).unwrap_err());
    assert!(codes.iter().all(|code| *code == Code::TooLarge) && !codes.is_empty());
    let replaced = format!("FROM scratch\nENV a={}\nENV b=${{a//a/$a}}\n", "a".repeat(100_000));
    assert_eq!(self::codes(&compiled(&replaced).unwrap_err()), [Code::TooLarge]);
}

#[test]
fn a_very_long_line_is_read_like_any_other() {
    let word = "x".repeat(10 << 20);
    let parsed = parse(&format!("FROM scratch\nRUN {word}\n"));
    let Some(Command::Run(run)) = &parsed.ast.instructions[1].command else { panic!("runs") };
    assert_eq!(run.command.arguments(), [word]);
    let words = parse(&("COPY ".to_owned() + &"a ".repeat(1 << 20) + "/\n"));
    assert_eq!(words.ast.instructions.len(), 1);
    assert!(words.ast.to_text(&words.source).ends_with("    word      1:2097158 /\n"));
    let continued = format!("RUN {}\n", "a\\\n".repeat(1 << 20));
    assert_eq!(parse(&continued).ast.instructions[0].line.text().len(), (1 << 20) + 4);
}

#[test]
fn an_instruction_with_a_very_long_name_is_unknown_at_once() {
    let name = "x".repeat(10 << 20);
    let parsed = parse(&format!("{name} a\n"));
    assert_eq!(codes(&parsed.diagnostics), [Code::UnknownInstruction]);
    assert!(parsed.diagnostics[0].help.iter().all(|help| help.len() < 200));
}

#[test]
fn quotes_flags_and_heredocs_without_end_end() {
    for piece in ["\"", "'", "--x=\"", "<<a ", "<<'", "[\"", "\\", "${", "# escape=`\n", "\u{feff}", "\0", "$", "--\n"]
    {
        for start in ["", "FROM scratch\nRUN ", "FROM scratch\nCOPY ", "FROM scratch\nENV a=", "FROM scratch\nARG "] {
            drop(compiled(&format!("{start}{}", piece.repeat(10_000))));
        }
    }
}

#[test]
fn nul_bytes_are_characters_like_any_other() {
    let compilation = compiled("FROM scratch\nENV a=x\0y\nLABEL b=\"$a\"\n").unwrap();
    assert_eq!(compilation.plan.image.config.labels["b"], "x\0y");
    assert_eq!(codes(&parse("\0FROM scratch\n").diagnostics), [Code::UnknownInstruction]);
}

#[test]
fn ten_thousand_instructions_in_a_thousand_stages_compile() {
    let mut text = String::from("FROM alpine AS s0\n");
    for stage in 1..1_000 {
        let parts = [
            format!("FROM s{} AS s{stage}", stage - 1),
            format!("ENV V{stage}=$PATH"),
            format!("ARG A{stage}=1"),
            format!("COPY --from=s{} /a /b{stage}", stage / 2),
            format!("WORKDIR /w{stage}"),
            "LABEL l=$UNDEFINED".to_owned(),
            format!("LABEL l{stage}=x"),
            format!("EXPOSE {stage}"),
            "USER u".to_owned(),
            "VOLUME /v".to_owned(),
        ];
        text.push_str(&parts.join("\n"));
        text.push('\n');
    }
    let compilation = compiled(&text).unwrap();
    assert_eq!(compilation.plan.image.history.iter().filter(|planned| planned.step.is_some()).count(), 2 * 999);
}

#[test]
fn a_chain_of_many_stages_that_copy_from_each_other_needs_no_deep_stack() {
    let stage = |number: usize| match number {
        0 => "FROM scratch AS s0\nCOPY a /a\n".to_owned(),
        _ => format!("FROM scratch AS s{number}\nCOPY --from=s{} /a /a\n", number - 1),
    };
    let text: String = (0..20_000).map(stage).collect();
    assert_eq!(compiled(&text).unwrap().plan.steps.len(), 20_002);
}

#[test]
fn what_a_file_grows_into_is_bounded() {
    let long = "x".repeat(1 << 20);
    let many = |line: &str| line.repeat(10_000);
    let growing = [
        ("arguments of a history", format!("FROM scratch\nARG a={long}\n{}", many("RUN true\n"))),
        ("ports", format!("FROM scratch\n{}", many("EXPOSE 1-65535\n"))),
        ("folders", format!("FROM scratch\n{}", format!("WORKDIR {}\n", &long[..1000]).repeat(10_000))),
        ("users", format!("FROM scratch\nUSER {long}\n{}", many("RUN true\n"))),
        (
            "what stages inherit",
            format!("FROM scratch AS s0\nCMD [\"{long}\"]\n{}", {
                let stages = (1..10_000).map(|stage| format!("FROM s{} AS s{stage}\n", stage - 1));
                stages.collect::<String>()
            }),
        ),
        (
            "triggers",
            format!("FROM scratch AS s\nONBUILD RUN {long}\n{}", {
                let stages = (1..10_000).map(|stage| format!("FROM s AS s{stage}\nCOPY --from=s{} a b\n", stage - 1));
                stages.skip(1).collect::<String>()
            }),
        ),
        ("variables of commands", {
            let variables: String = (0..5_000).map(|number| format!(" v{number}=x")).collect();
            format!("FROM scratch\nENV{variables}\n{}", many("RUN true\n"))
        }),
    ];
    for (what, text) in growing {
        assert_eq!(codes(&compiled(&text).unwrap_err()), [Code::TooLarge], "{what}");
    }
    let ports = "FROM scratch\nEXPOSE ".to_owned() + &"1-65535 ".repeat(100_000);
    assert_eq!(codes(&compiled(&ports).unwrap_err()), [Code::TooLarge]);
}

#[test]
fn a_text_that_is_too_long_is_not_looked_at() {
    let text = format!("FROM scratch\nRUN {}\n", "\0".repeat(layercake_compiler::MAX_SOURCE));
    assert_eq!(codes(&parse(&text).diagnostics), [Code::TooLarge]);
    assert_eq!(codes(&compiled(&text).unwrap_err()), [Code::TooLarge]);
}

#[test]
fn advice_on_long_chains_of_stages_takes_time_that_grows_with_the_file() {
    let stage = |number: usize| match number {
        0 => "FROM scratch AS s0\nCOPY . .\n".to_owned(),
        _ => format!("FROM s{} AS s{number}\nRUN npm ci\nRUN true\n", number - 1),
    };
    let text: String = (0..20_000).map(stage).collect();
    let Checked::Findings(found) =
        check(&parse(&text), &Request::new(Platform::new("linux", "amd64", "")), &Bases::new())
    else {
        panic!("no base is asked for");
    };
    let rebuilt = found.iter().filter(|found| found.code == Code::Advice(Advice::CopyBeforeInstall));
    assert_eq!(rebuilt.count(), 1);
}
