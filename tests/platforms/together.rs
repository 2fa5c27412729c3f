//! What is the same for several platforms is done once, and what is not at the same time.

use crate::support::Home;
use crate::support::home::run;
use crate::support::http::{Reply, Server};
use crate::support::platforms::{BOTH, FOREIGN, NATIVE};
use crate::support::ran::Built;

/// A stage that runs here for all platforms, one that runs here for each, and one that runs on each.
const CROSS: &str = r#"FROM --platform=$BUILDPLATFORM base AS prepare
RUN : prepare; uname -m > /prepared; cat /proc/sys/kernel/random/uuid >> /prepared
FROM prepare AS compile
ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM
RUN : compile; echo "$TARGETPLATFORM $TARGETOS $TARGETARCH [$TARGETVARIANT] on $BUILDPLATFORM" > /compiled; uname -m >> /compiled
FROM base
COPY --from=compile /prepared /compiled /
RUN : check; uname -m > /machine
"#;

fn home() -> Option<Home> {
    let home = Home::with_platforms()?;
    home.write("ctx/Dockerfile", CROSS);
    Some(home)
}

/// The file of this name for each platform, of a build into the folder `out`.
fn each(home: &Home, name: &str) -> [String; 2] {
    [NATIVE.0, FOREIGN.0].map(|architecture| home.read(&format!("out/linux_{architecture}/{name}")))
}

#[test]
fn what_is_shared_is_done_once_and_the_rest_for_each() {
    let Some(home) = home() else { return };
    let built = home.build(["--platform", BOTH, "-o", "out", "ctx"]);
    let counts = ["prepare", "compile", "check"].map(|what| built.ran(&format!("RUN : {what}")));
    assert_eq!(counts, [1, 2, 2], "{:?}", built.started);
    let prepared = each(&home, "prepared");
    assert_eq!(prepared[0], prepared[1]);
    assert!(prepared[0].starts_with(NATIVE.1), "{}", prepared[0]);
    let compiled = [NATIVE.0, FOREIGN.0]
        .map(|target| format!("linux/{target} linux {target} [] on linux/{}\n{}\n", NATIVE.0, NATIVE.1));
    assert_eq!(each(&home, "compiled"), compiled);
    assert_eq!(each(&home, "machine"), [format!("{}\n", NATIVE.1), format!("{}\n", FOREIGN.1)]);
}

#[test]
fn a_second_build_runs_nothing_nor_does_one_for_a_single_platform() {
    let Some(home) = home() else { return };
    let first = home.dated(["--platform", BOTH, "-t", "x", "ctx"]);
    let second = home.dated(["--platform", BOTH, "-t", "x", "ctx"]);
    assert_eq!((&second.started, &second.digest), (&Vec::new(), &first.digest));
    for architecture in [NATIVE.0, FOREIGN.0] {
        let alone = home.dated(["--platform", &format!("linux/{architecture}"), "-t", "alone", "ctx"]);
        assert!(alone.started.is_empty(), "{:?}", alone.started);
    }
}

#[test]
fn what_is_shared_is_done_once_without_the_cache_too() {
    let Some(home) = home() else { return };
    home.build(["--platform", BOTH, "-o", "out", "ctx"]);
    let before = each(&home, "prepared");
    let again = home.build(["--no-cache", "--platform", BOTH, "-o", "out", "ctx"]);
    assert_eq!(["prepare", "check"].map(|what| again.ran(&format!("RUN : {what}"))), [1, 2], "{:?}", again.started);
    let after = each(&home, "prepared");
    assert_eq!(after[0], after[1]);
    assert_ne!(after[0], before[0]);
}

#[test]
fn platforms_are_built_at_the_same_time() {
    let Some(home) = Home::with_platforms() else { return };
    // Each waits for the other.
    let wait = format!(
        "for i in $(seq 300); do [ -e /c/{} ] && [ -e /c/{} ] && exit 0; sleep 0.1; done; exit 1",
        NATIVE.0, FOREIGN.0
    );
    let run = format!("RUN --mount=type=cache,target=/c touch /c/$TARGETARCH; {wait}");
    home.write("ctx/Dockerfile", format!("FROM base\nARG TARGETARCH\n{run}\n"));
    home.build(["--platform", BOTH, "-t", "x", "ctx"]);
}

#[test]
fn steps_say_their_platform() {
    let Some(home) = home() else { return };
    let Built { started, .. } = home.build(["--platform", BOTH, "-t", "x", "ctx"]);
    let (native, foreign) = (NATIVE.0, FOREIGN.0);
    for expected in [
        format!("[linux/{native} prepare 2/2] RUN : prepare"),
        format!("[linux/{native} compile 1/1] RUN : compile"),
        format!("[linux/{native}->{foreign} compile 1/1] RUN : compile"),
        format!("[linux/{native} 3/3] RUN : check"),
        format!("[linux/{foreign} 3/3] RUN : check"),
    ] {
        assert!(started.iter().any(|name| name.starts_with(&expected)), "{expected}: {started:#?}");
    }
}

#[test]
fn a_context_on_standard_input_and_a_file_from_a_server_are_read_once() {
    let Some(home) = Home::with_platforms() else { return };
    let server = Server::start(|_| Reply::ok("from afar\n"));
    let mut tar = tar::Builder::new(Vec::new());
    let dockerfile = format!("FROM base\nADD http://{}/file /file\nCOPY near /near\n", server.host());
    for (name, content) in [("Dockerfile", dockerfile.as_str()), ("near", "from here\n")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    let arguments = ["build", "--platform", BOTH, "-o", "out", "-"];
    home.piped(arguments, tar.into_inner().unwrap()).ok();
    assert_eq!(each(&home, "file"), ["from afar\n", "from afar\n"]);
    assert_eq!(each(&home, "near"), ["from here\n", "from here\n"]);
    assert_eq!(server.count("GET", "/file"), 1, "{:?}", server.requests());
}

#[test]
fn an_ordinary_build_is_what_it_was() {
    let Some(home) = home() else { return };
    let one =
        run(&mut home.command(["build", "-q", "--platform", &format!("linux/{}", NATIVE.0), "-t", "x", "ctx"])).ok();
    assert_eq!(home.inspect("x")["Manifest"]["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(home.inspect("x")["Digest"], one.stdout.trim());
    // The same platform, spelled twice, is one platform.
    let twice = format!("linux/{0},linux/{1}", NATIVE.0, NATIVE.1);
    let twice = run(&mut home.command(["build", "-q", "--platform", &twice, "-t", "x", "ctx"])).ok();
    assert_eq!(twice.stdout, one.stdout);
}
