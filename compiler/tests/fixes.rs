//! `fix`: what it mends, what it leaves alone, and the laws that hold for all it does.

#[path = "laws/fix.rs"]
mod law;

use law::{broken, mended};
use layercake_compiler::platform::Platform;
use layercake_compiler::{BaseImage, BaseRequest, Bases, Request};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert, proptest};
use proptest::sample::select;

#[track_caller]
fn becomes(before: &str, after: &str) {
    assert_eq!(mended(before, &request(), supply).text, after);
    assert_eq!(broken(before, &request(), supply), Vec::<String>::new());
}

#[test]
fn instructions_take_the_case_of_the_majority_and_as_that_of_from() {
    becomes("FROM alpine as a\nrun true\nCMD [\"x\"]\n", "FROM alpine AS a\nRUN true\nCMD [\"x\"]\n");
    becomes("From alpine as a\nRUN true\n", "FROM alpine AS a\nRUN true\n");
    becomes("FROM alpine AS a\nrun true\nrun false\n", "from alpine as a\nrun true\nrun false\n");
}

#[test]
fn names_of_stages_change_with_all_that_refers_to_them() {
    becomes(
        "FROM alpine AS Build\nFROM BUILD AS second\nCOPY --from=Build /Build /Build\nRUN --mount=type=bind,from=Build,target=/b echo Build\n",
        "FROM alpine AS build\nFROM build AS second\nCOPY --from=build /Build /Build\nRUN --mount=type=bind,from=build,target=/b echo Build\n",
    );
    // A trigger is part of the image.
    let trigger = "FROM alpine AS Build\nFROM alpine AS second\nONBUILD COPY --from=Build /x /x\n";
    becomes(trigger, &trigger.replace("AS Build", "AS build"));
}

#[test]
fn old_pairs_are_quoted_where_they_must_be() {
    becomes("FROM scratch\nENV a b\n", "FROM scratch\nENV a=b\n");
    becomes("FROM scratch\nENV  a\tb c  $d \n", "FROM scratch\nENV  a=\"b c  $d\" \n");
    becomes("FROM scratch\nLABEL a 'b \"c\" d'\n", "FROM scratch\nLABEL a='b \"c\" d'\n");
    becomes("FROM scratch\nENV a b=c\nENV e = f\n", "FROM scratch\nENV a=b=c\nENV e=\"= f\"\n");
    for left_alone in ["ENV a b \"c\" d", "ENV a b\\ c", "ENV a \\\n b", "ENV a b \\\n c"] {
        becomes(&format!("FROM scratch\n{left_alone}\n"), &format!("FROM scratch\n{left_alone}\n"));
    }
}

#[test]
fn empty_lines_protocols_and_platforms_are_mended() {
    becomes("FROM alpine\nRUN a \\\n\n# b\n \t\r\n  c\n", "FROM alpine\nRUN a \\\n# b\n  c\n");
    becomes("FROM alpine\nARG P=81/UDP\nEXPOSE 80/TCP $P\n", "FROM alpine\nARG P=81/UDP\nEXPOSE 80/tcp $P\n");
    becomes("FROM --platform=$TARGETPLATFORM  alpine\n", "FROM alpine\n");
    becomes("FROM --platform=${TARGETPLATFORM} alpine AS a\n", "FROM alpine AS a\n");
}

#[test]
fn what_is_skipped_or_would_change_the_image_is_left_alone() {
    for text in [
        "# check=skip=all\nFROM alpine as A\nENV a b\n",
        "FROM scratch\n# check=skip=LegacyKeyValueFormat\nENV a b\n",
        "FROM scratch\nMAINTAINER someone\n",
        "FROM --platform=linux/amd64 scratch\n",
    ] {
        becomes(text, text);
    }
}

/// Files full of what can be mended.
fn untidy() -> impl Strategy<Value = String> {
    let value = select(
        &[
            "b",
            "b c",
            "'b c'",
            "\"b  c\"",
            "b\"c d\"",
            "$a x",
            "${a:-x y}",
            "b\\ c",
            "a=b",
            "= b",
            "é è",
            "b # c",
            "it''s",
        ][..],
    );
    let keyword = |words: &'static [&'static str]| select(words);
    let instruction = (
        keyword(&["ENV", "env", "LABEL", "Label"]),
        select(&["a", "a.b", "$a", "A"][..]),
        value,
        select(&["\n", " \\\n\n", "\r\n", "\\\n  \n# c\n"][..]),
        select(
            &[
                "RUN true",
                "run --mount=from=S0,target=/b a \\\n\n b",
                "copy --from=s0 /a /b",
                "COPY --from=S0 /a /b",
                "EXPOSE 80/TCP 80/tcp",
                "expose 1/Udp",
                "ONBUILD copy --from=S0 /a /b",
                "RUN <<E\n\nx\nE",
                "# check=skip=StageNameCasing",
            ][..],
        ),
    );
    let line = instruction.prop_map(|(keyword, name, value, end, other)| {
        // A continued pair would swallow what follows; it is only continued where nothing does.
        let end = if end.contains('\\') { format!(" x{end}y\n") } else { end.to_owned() };
        format!("{keyword} {name} {value}{end}{other}\n")
    });
    let from = select(&["FROM", "from", "From"][..]);
    let flag =
        select(&["", "--platform=$TARGETPLATFORM ", "--platform=${TARGETPLATFORM}\t", "--platform=linux/amd64 "][..]);
    let stage = (
        from,
        flag,
        select(&["alpine", "scratch", "S0", "s0"][..]),
        select(&["AS", "as", "As"][..]),
        select(&["s", "S"][..]),
        vec(line, 0..4),
    );
    vec(stage, 1..4).prop_map(|stages| {
        let stages = stages.into_iter().enumerate().map(|(number, (from, flag, base, keyword, name, body))| {
            let base = if number == 0 && base.eq_ignore_ascii_case("s0") { "alpine" } else { base };
            format!("{from} {flag}{base} {keyword} {name}{number}\n{}", body.concat())
        });
        stages.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_image_stays_and_a_second_time_changes_nothing(text in untidy()) {
        let problems = broken(&text, &request(), supply);
        prop_assert!(problems.is_empty(), "{}\n{}", problems.join("\n"), text);
    }
}

fn request() -> Request {
    Request::new(Platform::new("linux", "amd64", ""))
}

fn supply(bases: &mut Bases, requests: &[BaseRequest]) {
    for request in requests {
        let platform = request.platform.clone();
        bases.insert(request, BaseImage { digest: None, platform, config: Default::default(), author: None });
    }
}
