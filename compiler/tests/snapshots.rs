//! Whole outputs, held to files that are reviewed when they change: plans, and what is wrong with wrong Dockerfiles.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::disallowed_methods, reason = "a test may read files")]

#[path = "support/picture.rs"]
mod picture;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use layercake_compiler::ignore::Ignore;
use layercake_compiler::lint::Advice;
use layercake_compiler::passes::{PIPELINE, before_and_after};
use layercake_compiler::plan::{Expected, Forecast, Names, Outlook, Plan};
use layercake_compiler::platform::Platform;
use layercake_compiler::{
    BaseImage, Bases, Checked, Compilation, Diagnostic, Outcome, Parsed, Request, Severity, check, compile,
    git_context, lower, parse,
};

#[test]
fn plans() {
    for (name, text) in fixtures("plan") {
        let compilation = compiled(&text, &request()).unwrap();
        let plan = compilation.plan;
        snapshot("plan", &name, &plan.to_string());
        let json = serde_json::to_string(&plan).unwrap();
        // What was left out on purpose, passwords, is all that is not there again.
        let read: Plan = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json, "{name}: a plan that was read is another");
        assert_eq!(picture::tangled(&plan.to_svg(None)), None, "{name}");
        assert!(plan.to_html(None) == plan.to_html(None), "{name}: a page is another each time");
        for written in [json, plan.to_dot(None), plan.to_mermaid(None), plan.to_html(None)] {
            assert!(!written.contains("hunter2"), "{name}: the password of an address is shown");
        }
    }
}

/// What a review shows of a change is the change: a step that comes, a comment or another stage leave the rest as it was.
#[test]
fn a_step_that_comes_does_not_rename_the_others() {
    let text = "FROM golang AS build\nWORKDIR /src\nCOPY go.mod ./\nRUN go mod download\nCOPY . .\nRUN --mount=type=cache,target=/c go build\n\
        FROM alpine\nRUN apk add curl\nCOPY --from=build /out/app /bin/app\n";
    let lines = |text: &str| -> Vec<String> {
        compiled(text, &request()).unwrap().plan.to_string().lines().map(str::to_owned).collect()
    };
    let plan = lines(text);
    let gone = |other: &str| -> Vec<String> {
        let other = lines(other);
        plan.iter().filter(|line| !other.contains(line)).cloned().collect()
    };
    assert_eq!(gone(&text.replace("WORKDIR", "# why\n\nWORKDIR")), [""; 0]);
    let with_step = gone(&text.replace("COPY go.mod", "RUN make tools\nCOPY go.mod"));
    assert_eq!(with_step, ["%build.go.mod = copy %build.src <- %context"]);
    let with_stage =
        gone(&text.replace("FROM alpine", "FROM busybox AS check\nRUN check\nFROM alpine\nCOPY --from=check /ok /"));
    assert_eq!(with_stage, ["plan 2: `1` for linux/amd64", "%apk = run %alpine"]);
    // Another command keeps the name, if it is the same program.
    assert_eq!(
        gone(&text.replace("apk add curl", "apk add curl jq")).len(),
        3,
        "what it is for, its command and its history"
    );
}

#[test]
fn steps_are_called_by_what_they_do() {
    let text = "FROM registry.example.org:5000/team/base:1@sha256:0123456789012345678901234567890123456789012345678901234567890123 AS b\n\
        WORKDIR /w\nRUN set -eux; apt-get update\nRUN A=1 B=2 /usr/bin/make all\nRUN [\"/opt/tool\", \"-c\"]\nRUN apt-get update\n\
        COPY . .\nCOPY *.c /x/\nCOPY a/b/ /x/\nADD https://example.org/f.tar.gz /\nRUN <<EOF\ncd /\nls\nEOF\nCOPY ä☃ /\n";
    let plan = compiled(text, &request()).unwrap().plan;
    let names = Names::of(&plan.steps);
    let called: Vec<&str> = plan.steps.iter().map(|step| names.name(step.id)).collect();
    let expected = [
        "%base",
        "%b.w",
        "%b.apt-get",
        "%b.make",
        "%b.tool",
        "%b.apt-get-2",
        "%context",
        "%b.w-2",
        "%b.c",
        "%b.b",
        "%http-f.tar.gz",
        "%b.f.tar.gz",
        "%b.ls",
        "%b.ä",
    ];
    assert_eq!(called, expected);
}

