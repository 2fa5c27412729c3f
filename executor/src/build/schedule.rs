//! The schedule: one coordinator that starts each step once its inputs are there, and as many at a time as it may.
//!
//! A step waits on commands and on the network, so each has a plain thread to itself; what computes inside of it
//! (hashing, packing) uses rayon's threads. A thread that is done with a step takes the next one.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use layercake_compiler::plan::{Plan, Ready, StepId};

/// Carries out every step of a plan with `perform`, which gets the step and the products of its inputs, and gives the
/// products in the plan's order.
///
/// At most `jobs` steps are under way at once. Among those that could start, the one with the longest `remaining` path does, as
/// [`Ready`] says. After a failure no further step is started, `cancel` is called once with it, or with nothing where a step has
/// panicked, and the failure of the first step to fail is returned when those under way have ended.
///
/// # Errors
/// Whatever `perform` fails with.
pub fn schedule<T, E>(
    plan: &Plan,
    jobs: usize,
    remaining: &[Duration],
    perform: impl Fn(StepId, Vec<T>) -> Result<T, E> + Sync,
    cancel: impl Fn(Option<&E>),
) -> Result<Vec<T>, E>
where
    T: Clone + Send,
    E: Send,
{
    let mut ready = Ready::new(plan, remaining);
    let mut products: Vec<Option<T>> = vec![None; plan.steps.len()];
    let mut failure = None;
    let (sender, results) = mpsc::channel();
    let (starts, begun) = mpsc::channel::<(StepId, Vec<T>)>();
    let begun = Mutex::new(begun);
    let work = |sender: mpsc::Sender<_>| {
        let next = || begun.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok((step, inputs)) = next() {
            // A panic is sent on like a result: a coordinator that waits for a dead step would wait forever.
            let result = catch_unwind(AssertUnwindSafe(|| perform(step, inputs)));
            // The coordinator outlives every step, so there is always somebody to hear of it.
            let _ = sender.send((step, result));
        }
    };

    thread::scope(|scope| {
        // The threads end when this does, and this when the coordinator panics too.
        let starts = starts;
        let work = &work;
        let (mut threads, mut running) = (0, 0);
        loop {
            while running < jobs.max(1)
                && failure.is_none()
                && let Some(step) = ready.pop()
            {
                let inputs = plan.steps[step.index()].inputs.iter();
                let inputs =
                    inputs.map(|input| products[input.index()].clone().expect("inputs are done first")).collect();
                if running == threads {
                    let sender = sender.clone();
                    scope.spawn(move || work(sender));
                    threads += 1;
                }
                starts.send((step, inputs)).expect("whoever takes steps lives as long as this");
                running += 1;
            }
            if running == 0 {
                break;
            }
            let (step, result) = results.recv().expect("the coordinator holds a sender itself");
            running -= 1;
            match result.unwrap_or_else(|panic| {
                cancel(None);
                resume_unwind(panic)
            }) {
                Ok(product) => {
                    products[step.index()] = Some(product);
                    ready.done(step);
                }
                Err(error) if failure.is_none() => {
                    cancel(Some(&error));
                    failure = Some(error);
                }
                // What fails after the first failure fails because it was cancelled.
                Err(_) => (),
            }
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(products.into_iter().map(|product| product.expect("every step is done")).collect()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use layercake_compiler::oci::ContainerConfig;
    use layercake_compiler::operation::Operation;
    use layercake_compiler::plan::{Origin, PLAN_VERSION, PlannedImage, Step};
    use layercake_compiler::platform::Platform;

    use super::*;

    #[test]
    fn threads_take_one_step_after_the_other() {
        let plan = plan(&[&[], &[0], &[1], &[2], &[2]]);
        let threads = Mutex::new(std::collections::HashSet::new());
        let perform = |_, _| {
            threads.lock().unwrap().insert(thread::current().id());
            Ok::<_, ()>(())
        };
        schedule(&plan, 8, &[Duration::ZERO; 5], perform, |_| ()).unwrap();
        assert!((1..=2).contains(&threads.into_inner().unwrap().len()), "no more than two steps could run at once");
    }

    /// A plan whose steps have the given inputs.
    fn plan(inputs: &[&[u32]]) -> Plan {
        let steps = inputs.iter().zip(0..).map(|(inputs, id)| Step {
            id: StepId(id),
            operation: Operation::Scratch,
            inputs: inputs.iter().copied().map(StepId).collect(),
            origin: Origin { stage: String::new(), line: 0, name: String::new() },
        });
        Plan {
            version: PLAN_VERSION,
            target: String::new(),
            platform: Platform::new("linux", "amd64", ""),
            steps: steps.collect(),
            result: StepId(0),
            image: PlannedImage { base: None, config: ContainerConfig::default(), author: None, history: Vec::new() },
        }
    }

    #[test]
    fn products_reach_the_steps_that_need_them() {
        let plan = plan(&[&[], &[0], &[0], &[1, 2], &[3, 3]]);
        for jobs in [1, 8] {
            let sum = |step: StepId, inputs: Vec<u32>| Ok::<_, ()>(step.0 + inputs.iter().sum::<u32>());
            assert_eq!(schedule(&plan, jobs, &[Duration::ZERO; 6], sum, |_| ()).unwrap(), [0, 1, 2, 6, 16]);
        }
    }

    #[test]
    fn no_more_steps_are_under_way_than_allowed() {
        let plan = plan(&[&[], &[], &[], &[], &[], &[]]);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let perform = |_, _| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(20));
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, ()>(())
        };
        schedule(&plan, 2, &[Duration::ZERO; 6], perform, |_| ()).unwrap();
        assert_eq!(most.into_inner(), 2);
    }

    #[test]
    fn the_longest_remaining_path_starts_first() {
        let plan = plan(&[&[], &[], &[], &[0], &[2]]);
        let remaining = [3, 1, 9, 2, 5].map(Duration::from_secs);
        let order = std::sync::Mutex::new(Vec::new());
        let perform = |step: StepId, _| {
            order.lock().unwrap().push(step.0);
            Ok::<_, ()>(())
        };
        schedule(&plan, 1, &remaining, perform, |_| ()).unwrap();
        assert_eq!(order.into_inner().unwrap(), [2, 4, 0, 3, 1]);
    }

    #[test]
    fn after_a_failure_nothing_is_started() {
        let plan = plan(&[&[], &[0], &[1], &[]]);
        let (performed, cancelled) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let perform = |step: StepId, _: Vec<()>| {
            performed.fetch_add(1, Ordering::SeqCst);
            if step == StepId(1) { Err("one") } else { Ok(()) }
        };
        let cancel = |_: Option<&&str>| {
            cancelled.fetch_add(1, Ordering::SeqCst);
        };
        assert_eq!(schedule(&plan, 1, &[Duration::ZERO; 6], perform, cancel), Err("one"));
        assert_eq!((performed.into_inner(), cancelled.into_inner()), (2, 1));
    }

    #[test]
    #[should_panic(expected = "a bug in a step")]
    fn a_panic_in_a_step_ends_the_build() {
        let _ = schedule(
            &plan(&[&[], &[]]),
            2,
            &[Duration::ZERO; 2],
            |_, _: Vec<()>| -> Result<(), ()> { panic!("a bug in a step") },
            |_| (),
        );
    }
}
