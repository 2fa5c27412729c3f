//! What a step costs above its command, for people to read: `cargo test --release --test sandbox cost` prints it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use layercake_executor::overlay::{Overlay, Upper};
use layercake_executor::sandbox::{self, Network, Spec, Standard};

use crate::harness::tests;
use crate::little::Little;

tests![a_step_costs_little];

/// More than any machine should need for a command that does nothing: this fails only when something is very wrong.
const MOST: Duration = Duration::from_millis(500);

fn a_step_costs_little() {
    let little = Little::new();
    let busybox = little.lower().join("bin/true");
    report("the command alone", || (), |()| assert!(Command::new(&busybox).status().unwrap().success()));
    for network in [Network::Host, Network::None] {
        let spec = Spec { network, ..little.command(&["/bin/true"]) };
        let mut used = 0;
        let prepare = || {
            // A step has folders of its own. Used ones are left to lie: to remove them can take longer than the step.
            used += 1;
            let path = |name: &str| little.path(&format!("{network:?}-{used}-{name}"));
            let upper = Upper { upper: path("upper"), work: path("work") };
            fs::create_dir(&upper.upper).unwrap();
            fs::create_dir(&upper.work).unwrap();
            Spec { root: Overlay { upper: Some(upper), ..spec.root.clone() }, ..spec.clone() }
        };
        let median = report(&format!("a step with the network {network:?}"), prepare, |spec| {
            let outcome = sandbox::start(spec, Standard::inherited()).unwrap().wait().unwrap();
            assert!(outcome.end.is_success());
        });
        assert!(median < MOST, "{median:?}");
    }
}

/// Measures something, many times if that is what the tests were started for, and returns the median.
fn report<T>(what: &str, mut prepare: impl FnMut() -> T, run: impl Fn(&T)) -> Duration {
    let runs = if std::env::args().any(|argument| argument == "cost") { 200 } else { 10 };
    let before = processor_time();
    let mut times: Vec<_> = (0..runs)
        .map(|_| {
            let prepared = prepare();
            let start = Instant::now();
            run(&prepared);
            start.elapsed()
        })
        .collect();
    times.sort();
    let processor = (processor_time() - before) / runs;
    let (median, late) = (times[runs as usize / 2], times[runs as usize * 95 / 100]);
    println!("{what}: median {median:.1?}, 95th percentile {late:.1?}, processor time {processor:.1?}");
    median
}

/// What this process and the children that it has waited for have used.
fn processor_time() -> Duration {
    let of = |who| {
        // SAFETY: an all-zero record is a valid one, and it outlives the call.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(who, &raw mut usage);
            usage
        };
        let time = |time: libc::timeval| {
            Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
        };
        time(usage.ru_utime) + time(usage.ru_stime)
    };
    of(libc::RUSAGE_SELF) + of(libc::RUSAGE_CHILDREN)
}