/// What a Dockerfile goes through on its way to a plan.
#[test]
fn emits() {
    for (name, text) in fixtures("emit") {
        let parsed = parse(&text);
        let compilation = compiled(&text, &request()).unwrap();
        let graph = lower(&compilation.program);
        snapshot("emit", &format!("{name}-ast"), &parsed.ast.to_text(&parsed.source));
        snapshot("emit", &format!("{name}-program"), &compilation.program.to_string());
        snapshot("emit", &format!("{name}-graph"), &graph.to_string());
        // Much longer, and nothing else: one is enough to see the shape.
        if name == "equal-stages" {
            snapshot("emit", &format!("{name}-ast-json"), &serde_json::to_string_pretty(&parsed.ast).unwrap());
            snapshot("emit", &format!("{name}-graph-json"), &serde_json::to_string_pretty(&graph).unwrap());
        }
    }
}

/// What is as it was before variables were expanded has its passwords; nothing that comes of it does.
#[test]
fn no_emit_but_the_syntax_shows_a_password() {
    let credentials = fixtures("plan").into_iter().chain(fixtures("emit")).filter(|(_, text)| text.contains("hunter2"));
    assert_eq!(credentials.clone().count(), 2);
    for (name, text) in credentials {
        let program = compiled(&text, &request()).unwrap().program;
        let graph = lower(&program);
        let (as_program, as_graph) = (serde_json::to_string(&program), serde_json::to_string(&graph));
        for written in [program.to_string(), graph.to_string(), as_program.unwrap(), as_graph.unwrap()] {
            assert!(!written.contains("hunter2"), "{name}: {written}");
        }
    }
}

/// What a picture has to get right is the same for every plan: one with several stages is looked at, and names that would
/// break each of the languages.
#[test]
fn pictures() {
    for (name, text) in fixtures("picture") {
        let plan = compiled(&text, &request()).unwrap().plan;
        for (language, picture) in
            [("dot", plan.to_dot(None)), ("mermaid", plan.to_mermaid(None)), ("svg", plan.to_svg(None))]
        {
            snapshot("picture", &format!("{name}-{language}"), &picture);
        }
        let page = plan.to_html(None);
        let missing = lines_of(&plan.to_svg(None)).find(|line| !page.contains(*line)).map(str::to_owned);
        assert_eq!(missing, None, "the page shows the picture");
    }
}

/// A fixture is named after the pass that it is about, and begins with `not-` where that must change nothing.
#[test]
fn passes() {
    use layercake_compiler::NamedContext::Git;
    let repository = |address: &str| Git(git_context(address).unwrap().unwrap());
    let contexts = [
        ("repo", repository("https://example.org/repo.git#main:part")),
        ("kept", repository("https://example.org/kept.git?keep-git-dir=true")),
    ];
    let named_contexts = contexts.into_iter().map(|(name, context)| (name.to_owned(), context)).collect();
    let request = Request { named_contexts, ..request() };
    let mut fired = std::collections::BTreeSet::new();
    for (name, text) in fixtures("pass") {
        let about = name.strip_prefix("not-").unwrap_or(&name);
        let pass = PIPELINE.iter().find(|pass| about.starts_with(pass.name)).unwrap();
        let program = compiled(&text, &request).unwrap().program;
        // Everything before it has run: those that need it are told apart from those that do not.
        let (before, after) = before_and_after(&program, pass, &|_| true).unwrap();
        let (before, text) = (before.to_string(), after.to_string());
        if name == about {
            assert_ne!(before, text, "{name}: the pass changes nothing");
            fired.insert(pass.name);
            snapshot("pass", &name, &text);
        } else {
            assert_eq!(before, text, "{name}: the pass changes something");
        }
        let mut again = after;
        pass.run(&mut again);
        assert_eq!(again.to_string(), text, "{name}: the second run changes something");
    }
    // What `prune` would drop is not even lowered, unless a pass before it leaves something.
    let optional = PIPELINE.iter().filter(|pass| !pass.is_mandatory());
    assert_eq!(fired, optional.map(|pass| pass.name).collect(), "every pass has a fixture that fires");
}

