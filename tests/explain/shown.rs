//! What people see of typical changes: the whole of it.

use std::fs;

use crate::case::Case;
use crate::support::Home;
use crate::support::home::run;

const DOCKERFILE: &str = "\
FROM base AS build
ARG MODE=one
WORKDIR /src
COPY . .
RUN echo npm ci > /dev/null; : npm ci
RUN echo $MODE > /app
FROM base
COPY --from=build /app /app
RUN cat /app
";

/// What is said, without digests.
fn shown(case: &Case<'_>) -> String {
    let text = case.text();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(place) = rest.find("blake3:").or_else(|| rest.find("sha256:")) {
        let (before, digest) = rest.split_at(place + 7);
        out.push_str(before);
        rest = digest.trim_start_matches(|letter: char| letter.is_ascii_hexdigit());
    }
    out + rest
}

#[test]
fn a_cause_comes_first_and_what_follows_from_it_is_below() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "shown", DOCKERFILE);
    case.write(".dockerignore", "Dockerfile\n").build(&[]);
    assert_eq!(
        shown(&case),
        "6 steps done, 0 in the store\n\n\
         base %0   line 1    FROM base\n\
         miss %1   line 3    [build] WORKDIR /src\n\
         miss %3   line 4    [build] COPY . .\n\
         miss %4   line 5    [build] RUN echo npm ci > /dev/null; : npm ci\n\
         miss %5   line 6    [build] RUN echo $MODE > /app\n\
         miss %6   line 8    COPY --from=build /app /app\n\
         miss %7   line 9    RUN cat /app\n     \
              never built: nothing is remembered of these inputs\n"
    );
    case.write("d/m", "changed").build(&[]);
    assert_eq!(
        shown(&case),
        "3 steps done, 4 in the store\n\n\
         miss %3   line 4    [build] COPY . .\n     \
              `d/m` has changed: blake3: -> blake3:\n     \
              so these were done again:\n       \
                %4   line 5    [build] RUN echo npm ci > /dev/null; : npm ci\n       \
                %5   line 6    [build] RUN echo $MODE > /app\n\
         hit  %0 %1 %6 %7\n"
    );
    case.build(&["--build-arg=MODE=two"]);
    assert_eq!(
        shown(&case),
        "4 steps done, 3 in the store\n\n\
         miss %4   line 5    [build] RUN echo npm ci > /dev/null; : npm ci\n\
         miss %5   line 6    [build] RUN echo $MODE > /app\n     \
              argument `MODE`: one -> two\n     \
              so these were done again:\n       \
                %6   line 8    COPY --from=build /app /app\n         \
                  `app` of %5 has changed: blake3: -> blake3:\n       \
                %7   line 9    RUN cat /app\n\
         hit  %0 %1 %3\n"
    );
    fs::write(case.path("layercake.lock"), "version = 1\n").unwrap();
    case.build(&[]);
    assert!(
        case.text().ends_with(
            "help: add `layercake.lock` to `.dockerignore`: nothing else has changed of what line 4 copies\n"
        ),
        "{}",
        case.text()
    );
    case.edit("RUN cat /app", "RUN false").write("d/m", "changed again").build_exits(&[], 1);
    let text = shown(&case);
    assert!(text.starts_with("3 steps done, 1 failed, 3 in the store\n"), "{text}");
    assert!(text.contains("\nfail %7   line 9    RUN false\n     the command: cat /app -> false\n"), "{text}");
}

#[test]
fn what_is_installed_again_for_nothing_is_advised_on() {
    let Some(home) = Home::with_base() else { return };
    let advised = |name: &'static str, command: &str, changed: &str| {
        let case = Case::new(&home, name, &format!("FROM base\nWORKDIR /src\nCOPY . .\nRUN {command}\n"));
        // The program is not there: what it does is no matter.
        case.write("npm", "").write(".dockerignore", "Dockerfile\n").build(&[]);
        // In a store that they share, no case makes what another one needs.
        case.write(changed, name).build(&[]);
        let text = case.text();
        text.lines().find_map(|line| line.strip_prefix("help: ")).map(str::to_owned)
    };
    let ci = "npm ci || true";
    let help = "put `COPY package.json package-lock.json* ./` above `npm ci` (line 4), and `COPY . .` below it: it reads only \
                those, and they have not changed";
    assert_eq!(advised("npm", ci, "a.txt").as_deref(), Some(help));
    assert_eq!(advised("npm-manifest", ci, "package-lock.json"), None);
    let help = "put `apk add` (line 4) above `COPY . .`: it reads none of these files";
    assert_eq!(advised("apk", "apk add curl || true", "a.txt").as_deref(), Some(help));
    assert_eq!(advised("apk-file", "apk add ./curl.apk || true", "a.txt"), None);
    assert_eq!(advised("make", "make || true", "a.txt"), None);
    assert_eq!(advised("elsewhere", "cd web || true; npm ci || true", "a.txt"), None);
}

#[test]
fn colours_are_for_terminals() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "colours", "FROM base\nRUN true\n");
    case.build(&[]);
    assert!(!case.text().contains('\u{1b}'));
    assert!(home.layercake(["explain", "--color=always", "colours"]).ok().stdout.contains('\u{1b}'));
}

#[test]
fn where_nothing_was_built_one_message_says_what_to_do() {
    let home = Home::empty();
    home.write("empty/file", "").write("ctx/Dockerfile", "FROM scratch\n");
    for (arguments, messages) in [
        (&["explain", "ctx"][..], ["nothing is remembered of a build of `", "build it first"]),
        (&["explain", "empty"], ["there is no Dockerfile `empty/Dockerfile`", "name the folder that was built"]),
        (
            &["explain", "-f", "ctx/other", "ctx"],
            ["there is no Dockerfile `ctx/other`", "name the folder that was built"],
        ),
        (&["explain", "./nowhere"], ["there is no folder `./nowhere`", "name the folder that was built"]),
        (&["explain", "%3"], ["there is no Dockerfile `./Dockerfile`", "name the folder that was built"]),
        (&["explain", "step"], ["there is no Dockerfile `./Dockerfile`", "name the folder that was built"]),
    ] {
        let ran = run(&mut home.command(arguments.iter().copied())).exits(2);
        assert!(messages.iter().all(|message| ran.stderr.contains(message)), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    }
}
