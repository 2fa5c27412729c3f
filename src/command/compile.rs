//! `compile`: the plan of a build, and what led to it. Nothing is run, and nothing is fetched but the configurations of base
//! images.

mod predict;
mod stored;

use layercake_compiler::passes::before_and_after;
use layercake_compiler::{Broken, Compilation, lower};
use layercake_executor::fault::Fault;
use layercake_executor::namespace;
use serde::Serialize;
use serde_json::{Value, json};

use self::predict::Predicted;
use super::inputs::{Fetching, Inputs, Resolver};
use super::lock;
use crate::arguments::build::{Compile, Emit, PlanFormat};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::difference::unified;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// `layercake compile`.
///
/// # Errors
/// If the Dockerfile is wrong, a base image cannot be found out about, or the plan is not the one that it should be.
pub fn run(arguments: &Compile, paint: Paint) -> Result<(), Failure> {
    check(arguments)?;
    let settings = Settings::read(super::inputs::project(&arguments.inputs))?;
    if arguments.predict {
        // Trees that files are taken from are mounted. Before there are threads: a process that has some enters no user
        // namespace.
        namespace::enter()?;
    }
    let mut inputs = Inputs::read(&arguments.inputs, &Fetching::new(&settings, paint))?;
    inputs.locking(&arguments.locking, &arguments.inputs)?;
    if arguments.emit == Emit::Ast && !arguments.locking.lock {
        // What stands in a file can be told without knowing what it means; what is wrong with it is told all the same.
        inputs.tell(&inputs.parsed.diagnostics, paint);
        return emit(arguments, &inputs.parsed.ast, || inputs.parsed.ast.to_text(&inputs.parsed.source));
    }
    let resolver = Resolver::open(&arguments.inputs, &settings)?;
    let (mut compilation, bases) = inputs.compile(&resolver, paint)?;
    if arguments.locking.lock {
        let git = super::inputs::git_client(&arguments.inputs, &resolver.store)?;
        let servers = lock::Servers { store: &resolver.store, client: resolver.client.as_ref(), git: &git };
        inputs.lock = Some(lock::renew(&mut compilation.plan, &bases, &inputs, &arguments.inputs, &servers, paint)?);
    }
    if let Some(pass) = &arguments.before_after {
        return output::result(&work_of(pass, &compilation, &|name| inputs.passes.wants(name), paint)?);
    }
    let program = &compilation.program;
    match (arguments.emit, &arguments.verify) {
        (Emit::Ast, _) => emit(arguments, &inputs.parsed.ast, || inputs.parsed.ast.to_text(&inputs.parsed.source)),
        (Emit::Program, _) => emit(arguments, program, || program.to_string()),
        (Emit::Graph, _) => {
            let graph = lower(program);
            emit(arguments, &graph, || graph.to_string())
        }
        (Emit::Plan, Some(path)) if arguments.bless => stored::bless(&compilation.plan, path, paint),
        (Emit::Plan, Some(path)) => stored::verify(&compilation.plan, path, paint),
        (Emit::Plan, None) => {
            let predicted = if arguments.predict {
                Some(predict::predict(&arguments.inputs, &inputs, &compilation, &bases, &resolver, &settings, paint)?)
            } else {
                None
            };
            print(arguments.format, &compilation, &inputs, predicted.as_ref(), paint)
        }
    }
}

fn print(
    format: PlanFormat,
    compilation: &Compilation,
    inputs: &Inputs,
    predicted: Option<&Predicted>,
    paint: Paint,
) -> Result<(), Failure> {
    let plan = &compilation.plan;
    let forecast = predicted.map(|predicted| &predicted.forecast);
    let value = || {
        let mut value = serde_json::to_value(plan).expect("a plan has only text keys");
        predicted.iter().for_each(|predicted| predicted.add_to(&mut value, plan));
        value
    };
    match format {
        PlanFormat::Text => output::result(&match predicted {
            None => plan.to_string(),
            Some(predicted) => {
                let misses = predicted.misses(paint.on_standard_output());
                let gap = if misses.is_empty() { "" } else { "\n" };
                format!("{}{gap}{misses}", plan.to_forecast(&predicted.forecast))
            }
        }),
        PlanFormat::Json => {
            let mut plan = value();
            plan["diagnostics"] = json!(super::check::list(&compilation.warnings, &inputs.parsed.source));
            output::line(&pretty(&plan))
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

/// Prints what is no plan.
fn emit(arguments: &Compile, what: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
    match arguments.format {
        PlanFormat::Json => output::line(&pretty(what)),
        _ => output::result(&text()),
    }
}

fn pretty(what: &impl Serialize) -> String {
    serde_json::to_string_pretty(what).expect("it has only text keys")
}

/// What a pass does, in a sentence and in a difference.
fn work_of(
    name: &str,
    compilation: &Compilation,
    wants: &dyn Fn(&str) -> bool,
    paint: Paint,
) -> Result<String, Failure> {
    let pass = super::inputs::pass(name)?;
    let (before, after) = before_and_after(&compilation.program, pass, wants).map_err(|error| broken(&error))?;
    let (old, new) = (format!("before {name}"), format!("after {name}"));
    let difference = unified((&old, &before.to_string()), (&new, &after.to_string()), paint.on_standard_output());
    let difference = if difference.is_empty() { "nothing to do here\n".to_owned() } else { difference };
    Ok(format!("# {}: {}\n{difference}", pass.name, pass.summary))
}

/// A defect of a pass: it is named, and the graph is shown.
fn broken(error: &Broken) -> Failure {
    Failure::new(Fault::Bug, error).help("report this, with the Dockerfile: it is a defect of layercake")
}

/// Refuses arguments that do not go together.
fn check(arguments: &Compile) -> Result<(), Failure> {
    let format = arguments.format;
    let is_plain = format == PlanFormat::Text;
    if arguments.emit != Emit::Plan && !is_plain && format != PlanFormat::Json {
        let (emit, format) = (name(&arguments.emit), name(&format));
        return Err(Failure::input(format!("`--emit {emit}` cannot be printed as {format}: that is for plans"))
            .help("leave out `--format`, or write `--format json`"));
    }
    let compared = [("--verify", arguments.verify.is_some()), ("--before-after", arguments.before_after.is_some())];
    match compared.iter().find(|(_, is_wanted)| *is_wanted && !is_plain) {
        Some((option, _)) => {
            Err(Failure::input(format!("`{option}` compares texts, and knows no `--format {}`", name(&format)))
                .help("leave out `--format`"))
        }
        None => Ok(()),
    }
}

/// A value of an argument as it is written.
fn name(value: &impl clap::ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
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