/// What is expected of a build stands beside the plan's text, and in the pictures.
#[test]
fn forecasts() {
    let (_, text) = fixtures("picture").into_iter().find(|(name, _)| name == "stages").unwrap();
    let plan = compiled(&text, &request()).unwrap().plan;
    // As if the sources of the worker had changed.
    let changed = plan.steps.iter().find(|step| step.origin.name.contains("cmd/worker")).unwrap().id;
    let mut steps: Vec<Expected> = Vec::new();
    for step in &plan.steps {
        let waits =
            step.inputs.iter().any(|input| matches!(steps[input.index()].outlook, Outlook::Miss | Outlook::Unknown));
        let (outlook, reason) = match &step.operation {
            operation if operation.is_given() => (Outlook::Given, String::new()),
            _ if step.id == changed => (Outlook::Miss, "no record of this key".to_owned()),
            _ if waits => (Outlook::Unknown, format!("it depends on {changed}")),
            _ => (Outlook::Hit, String::new()),
        };
        let past = (!step.operation.is_given()).then(|| Duration::from_millis(400 * u64::from(step.id.0)));
        steps.push(Expected { outlook, reason, past });
    }
    let forecast = Forecast { steps, jobs: 2 };
    snapshot("forecast", "text", &plan.to_forecast(&forecast));
    let some = Some(&forecast);
    for (language, picture) in
        [("dot", plan.to_dot(some)), ("mermaid", plan.to_mermaid(some)), ("svg", plan.to_svg(some))]
    {
        snapshot("forecast", language, &picture);
    }
    let page = plan.to_html(some);
    for words in ["<dt>Misses</dt><dd>1 ", "<dt>Unknown</dt><dd>4 ", "<b>miss</b> no record of this key", "with 2 jobs"]
    {
        assert!(page.contains(words), "{words}");
    }
}

/// The lines between the boxes of a picture.
fn lines_of(svg: &str) -> impl Iterator<Item = &str> {
    svg.lines().filter(|line| line.starts_with("<path class=\"edge"))
}

#[test]
fn errors() {
    for (name, text) in fixtures("error") {
        let target = (name == "target").then(|| "bulid".to_owned());
        let found = compiled(&text, &Request { target, ..request() }).unwrap_err();
        assert!(found.iter().any(|finding| finding.severity == Severity::Error), "{name}");
        snapshot("error", &name, &shown(&parse(&text), &found));
    }
}

#[test]
fn warnings() {
    for (name, text) in fixtures("lint") {
        let parsed = parse(&text);
        let findings = checked(&parsed, &request());
        snapshot("lint", &name, &shown(&parsed, &findings));
    }
}

/// A fixture is named after the check that it is about, and begins with `not-` where that must stay silent.
#[test]
fn advice() {
    let request = Request { ignore: Ignore::parse("ignored.pem\n").unwrap(), ..request() };
    let mut fired = std::collections::BTreeSet::new();
    for (name, text) in fixtures("advice") {
        let parsed = parse(&text);
        let mut findings = checked(&parsed, &request);
        assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{name}: {findings:?}");
        let wanted = name.strip_prefix("not-").unwrap_or(&name);
        findings.retain(|finding| finding.code.name() == wanted);
        if name == wanted {
            fired.extend(findings.iter().map(|finding| finding.code.name()));
            snapshot("advice", &name, &shown(&parsed, &findings));
        } else {
            assert_eq!(shown(&parsed, &findings), "", "{name}");
        }
    }
    let all: std::collections::BTreeSet<_> = Advice::ALL.iter().map(|advice| advice.name()).collect();
    assert_eq!(fired, all, "every check has a fixture that fires");
}

#[test]
fn advice_about_unused_stages_is_for_checks_of_all_stages() {
    let parsed = parse("FROM scratch AS nobody\nFROM scratch AS image\n");
    let names =
        |request: &Request| -> Vec<_> { checked(&parsed, request).iter().map(|finding| finding.code.name()).collect() };
    assert_eq!(names(&request()), ["unused-stage"]);
    assert!(names(&Request { target: Some("image".to_owned()), ..request() }).is_empty());
}

fn checked(parsed: &Parsed, request: &Request) -> Vec<Diagnostic> {
    let mut bases = Bases::new();
    loop {
        match check(parsed, request, &bases) {
            Checked::Findings(findings) => return findings,
            Checked::NeedsBases(requests) => supply(&mut bases, &requests),
        }
    }
}

#[test]
fn named_contexts_stand_in_for_stages_and_images() {
    use layercake_compiler::NamedContext::{Folder, Image, Stage};
    let text = "FROM alpine AS a\nRUN a\nFROM busybox:latest AS b\nCOPY --from=a /x /x\nCOPY --from=tools /y /y\nFROM b\nCOPY --from=other /z /z\n";
    let contexts = [
        ("a", Folder),
        ("busybox", Folder),
        ("tools", Image("registry.example.org/tools:1".to_owned())),
        ("other", Stage("a".to_owned())),
    ];
    let mut request = request();
    request.named_contexts = contexts.into_iter().map(|(name, context)| (name.to_owned(), context)).collect();
    snapshot("plan", "named-contexts", &compiled(text, &request).unwrap().plan.to_string());
}

