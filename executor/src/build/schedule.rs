//! The schedule: each step starts once its inputs are there, and as many at a time as may.
//!
//! A step waits on commands and on the network, so each has a plain thread to itself; what computes inside of it
//! (hashing, packing) uses rayon's threads. Nobody coordinates: a thread that is done with a step notes that, takes the next one
//! that can begin, and calls others for what else can. So of steps in a chain none waits for a thread to wake up.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
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
    cancel: impl Fn(Option<&E>) + Sync,
) -> Result<Vec<T>, E>
where
    T: Clone + Send,
    E: Send,
{
    let state = State {
        ready: Ready::new(plan, remaining),
        products: vec![None; plan.steps.len()],
        running: 0,
        idle: 0,
        end: None,
    };
    let crew = Crew { plan, jobs: jobs.max(1), perform, cancel, state: Mutex::new(state), news: Condvar::new() };
    thread::scope(|scope| crew.work(scope));
    let state = crew.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.end {
        Some(End::Failed(error)) => Err(error),
        Some(End::Panicked(panic)) => resume_unwind(panic),
        None => Ok(state.products.into_iter().map(|product| product.expect("every step is done")).collect()),
    }
}

/// All threads that carry out a plan.
struct Crew<'a, T, E, P, C> {
    plan: &'a Plan,
    jobs: usize,
    perform: P,
    cancel: C,
    state: Mutex<State<'a, T, E>>,
    /// Something can begin, or all is done.
    news: Condvar,
}

struct State<'a, T, E> {
    ready: Ready<'a>,
    products: Vec<Option<T>>,
    /// Steps under way.
    running: usize,
    /// Threads that wait for something to do.
    idle: usize,
    /// Why nothing is started any more.
    end: Option<End<E>>,
}

/// How a build ended that did not come to its end.
enum End<E> {
    Failed(E),
    Panicked(Box<dyn Any + Send>),
}

impl<'a, T, E, P, C> Crew<'a, T, E, P, C>
where
    T: Clone + Send,
    E: Send,
    P: Fn(StepId, Vec<T>) -> Result<T, E> + Sync,
    C: Fn(Option<&E>) + Sync,
{
    /// Takes one step after the other until all is done.
    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let mut state = self.state();
        loop {
            if let Some(step) = self.next(&mut state) {
                let inputs = self.plan.steps[step.index()].inputs.iter();
                let product = |input: &StepId| state.products[input.index()].clone().expect("inputs are done first");
                let inputs = inputs.map(product).collect();
                state.running += 1;
                // Whoever comes calls the next one.
                if self.can_begin(&state) {
                    if state.idle > 0 {
                        self.news.notify_one();
                    } else {
                        scope.spawn(|| self.work(scope));
                    }
                }
                drop(state);
                // After a panic in a step those under way are to end as after a failure.
                let result = catch_unwind(AssertUnwindSafe(|| (self.perform)(step, inputs)));
                state = self.state();
                state.running -= 1;
                self.note(&mut state, step, result);
            } else if state.running == 0 {
                return self.news.notify_all();
            } else {
                state.idle += 1;
                state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }

    fn next(&self, state: &mut State<'_, T, E>) -> Option<StepId> {
        if self.can_begin(state) { state.ready.pop() } else { None }
    }

    /// Whether another step can begin, and may.
    fn can_begin(&self, state: &State<'_, T, E>) -> bool {
        state.end.is_none() && state.running < self.jobs && !state.ready.is_empty()
    }

    fn note(&self, state: &mut State<'_, T, E>, step: StepId, result: thread::Result<Result<T, E>>) {
        let end = match result {
            Ok(Ok(product)) => {
                state.products[step.index()] = Some(product);
                state.ready.done(step);
                return;
            }
            Ok(Err(error)) => End::Failed(error),
            Err(panic) => End::Panicked(panic),
        };
        // What fails after the first failure fails because it was cancelled.
        if state.end.is_none() {
            (self.cancel)(match &end {
                End::Failed(error) => Some(error),
                End::Panicked(_) => None,
            });
            state.end = Some(end);
        }
    }

    fn state(&self) -> MutexGuard<'_, State<'a, T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn what_can_begin_at_once_does() {
        // Three that wait for one another, after a step that one thread has done alone, twice.
        let plan = plan(&[&[], &[0], &[0], &[0], &[1, 2, 3], &[4], &[4], &[4]]);
        let together = std::sync::Barrier::new(3);
        let perform = |step: StepId, _: Vec<()>| {
            if ![0, 4].contains(&step.0) {
                together.wait();
            }
            Ok::<_, ()>(())
        };
        assert_eq!(schedule(&plan, 3, &[Duration::ZERO; 8], perform, |_| ()).unwrap().len(), 8);
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
        let order = Mutex::new(Vec::new());
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
