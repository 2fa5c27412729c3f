//! `compile --predict`: what the next build would find in the store, and how long the rest takes.

use layercake_cache::ContentKey;
use layercake_compiler::Compilation;
use layercake_compiler::plan::{Expected, Forecast, Outlook, Plan, Step};
use layercake_executor::build::site::{Bases, Site};
use layercake_executor::build::{past, predict as executor};
use layercake_executor::remote::caches::Caches;
use serde_json::{Value, json};

use crate::arguments::inputs as arguments;
use crate::command::build::{failed, surroundings};
use crate::command::inputs::{self, Inputs, Resolver};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::paint::Paint;

/// What is expected of the next build.
pub(super) struct Predicted {
    /// For the plan's text and pictures.
    pub(super) forecast: Forecast,
    /// The keys of the steps, where they are known.
    keys: Vec<Option<ContentKey>>,
}

/// Predicts a build with these arguments.
///
/// # Errors
/// If an argument means nothing, or a step cannot be done as far as can be told.
pub(super) fn predict(
    arguments: &arguments::Inputs,
    inputs: &Inputs,
    compilation: &Compilation,
    bases: &Bases,
    resolver: &Resolver<'_>,
    settings: &Settings,
    paint: Paint,
) -> Result<Predicted, Failure> {
    let (plan, store) = (&compilation.plan, resolver.store);
    let reuse = |step: &Step| inputs::reuse(arguments, step);
    let jobs = arguments.jobs.unwrap_or(settings.jobs);
    let site = Site {
        store,
        bases,
        fetch: &|_| Ok(()),
        client: resolver.client,
        caches: &Caches::default(),
        git: &inputs::git_client(arguments, store)?,
        contexts: &inputs.contexts,
        surroundings: &surroundings::unprepared(arguments, settings)?,
        reuse: &reuse,
        jobs,
        epoch: compilation.program.source_date_epoch,
        listener: &|_| (),
    };
    let found = executor::predict(plan, &site).map_err(|error| failed(&error, plan, inputs, paint))?;
    let expected = |(step, prediction): (&Step, &executor::Prediction)| {
        let past = if prediction.outlook == Outlook::Given { None } else { past::of(store, step)? };
        let reason = prediction.reason.map_or_else(String::new, |reason| reason.to_string());
        Ok(Expected { outlook: prediction.outlook, reason, past })
    };
    let steps = plan.steps.iter().zip(&found).map(expected).collect::<Result<_, layercake_cache::Error>>()?;
    let keys = found.iter().map(|prediction| prediction.key).collect();
    Ok(Predicted { forecast: Forecast { steps, jobs }, keys })
}

impl Predicted {
    /// Adds to each step of a plan that is written for programs what is expected of it, and to the whole what follows.
    pub(super) fn add_to(&self, value: &mut Value, plan: &Plan) {
        let steps = value["steps"].as_array_mut().into_iter().flatten();
        for (step, (expected, key)) in steps.zip(self.forecast.steps.iter().zip(&self.keys)) {
            step["key"] = json!(key.map(|key| key.to_string()));
            step["state"] = json!(expected.outlook.name());
            step["reason"] = json!(Some(&expected.reason).filter(|reason| !reason.is_empty()));
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
