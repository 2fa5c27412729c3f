//! A sandbox that is made ready before its command is known.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use layercake_executor::sandbox::{self, Network, Spec};

use crate::harness::tests;
use crate::little::{Little, output};

tests![
    the_next_command_has_it,
    what_makes_it_does_not_show,
    a_command_of_another_kind_does_not,
    the_last_one_counts,
    it_may_be_killed,
];

/// Prints when process 1 was born, and all that a frame consists of.
const LOOK: &str = "read stat < /proc/1/stat; set -- $stat; echo ${22}; ls /dev /proc/sys; cat /proc/1/mountinfo | wc -l; \
                    stat -c '%a %u %F' /dev/null /dev/shm /proc /sys; ls -l /proc/self/fd | wc -l; cat /proc/1/status | grep Sig";

/// The age of process 1 when its command looked, to a hundredth of a second, and what else it saw.
fn look(spec: &Spec) -> (Duration, String) {
    let text = output(spec);
    let (born, rest) = text.split_once('\n').unwrap();
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let now: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let born = born.parse::<f64>().unwrap() / 100.0;
    (Duration::from_secs_f64((now - born).max(0.0)), rest.to_owned())
}

const LONG: Duration = Duration::from_millis(600);

fn the_next_command_has_it() {
    let little = Little::new();
    sandbox::prepare(&little.command(&["true"])).unwrap();
    sleep(LONG);
    let spec = little.script(LOOK);
    assert!(look(&spec).0 > LONG / 2, "it is as old as the sandbox");
    assert!(look(&spec).0 < LONG / 2, "there was one only");
}

fn what_makes_it_does_not_show() {
    let little = Little::new();
    let spec = little.script(LOOK);
    let (_, alone) = look(&spec);
    sandbox::prepare(&spec).unwrap();
    let (_, prepared) = look(&spec);
    assert_eq!(prepared, alone);
}

fn a_command_of_another_kind_does_not() {
    let little = Little::new();
    sandbox::prepare(&little.command(&["true"])).unwrap();
    sleep(LONG);
    let spec = little.script(LOOK);
    for other in [Spec { network: Network::Host, ..spec.clone() }, Spec { shm_size: 1 << 20, ..spec.clone() }] {
        assert!(look(&other).0 < LONG / 2);
    }
    assert!(look(&spec).0 > LONG / 2, "it waits still");
}

fn the_last_one_counts() {
    let little = Little::new();
    let spec = little.script(LOOK);
    let other = Spec { shm_size: 1 << 20, ..spec.clone() };
    sandbox::prepare(&other).unwrap();
    sandbox::prepare(&spec).unwrap();
    sleep(LONG);
    assert!(look(&other).0 < LONG / 2);
    assert!(look(&spec).0 > LONG / 2);
}

fn it_may_be_killed() {
    let little = Little::new();
    // It waits as process 1 of its own namespace, and is the only child of the supervisor.
    let children = |process: &str| fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
    output(&little.command(&["true"]));
    sandbox::prepare(&little.command(&["true"])).unwrap();
    let own = std::process::id().to_string();
    let start = Instant::now();
    let spare = loop {
        let spares = children(&own).split_whitespace().map(children).collect::<String>();
        if let Ok(number) = spares.trim().parse() {
            break rustix::process::Pid::from_raw(number).unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(10), "no spare: `{spares}`");
    };
    rustix::process::kill_process(spare, rustix::process::Signal::KILL).unwrap();
    while children(&own).split_whitespace().map(children).any(|spares| !spares.trim().is_empty()) {
        assert!(start.elapsed() < Duration::from_secs(10), "the supervisor buries it");
    }
    assert_eq!(output(&little.script("echo well")), "well\n");
}
