//! Linked copies are made apart and stacked on the tree below: nobody has written a stack, so none is ever named.

use crate::case::Case;
use crate::support::Home;

const DOCKERFILE: &str = "\
FROM base
RUN echo one > /1
COPY --link a.txt /a
RUN cat /1 /a > /2
ADD --link d /d
RUN cat /2 /d/m
";

#[test]
fn what_is_linked_is_the_cause_of_what_stands_on_it() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "linked", DOCKERFILE);
    case.build(&[]);
    case.write("a.txt", "changed").explains(&[], &["3 file a.txt content: # -> #", "4 step 3", "6 step 3"]);
    case.write("d/m", "changed").explains(&[], &["5 file d/m content: # -> #", "6 step 5"]);
    case.mode("d/n", 0o600).explains(&[], &["5 file d/n mode: 0644 -> 0600", "6 step 5"]);
    let moved = ["3 paths destination: /a -> /e/a", "4 command: cat /1 /a > /2 -> cat /1 /e/a > /2", "4 step 3"];
    case.edit("/a\n", "/e/a\n").edit("/1 /a", "/1 /e/a").explains(&[], &[&moved[..], &["6 step 4"]].concat());
}

#[test]
fn what_is_below_a_stack_is_the_cause_of_what_stands_on_it() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "below", DOCKERFILE);
    case.build(&[]).edit("one", "two");
    let expected = ["2 command: echo one > /1 -> echo two > /1", "4 step 2", "6 step 2"];
    case.explains(&[], &expected);
    // Both at once are both named.
    case.edit("two", "three").write("a.txt", "changed");
    let expected = [
        "2 command: echo two > /1 -> echo three > /1",
        "3 file a.txt content: # -> #",
        "4 step 2",
        "4 step 3",
        "6 step 2",
        "6 step 3",
    ];
    case.explains(&[], &expected);
    case.edit("cat /2", "cat  /2").explains(&[], &["6 command: cat /2 /d/m -> cat  /2 /d/m"]);
}

#[test]
fn a_base_that_moves_below_a_stack_is_named() {
    let Some(home) = Home::with_base() else { return };
    let image = |content: &str| {
        home.write("image/Dockerfile", format!("FROM base\nRUN echo {content} > /v\n"));
        home.build(["-t", "moving", "image"]);
    };
    image("1");
    let case = Case::new(&home, "based", "FROM moving\nCOPY --link a.txt /a\nRUN echo > /1\nRUN echo > /2\n");
    case.build(&[]);
    image("2");
    case.explains(&[], &["1 base moving: # -> #", "3 base moving: # -> #", "4 base moving: # -> #"]);
    assert_eq!(case.text().matches("has moved").count(), 1, "{}", case.text());
}

#[test]
fn a_linked_copy_that_is_new_is_named_and_not_its_stack() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "new-link", "FROM base\nRUN echo > /1\nRUN echo > /2\n");
    case.build(&[]).edit("RUN echo > /2", "COPY --link b.txt /b\nRUN echo > /2");
    case.explains(&[], &["3 new-step", "4 step 3"]);
    // With and without the pass it is the same step.
    case.explains(&["--pass=detach=off"], &[]);
    case.edit("--link ", "").explains(&[], &["3 flag --link: true -> false"]);
    case.edit("COPY b.txt /b\n", "").explains(&[], &[]);
}
