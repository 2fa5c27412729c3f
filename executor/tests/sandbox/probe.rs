//! What is found out about the machine agrees with what the other tests need of it.

use layercake_executor::emulation;
use layercake_executor::namespace::Entered;
use layercake_executor::probe::{self, Fact, State, Subject};

use crate::harness::{skip, tests};
use crate::little::Little;

tests![facts_agree_with_the_machine];

fn facts_agree_with_the_machine() {
    let little = Little::new();
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    let entered = if map.contains("4294967295") { Entered::Root } else { Entered::UserNamespace };
    let facts = probe::facts(&Ok(entered), &little.path(""), &emulation::installed(&[]));
    for Fact { subject, state, detail, consequence, help } in &facts {
        println!("  {subject:15} {state:?}: {detail}");
        assert_eq!(consequence.is_some(), *state != State::Ok, "{subject}");
        assert!(!detail.is_empty() && help.as_ref().is_none_or(|help| !help.is_empty()), "{subject}");
    }
    let state = |wanted| facts.iter().find(|fact| fact.subject == wanted).map(|fact| fact.state);
    // This program would not have come as far without them.
    for needed in [Subject::Kernel, Subject::Namespaces, Subject::Overlay, Subject::Sandbox, Subject::Seccomp] {
        assert_eq!(state(needed), Some(State::Ok), "{needed}");
    }
    for wished in [Subject::Layers, Subject::Fuse, Subject::Pasta] {
        if state(wished) != Some(State::Ok) {
            skip(&wished.to_string());
        }
    }
    // Nothing is left of the trials.
    let mut names: Vec<_> = std::fs::read_dir(little.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lower", "upper", "work"]);
}
