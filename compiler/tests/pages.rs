//! `docs/diagnostics.md` is held to the codes that there are, and its examples to what they claim.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::disallowed_methods, reason = "a test may read files")]

use std::collections::BTreeSet;
use std::path::Path;

use layercake_compiler::ignore::Ignore;
use layercake_compiler::platform::Platform;
use layercake_compiler::{
    BaseImage, BaseRequest, Bases, Checked, Code, Diagnostic, Outcome, Request, check, compile, parse,
};

/// One heading of the page with what stands below it.
struct Entry {
    name: String,
    text: String,
    examples: Vec<Example>,
}

/// A Dockerfile of the page, with the words on the line that opens it.
struct Example {
    words: Vec<String>,
    text: String,
}

#[test]
fn every_code_has_an_entry_and_every_entry_is_a_code() {
    let codes: Vec<&str> = Code::all().map(Code::name).collect();
    let entries = entries();
    let headings: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(headings, codes, "the page has the codes in their order");
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "no name stands for two codes");
}

#[test]
fn every_code_is_filed_under_an_address() {
    for code in Code::all().filter(|code| code.name() != "InvalidBaseImagePlatform") {
        let url = code.url().unwrap();
        let own = url.strip_prefix("docs/diagnostics.md#");
        assert_eq!(own.is_none(), matches!(code, Code::Rule(_)), "{url}");
        assert!(own.is_none_or(|anchor| anchor == code.name().to_lowercase()), "{url}");
    }
}

#[test]
fn examples_do_what_they_claim() {
    for entry in entries() {
        for kind in ["triggers", "mended"] {
            let examples: Vec<_> = entry.examples.iter().filter(|example| example.words[0] == kind).collect();
            assert!(!examples.is_empty(), "`{}` has no example that is `{kind}`", entry.name);
            for example in examples {
                let found = found(example);
                let has = found.iter().any(|code| code == &entry.name);
                assert_eq!(has, kind == "triggers", "`{}`, {kind}: {found:?}\n{}", entry.name, example.text);
            }
        }
    }
}

#[test]
fn entries_of_the_linter_say_how_to_silence_them_and_that_works() {
    let is_lint = |name: &str| Code::all().any(|code| code.name() == name && !code.is_error());
    for entry in entries().iter().filter(|entry| is_lint(&entry.name)) {
        let skip = format!("# check=skip={}", entry.name);
        let experimental = format!("# check=experimental={}", entry.name);
        assert!([&skip, &experimental].iter().any(|way| entry.text.contains(*way)), "`{}`", entry.name);
        if !entry.text.contains(&skip) {
            continue;
        }
        for example in entry.examples.iter().filter(|example| example.words[0] == "triggers") {
            let silenced = Example { words: example.words.clone(), text: format!("{skip}\n{}", example.text) };
            assert!(!found(&silenced).contains(&entry.name), "`{}` is not silenced", entry.name);
        }
    }
}

fn entries() -> Vec<Entry> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/diagnostics.md");
    let page = std::fs::read_to_string(page).unwrap();
    // Examples may hold comments, which look like headings, but never of the third level.
    let entries = page.split("\n### ").skip(1).map(|text| text.split("\n## ").next().unwrap());
    entries
        .map(|text| Entry {
            name: text.lines().next().unwrap().to_owned(),
            text: text.to_owned(),
            examples: examples(text),
        })
        .collect()
}

fn examples(text: &str) -> Vec<Example> {
    let blocks = text.split("```dockerfile ").skip(1).map(|block| block.split("\n```\n").next().unwrap());
    let split = blocks.map(|block| block.split_once('\n').unwrap());
    let owned = |words: &str| words.split(' ').map(str::to_owned).collect();
    split.map(|(words, text)| Example { words: owned(words), text: format!("{text}\n") }).collect()
}

/// The codes of all that `build` and `check` find.
fn found(example: &Example) -> BTreeSet<String> {
    let linux = Platform::new("linux", "amd64", "");
    let (mut request, mut base) = (Request::new(linux), None);
    for word in &example.words[1..] {
        match word.split_once('=').unwrap() {
            ("target", name) => request.target = Some(name.to_owned()),
            ("ignore", pattern) => request.ignore = Ignore::parse(pattern).unwrap(),
            ("base", "linux/arm64") => base = Some(Platform::new("linux", "arm64", "")),
            (other, _) => panic!("`{other}` is no option of an example"),
        }
    }
    let (parsed, mut bases) = (parse(&example.text), Bases::new());
    let built = loop {
        match compile(&parsed, &request, &bases) {
            Ok(Outcome::Compiled(compilation)) => break compilation.warnings,
            Ok(Outcome::NeedsBases(requests)) => supply(&mut bases, &requests, base.as_ref()),
            Err(findings) => break findings,
        }
    };
    assert!(!built.iter().any(|finding| matches!(finding.code, Code::Advice(_))), "a build gives no advice");
    let checked = loop {
        match check(&parsed, &request, &bases) {
            Checked::Findings(findings) => break findings,
            Checked::NeedsBases(requests) => supply(&mut bases, &requests, base.as_ref()),
        }
    };
    let name = |finding: &Diagnostic| finding.code.to_string();
    built.iter().chain(&checked).map(name).collect()
}

fn supply(bases: &mut Bases, requests: &[BaseRequest], platform: Option<&Platform>) {
    for request in requests {
        let platform = platform.unwrap_or(&request.platform).clone();
        bases.insert(request, BaseImage { digest: None, platform, config: Default::default(), author: None });
    }
}
