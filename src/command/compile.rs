//! `compile`: the plan of a build, and what led to it. Nothing is run, and nothing is fetched but the configurations of base
//! images.

mod predict;
mod stored;

use layercake_compiler::passes::before_and_after;
use layercake_compiler::plan::Plan;
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
    let (mut compilations, bases) = inputs.compile(&resolver, paint)?;
    if arguments.locking.lock {
        let git = super::inputs::git_client(&arguments.inputs, &resolver.store)?;
        let servers = lock::Servers { store: &resolver.store, client: resolver.client.as_ref(), git: &git };
        inputs.lock = Some(lock::renew(&mut compilations, &bases, &inputs, &arguments.inputs, &servers, paint)?);
    }
    if let Some(pass) = &arguments.before_after {
        let work = |one| work_of(pass, one, &|name| inputs.passes.wants(name), paint);
        return output::result(&one_after_the_other(compilations.iter().map(work))?);
    }
    match (arguments.emit, &arguments.verify) {
        (Emit::Ast, _) => emit(arguments, &inputs.parsed.ast, || inputs.parsed.ast.to_text(&inputs.parsed.source)),
        (Emit::Program, _) => {
            let programs: Vec<_> = compilations.iter().map(|one| &one.program).collect();
            emit(arguments, &OneOrAll::of(&programs), || texts(&programs))
        }
        (Emit::Graph, _) => {
            let graphs: Vec<_> = compilations.iter().map(|one| lower(&one.program)).collect();
            emit(arguments, &OneOrAll::of(&graphs), || texts(&graphs))
        }
        (Emit::Plan, Some(path)) => {
            let text = texts(&compilations.iter().map(|one| &one.plan).collect::<Vec<_>>());
            if arguments.bless { stored::bless(&text, path, paint) } else { stored::verify(&text, path, paint) }
        }
        (Emit::Plan, None) => {
            let predicted = |one| {
                let predict = || predict::predict(&arguments.inputs, &inputs, one, &bases, &resolver, &settings, paint);
                arguments.predict.then(predict).transpose()
            };
            let predicted = compilations.iter().map(predicted).collect::<Result<Vec<_>, _>>()?;
            let printed: Vec<_> = compilations.iter().zip(predicted.iter().map(Option::as_ref)).collect();
            print(arguments.format, &printed, &inputs, paint)
        }
    }
}

/// Prints the plan of each platform, with what is expected of it.
fn print(
    format: PlanFormat,
    plans: &[(&Compilation, Option<&Predicted>)],
    inputs: &Inputs,
    paint: Paint,
) -> Result<(), Failure> {
    match format {
        PlanFormat::Text => output::result(&one_after_the_other(
            plans.iter().map(|(one, predicted)| Ok(text(&one.plan, *predicted, paint))),
        )?),
        PlanFormat::Json => {
            let documents: Vec<_> = plans.iter().map(|(one, predicted)| document(one, *predicted, inputs)).collect();
            output::json(&OneOrAll::of(&documents))
        }
        PlanFormat::Toml => {
            let values: Vec<Value> = plans.iter().map(|(one, predicted)| value(&one.plan, *predicted)).collect();
            // A document of TOML is a table.
            let values = if let [only] = values.as_slice() { only.clone() } else { json!({ "plans": values }) };
            output::result(&toml::to_string_pretty(&without_nulls(values)).expect("what has no nulls is TOML"))
        }
        PlanFormat::Dot | PlanFormat::Mermaid | PlanFormat::Svg | PlanFormat::Html => {
            let [(one, predicted)] = plans else {
                return Err(Failure::input(format!("a picture as {} shows the plan for one platform", name(&format)))
                    .help("name one with `--platform`, or print the plans with `--format text` or `--format json`"));
            };
            let (plan, forecast) = (&one.plan, predicted.map(|predicted| &predicted.forecast));
            output::result(&match format {
                PlanFormat::Dot => plan.to_dot(forecast),
                PlanFormat::Mermaid => plan.to_mermaid(forecast),
                PlanFormat::Svg => plan.to_svg(forecast),
                _ => plan.to_html(forecast),
            })
        }
    }
}

/// A plan for programs to read.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    plan: Described<'a>,
    diagnostics: Vec<Value>,
}

/// The plan itself, which may be large; or what it was expanded to.
#[derive(Serialize)]
#[serde(untagged)]
enum Described<'a> {
    Plan(&'a Plan),
    Predicted(Value),
}

fn document<'a>(compilation: &'a Compilation, predicted: Option<&Predicted>, inputs: &Inputs) -> Document<'a> {
    let plan = &compilation.plan;
    Document {
        plan: if predicted.is_some() { Described::Predicted(value(plan, predicted)) } else { Described::Plan(plan) },
        diagnostics: super::check::list(&compilation.warnings, &inputs.parsed.source),
    }
}

fn text(plan: &Plan, predicted: Option<&Predicted>, paint: Paint) -> String {
    let Some(predicted) = predicted else { return plan.to_string() };
    let misses = predicted.misses(paint.on_standard_output());
    let gap = if misses.is_empty() { "" } else { "\n" };
    format!("{}{gap}{misses}", plan.to_forecast(&predicted.forecast))
}

fn value(plan: &Plan, predicted: Option<&Predicted>) -> Value {
    let mut value = serde_json::to_value(plan).expect("a plan has only text keys");
    predicted.iter().for_each(|predicted| predicted.add_to(&mut value, plan));
    value
}

/// What is printed of one platform stands for itself; of several, in a list.
#[derive(Serialize)]
#[serde(untagged)]
enum OneOrAll<'a, T> {
    One(&'a T),
    All(&'a [T]),
}

impl<'a, T> OneOrAll<'a, T> {
    fn of(all: &'a [T]) -> Self {
        if let [only] = all { Self::One(only) } else { Self::All(all) }
    }
}

fn texts(all: &[impl ToString]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn one_after_the_other(texts: impl Iterator<Item = Result<String, Failure>>) -> Result<String, Failure> {
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
}
/// Prints what is no plan.
fn emit(arguments: &Compile, what: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
    match arguments.format {
        PlanFormat::Json => output::json(what),
        _ => output::result(&text()),
    }
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
