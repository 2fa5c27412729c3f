//! What a step costs above its command, for people to read: `cargo test --test sandbox cost` prints it.

use std::time::{Duration, Instant};

use layercake_executor::sandbox::{self, Network, Spec, Standard};

use crate::harness::tests;
use crate::little::Little;

tests![a_step_costs_little];

/// More than any machine should need for a command that does nothing: this fails only when something is very wrong.
const MOST: Duration = Duration::from_millis(200);

fn a_step_costs_little() {
    let little = Little::new();
    let runs = if std::env::args().any(|argument| argument == "cost") { 200 } else { 10 };
    for network in [Network::Host, Network::None] {
        let spec = Spec { network, ..little.command(&["/bin/true"]) };
        let mut times: Vec<_> = (0..runs)
            .map(|_| {
                let start = Instant::now();
                sandbox::start(&spec, Standard::inherited()).unwrap().wait().unwrap();
                start.elapsed()
            })
            .collect();
        times.sort();
        let (median, late) = (times[runs / 2], times[runs * 95 / 100]);
        println!("a step with the network {network:?}: median {median:?}, 95th percentile {late:?}");
        assert!(median < MOST, "{median:?}");
    }
}
