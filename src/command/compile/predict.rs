//! `compile --predict`: what the next build would find in the store, why it misses what it does not find, and how long that takes.

use layercake_compiler::Compilation;
use layercake_compiler::plan::{Expected, Forecast, Outlook, Plan, Step};
use layercake_executor::build::site::{Bases, Form, Site, Word};
use layercake_executor::build::{past, predict as executor};
use layercake_executor::explain::explanation::{Explained, State, explain_predicted};
use layercake_executor::explain::reason::Reason;
use serde_json::{Value, json};

use crate::arguments::inputs as arguments;
use crate::command::build::{cache, failed, surroundings};
use crate::command::explain::text::{Tense, misses};
use crate::command::explain::words::short;
use crate::command::inputs::{self, Inputs, Resolver};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::paint::Paint;

/// What is expected of the next build.
pub(super) struct Predicted {
    /// For the plan's text and pictures.
    pub(super) forecast: Forecast,
    /// What was found out about each step.
    found: Vec<executor::Prediction>,
    /// Why steps are misses, of those that can be.
    explained: Vec<Explained>,
}

/// How many characters of a reason have place beside the plan's text.
const WIDTH: usize = 27;

/// Predicts a build with these arguments.
///
/// # Errors
/// If an argument means nothing, or a step cannot be done as far as can be told.
pub(super) fn predict(
    arguments: &arguments::Inputs,
    inputs: &Inputs,
    compilation: &Compilation,
    bases: &Bases,
    resolver: &Resolver,
    settings: &Settings,
    paint: Paint,
) -> Result<Predicted, Failure> {
    let (plan, store) = (&compilation.plan, &resolver.store);
    let reuse = |step: &Step| inputs::reuse(arguments, step);
    let platforms = std::slice::from_ref(&plan.platform);
    let caches = cache::sources(&arguments.cache_from, store, resolver.client.as_ref(), platforms, paint)?;
    let caches = caches.unfetched();
    let jobs = arguments.jobs.unwrap_or(settings.jobs);
    let site = Site {
        store,
        bases,
        fetch: &|_| Ok(()),
        client: resolver.client.as_ref(),
        caches: &caches,
        word: Word::Anybodys,
        git: &inputs::git_client(arguments, store)?,
        contexts: &inputs.contexts,
        surroundings: &surroundings::unprepared(arguments, settings)?,
        reuse: &reuse,
        form: &|_| Form::Folder,
        jobs,
        epoch: compilation.program.source_date_epoch,
        listener: &|_| (),
    };
    let found = executor::predict(plan, &site)
        .map_err(|error| failed(&error, plan, inputs.among(&plan.platform).into_iter(), inputs, paint))?;
    let (subject, known) =
        (inputs::subject(arguments, inputs.among(&plan.platform)), inputs::surroundings(inputs, plan));
    let explained = explain_predicted(store, &subject, plan, known, &found)?;
    let expected = |(step, prediction): (&Step, &executor::Prediction)| {
        let past = if prediction.outlook == Outlook::Given { None } else { past::of(store, step)? };
        let remark = prediction.remark.map(|remark| remark.to_string());
        let reason = remark.unwrap_or_else(|| in_short(reasons(&explained, step)));
        Ok(Expected { outlook: prediction.outlook, reason, past })
    };
    let steps = plan.steps.iter().zip(&found).map(expected).collect::<Result<_, layercake_cache::Error>>()?;
    Ok(Predicted { forecast: Forecast { steps, jobs }, found, explained })
}

/// Why a step is a miss, or another than before.
fn reasons<'a>(explained: &'a [Explained], step: &Step) -> &'a [Reason] {
    let found = explained.binary_search_by_key(&step.id, |explained| explained.step.id);
    found.map_or(&[], |place| &explained[place].reasons)
}

/// The first of several reasons, and that there are more.
fn in_short(reasons: &[Reason]) -> String {
    match reasons {
        [] => String::new(),
        [only] => short(only, WIDTH),
        [first, others @ ..] => {
            let more = format!(" +{}", others.len());
            short(first, WIDTH - more.len()) + &more
        }
    }
}

impl Predicted {
    /// What is missed, in the words that `explain` will have for it.
    pub(super) fn misses(&self, paint: Paint) -> String {
        let missed: Vec<&Explained> =
            self.explained.iter().filter(|explained| explained.state == State::Miss).collect();
        misses(&missed, Tense::Future, paint)
    }

    /// Adds to each step of a plan that is written for programs what is expected of it, and to the whole what follows.
    pub(super) fn add_to(&self, value: &mut Value, plan: &Plan) {
        let steps = value["steps"].as_array_mut().into_iter().flatten();
        for ((step, planned), (expected, found)) in
            steps.zip(&plan.steps).zip(self.forecast.steps.iter().zip(&self.found))
        {
            let is_keyed = expected.outlook != Outlook::Given;
            step["key"] = json!(found.key().filter(|_| is_keyed).map(|key| key.to_string()));
            step["state"] = json!(expected.outlook.name());
            step["reason"] = json!(Some(&expected.reason).filter(|reason| !reason.is_empty()));
            step["reasons"] = json!(reasons(&self.explained, planned));
            step["seconds"] = json!(expected.time().map(|time| time.as_secs_f64()));
        }
        let forecast = &self.forecast;
        let span = forecast.span(plan);
        value["forecast"] = json!({
            "hits": forecast.count(Outlook::Hit),
            "misses": forecast.count(Outlook::Miss),
            "unknown": forecast.count(Outlook::Unknown),
            "guessed": forecast.guesses(),
            "jobs": forecast.jobs,
            "least_seconds": span.map(|span| span.least.as_secs_f64()),
            "most_seconds": span.map(|span| span.most.as_secs_f64()),
            "critical": forecast.critical(plan),
        });
    }
}
