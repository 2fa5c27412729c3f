//! `compile`: the plan of a build. Nothing is run, and nothing is fetched but the configurations of base images.

mod predict;

use layercake_executor::namespace;
use serde_json::{Value, json};

use super::inputs::{Fetching, Inputs, Resolver};
use super::registry;
use crate::arguments::build::{Compile, Emit, PlanFormat};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// `layercake compile`.
///
/// # Errors
/// If the Dockerfile is wrong, or a base image cannot be found out about.
pub fn run(arguments: &Compile, paint: Paint) -> Result<(), Failure> {
    not_built(arguments)?;
    let settings = Settings::read(super::inputs::project(&arguments.inputs))?;
    if arguments.predict {
        // Trees that files are taken from are mounted. Before there are threads: a process that has some enters no user
        // namespace.
        namespace::enter()?;
    }
    let inputs = Inputs::read(&arguments.inputs, &Fetching::new(&settings, paint))?;
    let store = super::inputs::open_store(&settings)?;
    let client = registry::client_unless(arguments.inputs.offline, &settings);
    let freshness = super::inputs::freshness(&arguments.inputs);
    let resolver = Resolver { store: &store, client: client.as_ref(), freshness };
    let (compilation, bases) = inputs.compile(&resolver, paint)?;
    let plan = &compilation.plan;
    let predicted = if arguments.predict {
        Some(predict::predict(&arguments.inputs, &inputs, &compilation, &bases, &resolver, &settings, paint)?)
    } else {
        None
    };
    let forecast = predicted.as_ref().map(|predicted| &predicted.forecast);
    let value = || {
        let mut value = serde_json::to_value(plan).expect("a plan has only text keys");
        predicted.iter().for_each(|predicted| predicted.add_to(&mut value, plan));
        value
    };
    match arguments.format {
        PlanFormat::Text => {
            output::result(&forecast.map_or_else(|| plan.to_string(), |forecast| plan.to_forecast(forecast)))
        }
        PlanFormat::Json => {
            let mut plan = value();
            plan["diagnostics"] = json!(super::check::list(&compilation.warnings, &inputs.parsed.source));
            output::line(&serde_json::to_string_pretty(&plan).expect("a value is always JSON"))
        }
        PlanFormat::Toml => {
            output::result(&toml::to_string_pretty(&without_nulls(value())).expect("what has no nulls is TOML"))
        }
        PlanFormat::Dot => output::result(&plan.to_dot(forecast)),
        PlanFormat::Mermaid => output::result(&plan.to_mermaid(forecast)),
        PlanFormat::Svg => output::result(&plan.to_svg(forecast)),
        PlanFormat::Html => output::result(&plan.to_html(forecast)),
    }
}

/// A value as TOML can have it: what is null is left out.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

fn not_built(arguments: &Compile) -> Result<(), Failure> {
    let wanted = [
        ("--emit", arguments.emit != Emit::Plan),
        ("--before-after", arguments.before_after.is_some()),
        ("--verify", arguments.verify.is_some()),
        ("--bless", arguments.bless),
        ("--lock", arguments.lock),
        ("--locked", arguments.locked),
    ];
    match wanted.iter().find(|(_, is_wanted)| *is_wanted) {
        Some((name, _)) => Err(Failure::not_built(format!("`compile {name}`"))),
        None => Ok(()),
    }
}
