//! How long a build will take, from how long its steps took before; and what the order of steps makes of that.

use serde_json::Value;

use crate::predicted;
use crate::support::Home;
use crate::support::ran::Built;

#[test]
fn a_step_is_expected_to_take_what_it_took() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a", "1")
        .write("ctx/Dockerfile", "FROM base\nCOPY a /\nRUN sleep 0.5; cat /a\nRUN sleep 0.3; cat /a\n");
    let plan = predicted(&home, &["ctx"]);
    assert!(plan["forecast"]["most_seconds"].is_null(), "nothing of it was ever done: {}", plan["forecast"]);
    home.build(["ctx"]);
    home.write("ctx/a", "2");
    let plan = predicted(&home, &["ctx"]);
    let seconds: Vec<f64> =
        plan["steps"].as_array().unwrap().iter().filter_map(|step| step["seconds"].as_f64()).collect();
    assert!(seconds.len() == 3 && seconds[1] >= 0.5 && seconds[2] >= 0.3, "{seconds:?}");
    let (least, most) = (&plan["forecast"]["least_seconds"], &plan["forecast"]["most_seconds"]);
    assert!((most.as_f64().unwrap() - seconds.iter().sum::<f64>()).abs() < 0.001, "{most}");
    assert!((least.as_f64().unwrap() - seconds[0]).abs() < 0.001, "what is unknown may be there: {least}");
    home.build(["ctx"]);
    assert_eq!(predicted(&home, &["ctx"])["forecast"]["most_seconds"], 0.0);
}

#[test]
fn the_critical_path_is_the_longest_in_time() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a", "1").write(
        "ctx/Dockerfile",
        "FROM base AS long\nCOPY a /\nRUN true 1\nRUN true 2\nRUN true 3; echo x > /x\nFROM base AS slow\nCOPY a /\n\
         RUN sleep 1; cp /a /y\nFROM base\nCOPY --from=long /x /\nCOPY --from=slow /y /\n",
    );
    home.build(["ctx"]);
    home.write("ctx/a", "2");
    let plan = predicted(&home, &["ctx"]);
    let step = |id: &Value| &plan["steps"][usize::try_from(id.as_u64().unwrap()).unwrap()];
    let time = |line: u64| {
        let mut steps = plan["steps"].as_array().unwrap().iter().filter(|step| step["origin"]["line"] == line);
        steps.find_map(|step| step["seconds"].as_f64()).unwrap()
    };
    let path: Vec<&Value> = plan["forecast"]["critical"].as_array().unwrap().iter().map(step).collect();
    // On a machine that is busy with other things, the three may have taken longer than the one that sleeps.
    let through = if time(3) + time(4) + time(5) > time(8) { "long" } else { "slow" };
    assert!(path.iter().any(|step| step["origin"]["stage"] == through && step["op"] == "run"), "{path:?}");
    assert!(path.iter().all(|step| step["state"] != "given"), "{path:?}");
}

/// Short stages come before a long chain, in the file and by the number of their steps.
#[test]
#[expect(clippy::print_stderr, reason = "the times are what one wants to see of this test")]
fn the_longest_path_goes_first_once_times_are_known() {
    let Some(home) = Home::with_base() else { return };
    let short = |number| {
        format!("FROM base AS s{number}\nRUN sleep 0.4; echo {number} > /s{number}\nRUN true {number}\nRUN true\n")
    };
    let dockerfile = format!(
        "{}FROM base AS long\nRUN sleep 1 && echo 1\nRUN sleep 1 && echo x > /x\nFROM base\n{}COPY --from=long /x /\n",
        (0..6).map(short).collect::<String>(),
        (0..6).map(|number| format!("COPY --from=s{number} /s{number} /\n")).collect::<String>(),
    );
    home.write("ctx/Dockerfile", dockerfile);
    let place = |built: &Built| built.started.iter().position(|name| name.contains("sleep 1 && echo 1")).unwrap();
    let first = home.build(["-j2", "ctx"]);
    let longest = longest_paths(&predicted(&home, &["--no-cache", "ctx"]));
    let later = home.build(["-j2", "--no-cache", "ctx"]);
    let ratio = later.took.as_secs_f64() / first.took.as_secs_f64();
    eprintln!("without a past {:?}, by the remaining path {:?}: {ratio:.2}", first.took, later.took);
    assert!(place(&first) >= 6, "{:?}", first.started);
    // On a machine that is busy with other things, the short ones may have taken longer.
    let (began, longest) = (&later.started[..2], &longest[..2]);
    assert!(began.iter().all(|name| longest.contains(name)), "{longest:?} {:?}", later.started);
}

/// The steps that could start at once, those with the longest time before the end of the build first.
fn longest_paths(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().unwrap();
    let inputs = |step: &Value| -> Vec<usize> {
        let ids = step["inputs"].as_array().into_iter().flatten();
        ids.map(|id| usize::try_from(id.as_u64().unwrap()).unwrap()).collect()
    };
    let mut after = vec![0.0_f64; steps.len()];
    for (place, step) in steps.iter().enumerate().rev() {
        after[place] += step["seconds"].as_f64().unwrap_or_default();
        for input in inputs(step) {
            after[input] = after[input].max(after[place]);
        }
    }
    let is_given = |step: &Value| step["state"] == "given";
    let may_start = |step: &Value| !is_given(step) && inputs(step).iter().all(|input| is_given(&steps[*input]));
    let mut ready: Vec<(f64, String)> = steps
        .iter()
        .zip(&after)
        .filter(|(step, _)| may_start(step))
        .map(|(step, after)| {
            let text = |name: &str| step["origin"][name].as_str().unwrap().to_owned();
            (*after, format!("[{}] {}", text("stage"), text("name")))
        })
        .collect();
    ready.sort_by(|one, other| other.0.total_cmp(&one.0));
    ready.into_iter().map(|(_, name)| name).collect()
}
