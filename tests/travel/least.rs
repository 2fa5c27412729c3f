//! `mode=min`: of intermediate stages it is known what they became, and their layers stay where they are.

use super::layout::{FROM, two_machines};
use super::{build, machine};

/// Whatever is made of the build stage is made in one and the same run of it, although no run gives what another does.
const UNSURE: &str = "\
FROM base AS build
RUN cat /proc/sys/kernel/random/uuid > /id
RUN cp /id /second
FROM base
COPY --from=build /id /app/id
RUN cp /app/id /copy
";

#[test]
fn layers_of_intermediate_stages_are_not_needed() {
    let Some((_one, two, made)) = two_machines("min") else { return };
    let again = build(&two, &[FROM]);
    assert_eq!((again.started, again.digest), (Vec::new(), made.digest));
    // A change behind the last copy needs none either.
    let dockerfile = two.read("ctx/Dockerfile").replace("RUN cat /app/out > /last", "RUN cat /app/out > /very-last");
    two.write("ctx/Dockerfile", dockerfile);
    assert_eq!(build(&two, &[FROM]).started, ["RUN cat /app/out > /very-last"]);
}

#[test]
fn a_step_is_done_again_where_its_layer_is_needed() {
    let Some((_one, two, _)) = two_machines("min") else { return };
    let other = |text: String| text.replace("COPY --from=build /out /app/out", "COPY --from=build /link /app/out");
    let dockerfile = other(two.read("ctx/Dockerfile"));
    two.write("ctx/Dockerfile", &dockerfile);
    let fresh = machine().unwrap();
    fresh.write("ctx/Dockerfile", &dockerfile);
    let expected = build(&fresh, &[]);
    let found = build(&two, &[FROM]);
    assert_eq!(found.digest, expected.digest);
    assert_eq!((found.ran("tr a-z"), found.ran("runtime")), (1, 0), "{:?}", found.started);
}

#[test]
fn what_two_runs_of_a_step_have_made_is_never_mixed() {
    let Some(one) = machine() else { return };
    one.write("ctx/Dockerfile", UNSURE);
    let two = machine().unwrap();
    build(&one, &[&format!("--cache-to=type=local,dest={}", two.path("work/cache").display())]);
    two.write("ctx/Dockerfile", format!("{UNSURE}COPY --from=build /second /second\n"));
    let found = build(&two, &[FROM]);
    let tree = two.tree("ctx");
    let id = |path: &str| tree.text(path).to_owned();
    assert_eq!((id("copy"), id("second")), (id("app/id"), id("app/id")), "{:?}", found.started);
    // Without the cache the same is known: by what has been made here.
    assert_eq!(build(&two, &[]).started, [""; 0]);
}
