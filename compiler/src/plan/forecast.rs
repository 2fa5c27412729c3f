//! [`Forecast`]: what a build of a plan is expected to do, step by step. Whoever has a cache fills it in; the plan's text and
//! pictures show it.

use std::time::Duration;

use super::cost::Costs;
use super::{Plan, Step, StepId};

/// What a build is expected to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// In the plan's order.
    pub steps: Vec<Expected>,
    /// How many steps are under way at once.
    pub jobs: usize,
}

/// What is expected of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Whether it will be done.
    pub outlook: Outlook,
    /// Why, in a few words; empty where there is nothing to say.
    pub reason: String,
    /// How long it took in earlier builds, if it has been done before.
    pub past: Option<Duration>,
}

/// Whether a step will be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outlook {
    /// There is nothing to do: it is a base image, a context, a file of the Dockerfile, or a stack of what others make.
    Given,
    /// The cache has it.
    Hit,
    /// It will be done.
    Miss,
    /// That will be known when others have been done, or when somebody has been asked.
    Unknown,
}

impl Outlook {
    /// In a word; also a class of the drawings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Unknown => "unknown",
        }
    }
}

/// The time between the least and the most that a build may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// If the cache has every step that is unknown.
    pub least: Duration,
    /// If it has none of them.
    pub most: Duration,
}

impl Forecast {
    /// What is expected of a step.
    #[must_use]
    pub fn of(&self, step: StepId) -> &Expected {
        &self.steps[step.index()]
    }

    /// How many steps have this outlook.
    #[must_use]
    pub fn count(&self, outlook: Outlook) -> usize {
        self.steps.iter().filter(|step| step.outlook == outlook).count()
    }

    /// Steps that may be done and have never been, so that their time is a guess.
    #[must_use]
    pub fn guesses(&self) -> usize {
        let may_be_done = |step: &&Expected| matches!(step.outlook, Outlook::Miss | Outlook::Unknown);
        self.steps.iter().filter(may_be_done).filter(|step| step.past.is_none()).count()
    }

    /// What steps cost if every step that is unknown has to be done.
    #[must_use]
    pub fn costs(&self, plan: &Plan) -> Costs {
        let known = |step: &Step| self.of(step.id).past;
        Costs::new(plan, known).without(|step| matches!(self.of(step).outlook, Outlook::Given | Outlook::Hit))
    }

    /// How long the build takes; nothing if nothing that it may do has been done before.
    #[must_use]
    pub fn span(&self, plan: &Plan) -> Option<Span> {
        let open = self.count(Outlook::Miss) + self.count(Outlook::Unknown);
        if open > 0 && self.guesses() == open {
            return None;
        }
        let most = self.costs(plan);
        let least = most.clone().without(|step| self.of(step).outlook == Outlook::Unknown);
        Some(Span { least: least.makespan(plan, self.jobs), most: most.makespan(plan, self.jobs) })
    }

    /// The steps that decide how long the build takes, the last first: the longest path through the time of those that
    /// may be done. Empty if nothing has to be done.
    #[must_use]
    pub fn critical(&self, plan: &Plan) -> Vec<StepId> {
        let costs = self.costs(plan);
        let path = longest_path(plan, |step| costs.of(step.id).as_nanos()).into_iter();
        path.take_while(|(_, length)| *length > 0).map(|(step, _)| step).collect()
    }

    /// The whole, in a line: `2 hits, 1 miss, 1 unknown; 1.2 s to 4 s with 16 jobs`.
    #[must_use]
    pub fn summary(&self, plan: &Plan) -> String {
        let count = |outlook, one: &str, more: &str| match self.count(outlook) {
            1 => format!("1 {one}"),
            number => format!("{number} {more}"),
        };
        let counts = [
            count(Outlook::Hit, "hit", "hits"),
            count(Outlook::Miss, "miss", "misses"),
            count(Outlook::Unknown, "unknown", "unknown"),
        ];
        let jobs = if self.jobs == 1 { "1 job".to_owned() } else { format!("{} jobs", self.jobs) };
        if self.count(Outlook::Miss) + self.count(Outlook::Unknown) == 0 {
            return format!("{}; nothing has to be done", counts.join(", "));
        }
        let time = match self.span(plan) {
            None => "how long that takes is not known yet".to_owned(),
            Some(Span { least, most }) if spoken(least) == spoken(most) => {
                format!("about {} with {jobs}", spoken(most))
            }
            Some(Span { least, most }) => format!("{} to {} with {jobs}", spoken(least), spoken(most)),
        };
        let guesses = match (self.span(plan), self.guesses()) {
            (None, _) | (_, 0) => String::new(),
            (_, 1) => ", 1 step guessed".to_owned(),
            (_, guesses) => format!(", {guesses} steps guessed"),
        };
        format!("{}; {time}{guesses}", counts.join(", "))
    }
}

impl Expected {
    /// The time that the step will take, if it may be done and that is known.
    #[must_use]
    pub fn time(&self) -> Option<Duration> {
        self.past.filter(|_| matches!(self.outlook, Outlook::Miss | Outlook::Unknown))
    }
}

