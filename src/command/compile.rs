//! `compile`: the plan of a build. Nothing is run, and nothing is fetched but the configurations of base images.

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
    let inputs = Inputs::read(&arguments.inputs, &Fetching::new(&settings, paint))?;
    let store = super::inputs::open_store(&settings)?;
    let client = registry::client_unless(arguments.inputs.offline, &settings);
    let freshness = super::inputs::freshness(&arguments.inputs);
    let resolver = Resolver { store: &store, client: client.as_ref(), freshness };
    let (compilation, _) = inputs.compile(&resolver, paint)?;
    match arguments.format {
        PlanFormat::Text => output::result(&compilation.plan.to_string()),
        PlanFormat::Json => {
            let mut plan = serde_json::to_value(&compilation.plan).expect("a plan has only text keys");
            plan["diagnostics"] = json!(super::check::list(&compilation.warnings, &inputs.parsed.source));
            output::line(&serde_json::to_string_pretty(&plan).expect("a value is always JSON"))
        }
        PlanFormat::Toml => {
            let plan = serde_json::to_value(&compilation.plan).expect("a plan has only text keys");
            output::result(&toml::to_string_pretty(&without_nulls(plan)).expect("what has no nulls is TOML"))
        }
        PlanFormat::Dot => output::result(&compilation.plan.to_dot(None)),
        PlanFormat::Mermaid => output::result(&compilation.plan.to_mermaid(None)),
        PlanFormat::Svg => output::result(&compilation.plan.to_svg(None)),
        PlanFormat::Html => output::result(&compilation.plan.to_html(None)),
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
        ("--predict", arguments.predict),
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