#[test]
fn base_images_hand_on_their_config_and_run_their_triggers() {
    let config = serde_json::from_str(
        r#"{"Env": ["PATH=/bin", "LANG=C"], "WorkingDir": "/base", "User": "app", "Cmd": ["sh"], "Shell": ["/bin/bash", "-c"],
            "OnBuild": ["COPY package.json .", "RUN npm ci"], "Labels": {"a": "1"}, "Unknown": {"kept": true}}"#,
    )
    .unwrap();
    let (parsed, request) = (parse("FROM node\nWORKDIR sub\nRUN ls\nLABEL b=2\n"), request());
    let Ok(Outcome::NeedsBases(requests)) = compile(&parsed, &request, &Bases::new()) else { panic!("needs a base") };
    let digest = Some("sha256:0123456789abcdef".to_owned());
    let image = BaseImage { digest, platform: linux(), config, author: Some("them".to_owned()) };
    let mut bases = Bases::new();
    bases.insert(&requests[0], image);
    let Ok(Outcome::Compiled(compilation)) = compile(&parsed, &request, &bases) else { panic!("compiles") };
    snapshot("plan", "base-config-and-triggers", &compilation.plan.to_string());
}

#[test]
fn sources_that_dockerignore_excludes_are_warned_about() {
    let request = Request { ignore: Ignore::parse("secret\n*.log\n").unwrap(), ..request() };
    let text = "FROM scratch\nCOPY secret/key a.log b.txt /\n";
    let compilation = compiled(text, &request).unwrap();
    snapshot("lint", "ignored-sources", &shown(&parse(text), &compilation.warnings));
}

#[test]
fn a_base_for_another_platform_is_warned_about_and_near_names_are_offered() {
    let text = "FROM alpnie AS build\nFROM scratch\nCOPY --from=biuld /x /x\nCOPY --from=build /y /y\n";
    let (parsed, request) = (parse(text), request());
    let Ok(Outcome::NeedsBases(requests)) = compile(&parsed, &request, &Bases::new()) else { panic!("needs bases") };
    let near: Vec<_> = requests.iter().map(|request| (request.reference.as_str(), request.near.as_deref())).collect();
    assert_eq!(near, [("biuld", Some("build")), ("alpnie", Some("alpine"))]);
    let mut bases = Bases::new();
    for request in &requests {
        let platform = Platform::new("linux", "arm64", "");
        bases.insert(request, BaseImage { digest: None, platform, config: Default::default(), author: None });
    }
    let Ok(Outcome::Compiled(compilation)) = compile(&parsed, &request, &bases) else { panic!("compiles") };
    snapshot("lint", "base-platform", &shown(&parsed, &compilation.warnings));
}

fn linux() -> Platform {
    Platform::new("linux", "amd64", "")
}

fn request() -> Request {
    Request::new(linux())
}

fn compiled(text: &str, request: &Request) -> Result<Box<Compilation>, Vec<Diagnostic>> {
    let (parsed, mut bases) = (parse(text), Bases::new());
    loop {
        match compile(&parsed, request, &bases)? {
            Outcome::Compiled(compilation) => return Ok(compilation),
            Outcome::NeedsBases(requests) => supply(&mut bases, &requests),
        }
    }
}

fn supply(bases: &mut Bases, requests: &[layercake_compiler::BaseRequest]) {
    for request in requests {
        let platform = request.platform.clone();
        bases.insert(request, BaseImage { digest: None, platform, config: Default::default(), author: None });
    }
}

/// The Dockerfiles of a folder, by name.
fn fixtures(kind: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |file: &Path| file.file_stem().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|file| (name(file), fs::read_to_string(file).unwrap())).collect()
}

fn snapshot(kind: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/compiler");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("{kind}-{name}"), text));
}

/// Findings with the lines they are about, plainly: the command line has a better way to show them.
fn shown(parsed: &Parsed, findings: &[Diagnostic]) -> String {
    let mut out = String::new();
    for finding in findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        };
        writeln!(out, "{severity}[{}]: {}", finding.code, finding.message).unwrap();
        let places = finding.labels.iter().map(|label| (label.span, label.text.as_str()));
        let places: Vec<_> = if finding.labels.is_empty() {
            finding.instruction.iter().map(|span| (*span, "")).collect()
        } else {
            places.collect()
        };
        for (span, text) in places {
            let position = parsed.source.position(span.start);
            let shown = parsed.source.slice(span).lines().next().unwrap_or_default();
            let text = if text.is_empty() { String::new() } else { format!("  ({text})") };
            writeln!(out, "  {}:{}: `{shown}`{text}", position.line, position.column).unwrap();
        }
        for help in &finding.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    out
}