/// The longest path that leads to the result, backwards, each step with the length of the path up to it. Of equally long
/// ways it is the one through the tree below.
pub(super) fn longest_path(plan: &Plan, weight: impl Fn(&Step) -> u128) -> Vec<(StepId, u128)> {
    let mut length = vec![0_u128; plan.steps.len()];
    let mut before: Vec<Option<StepId>> = vec![None; plan.steps.len()];
    for step in &plan.steps {
        let longest = step.inputs.iter().copied().rev().max_by_key(|input| length[input.index()]);
        length[step.id.index()] = longest.map_or(0, |input| length[input.index()]) + weight(step);
        before[step.id.index()] = longest;
    }
    let path = std::iter::successors(Some(plan.result), |step| before[step.index()]);
    path.map(|step| (step, length[step.index()])).collect()
}

/// A time as people say it: `12 ms`, `3.4 s`, `2 min 5 s`, `12 min`, `2 h 5 min`.
#[must_use]
pub fn spoken(time: Duration) -> String {
    match (time.as_secs(), time.as_millis()) {
        (0, milliseconds) => format!("{milliseconds} ms"),
        (1..10, _) => format!("{:.1} s", time.as_secs_f64()),
        (seconds @ 10..60, _) => format!("{seconds} s"),
        (seconds @ 60..600, _) => format!("{} min {} s", seconds / 60, seconds % 60),
        (seconds @ 600..3600, _) => format!("{} min", seconds / 60),
        (seconds, _) => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cost::tests::plan;
    use super::*;

    /// Steps by their first letters, with their past in seconds; 0 is none.
    fn forecast(steps: &[(char, u64)]) -> Forecast {
        let outlook = |letter| match letter {
            'g' => Outlook::Given,
            'h' => Outlook::Hit,
            'm' => Outlook::Miss,
            _ => Outlook::Unknown,
        };
        let expected = |(letter, past): &(char, u64)| Expected {
            outlook: outlook(*letter),
            reason: String::new(),
            past: Some(Duration::from_secs(*past)).filter(|past| !past.is_zero()),
        };
        Forecast { steps: steps.iter().map(expected).collect(), jobs: 2 }
    }

    fn path(plan: &Plan, forecast: &Forecast) -> Vec<u32> {
        forecast.critical(plan).iter().map(|step| step.0).collect()
    }

    #[test]
    fn the_critical_path_goes_through_what_takes_longest() {
        let plan = plan(&[&[], &[0], &[1], &[2], &[0], &[3, 4]]);
        let slow = forecast(&[('g', 0), ('m', 1), ('u', 1), ('u', 1), ('m', 9), ('u', 1)]);
        assert_eq!(path(&plan, &slow), [5, 4]);
        let there = forecast(&[('g', 0), ('m', 1), ('u', 1), ('u', 1), ('h', 9), ('u', 1)]);
        assert_eq!(path(&plan, &there), [5, 3, 2, 1], "what the cache has takes no time");
        let done = forecast(&[('g', 0), ('h', 1), ('h', 1), ('h', 1), ('h', 9), ('h', 1)]);
        assert_eq!(path(&plan, &done), [0; 0], "nothing has to be done");
    }

    #[test]
    fn what_is_unknown_makes_a_span() {
        let plan = plan(&[&[], &[0], &[1], &[0], &[2, 3]]);
        let forecast = forecast(&[('g', 0), ('m', 2), ('u', 70), ('h', 500), ('u', 0)]);
        let span = forecast.span(&plan).map(|span| (span.least.as_secs(), span.most.as_secs()));
        // The last has no past, and counts as the median of 2, 70 and 500.
        assert_eq!(span, Some((2, 2 + 70 + 70)));
        assert_eq!(
            forecast.summary(&plan),
            "1 hit, 1 miss, 2 unknown; 2.0 s to 2 min 22 s with 2 jobs, 1 step guessed"
        );
    }

    #[test]
    fn times_are_said_as_exactly_as_they_are_known() {
        let said = |milliseconds| spoken(Duration::from_millis(milliseconds));
        let times = [0, 999, 1_000, 9_940, 59_999, 60_000, 599_999, 600_000, 3_599_999, 3_600_000, 90_000_000];
        let words = [
            "0 ms",
            "999 ms",
            "1.0 s",
            "9.9 s",
            "59 s",
            "1 min 0 s",
            "9 min 59 s",
            "10 min",
            "59 min",
            "1 h 0 min",
            "25 h 0 min",
        ];
        assert_eq!(times.map(said), words);
    }

    #[test]
    fn without_a_past_there_is_no_time() {
        let plan = plan(&[&[], &[0], &[1]]);
        let nothing = forecast(&[('g', 0), ('m', 0), ('u', 0)]);
        assert_eq!(nothing.summary(&plan), "0 hits, 1 miss, 1 unknown; how long that takes is not known yet");
        let all = Forecast { jobs: 1, ..forecast(&[('g', 0), ('h', 0), ('h', 5)]) };
        assert_eq!(all.summary(&plan), "2 hits, 0 misses, 0 unknown; nothing has to be done");
    }
}
