//! `build`: from inputs to an image, and to where it is wanted.

mod annotation;
pub(super) mod cache;
mod member;
mod output;
mod report;
pub(super) mod surroundings;

use layercake_cache::KeyHasher;
use layercake_compiler::plan::{Joint, Plan, Step, StepId};
use layercake_compiler::platform::Platform;
use layercake_executor::build::error::{Error, StepError};
use layercake_executor::build::event::{Event, Finish};
use layercake_executor::build::materialize;
use layercake_executor::build::site::{Bases, Form, Site, Word};
use layercake_executor::explain::recorder::Recorder;
use layercake_executor::image::descriptor::Descriptor;
use layercake_executor::image::reference::Reference;
use layercake_executor::layer::plain;
use layercake_executor::registry;
use layercake_executor::registry::client::Client;
use layercake_executor::registry::event::ignore;
use layercake_executor::remote::export::Source;
use layercake_executor::remote::{ahead, mounts};
use layercake_executor::{namespace, op};

use super::inputs::{self, Fetching, Inputs, Resolver};
use super::{call, lock};
use crate::arguments::build::Build;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::paint::Paint;
use crate::terminal::progress::Progress;
use crate::terminal::{diagnostic, output as streams};
use member::Member;
use output::Output;

/// `layercake build`.
///
/// # Errors
/// If the inputs are wrong, a step fails, or the result cannot be put where it is wanted.
pub fn run(arguments: &Build, paint: Paint) -> Result<(), Failure> {
    not_built(arguments)?;
    if let Some(question) =
        arguments.call.as_deref().or(arguments.check.then_some("check")).filter(|call| *call != "build")
    {
        return call::run(question, &arguments.inputs, paint);
    }
    let settings = Settings::read(inputs::project(&arguments.inputs))?;
    let outputs = Output::all(arguments, &settings)?;
    let names =
        arguments.tag.iter().map(|name| name.parse()).collect::<Result<Vec<Reference>, _>>().map_err(Failure::input)?;
    let cache_targets = cache::targets(&arguments.inputs.cache_to)?;
    let show = (!arguments.quiet).then_some(arguments.progress);
    // Before there are threads: a process that has some enters no user namespace.
    namespace::enter()?;
    let mut inputs = Inputs::read(&arguments.inputs, &Fetching { settings: &settings, show, paint })?;
    outputs.iter().try_for_each(|output| output.check(&inputs.platforms))?;
    inputs.locking(&arguments.locking, &arguments.inputs)?;
    let resolver = Resolver::open(&arguments.inputs, &settings)?;
    let (mut compilations, bases) = inputs.compile(&resolver, paint)?;
    let Resolver { store, client, .. } = resolver;
    let git = inputs::git_client(&arguments.inputs, &store)?;
    if arguments.locking.lock {
        let servers = lock::Servers { store: &store, client: client.as_ref(), git: &git };
        inputs.lock = Some(lock::renew(&mut compilations, &bases, &inputs, &arguments.inputs, &servers, paint)?);
    }
    let epoch = compilations.first().and_then(|first| first.program.source_date_epoch);
    let plans: Vec<Plan> = compilations.into_iter().map(|compilation| compilation.plan).collect();
    let joint = Joint::of(&plans);
    let plan = &joint.plan;

    let caches = cache::sources(&arguments.inputs.cache_from, &store, client.as_ref(), &inputs.platforms, paint)?;
    let surroundings = surroundings::read(arguments, &settings, &store)?;
    let progress = Progress::new(&joint, &plans, show, paint);
    let recorder = Recorder::default();
    let fetch = |layer: &Descriptor| fetch(&store, client.as_ref(), &bases, layer);
    let reuse = |step: &Step| inputs::reuse(&arguments.inputs, step);
    let all_stay = outputs.iter().all(|output| output.stays_as_it_is(arguments, epoch));
    let form = |step: &Step| if all_stay && plan.is_only_a_layer(step.id) { Form::Pack } else { Form::Folder };
    let listener = |event: Event<'_>| {
        recorder.event(event);
        progress.event(event);
    };
    let site = Site {
        store: &store,
        bases: &bases,
        fetch: &fetch,
        client: client.as_ref(),
        caches: &caches,
        word: Word::Anybodys,
        git: &git,
        contexts: &inputs.contexts,
        surroundings: &surroundings,
        reuse: &reuse,
        form: &form,
        jobs: arguments.inputs.jobs.unwrap_or(settings.jobs),
        epoch,
        listener: &listener,
    };
    let image = outputs.iter().find(|output| output.kind.is_image()).map(|output| output.packing(epoch));
    let products = ahead::during(&cache::goods(&cache_targets, image), plan, &store, client.as_ref(), |done| {
        let listener = |event: Event<'_>| {
            listener(event);
            if let Event::Finished { step, how: Finish::Done(took) } = event
                && let Some(key) = recorder.key(step)
            {
                done(step, key, took);
            }
        };
        materialize(plan, &Site { listener: &listener, ..site })
    });
    let kept = plans.iter().zip(&joint.places).try_for_each(|(plan, places)| {
        let subject = inputs::subject(&arguments.inputs, inputs.among(&plan.platform));
        let heard = |step: StepId| places[step.index()];
        recorder.keep(&store, &subject, plan, inputs::surroundings(&inputs, plan), heard)
    });
    // The image is no worse for it. Where there is none, that says enough.
    if let (Err(error), Ok(_)) = (kept, &products) {
        let text = format!("{} `layercake explain` will not know of this build: {error}\n", paint.yellow("note:"));
        streams::tell(&text);
    }
    let products = products.map_err(|error| {
        let members = joint.members(error.step).map(|(member, _)| &plans[member].platform);
        failed(&error, plan, members.filter_map(|platform| inputs.among(platform)), &inputs, paint)
    })?;
    let members = Member::all(&plans, &joint, &products);

    let keys = recorder.keys();
    let source = Source { plan, products: &products, keys: &keys, image, epoch, store: &store, caches: &caches };
    let is_inline = cache::is_inline(&cache_targets);
    if is_inline && !outputs.iter().any(|output| output.kind.is_image()) {
        streams::tell(&format!(
            "{} there is no image that `--cache-to type=inline` could go into\n",
            paint.yellow("note:")
        ));
    }
    let mut images = Vec::new();
    for output in &outputs {
        let cache = |member: &Member<'_>| {
            let keys = member.keys(&keys);
            let source = Source { plan: member.plan, products: &member.products, keys: &keys, ..source };
            source.inline(output.packing(epoch)).map(|index| index.field()).map_err(|error| broken(&error.into()))
        };
        let own = members.iter().filter(|_| is_inline && output.kind.is_image()).map(cache);
        let own = own.collect::<Result<Vec<_>, _>>()?;
        let image = output.kind.is_image().then(|| output.assemble(arguments, &members, &own, &site)).transpose()?;
        output.put(&members, image.as_ref(), &names, &site, client.as_ref(), paint)?;
        images.extend(image);
    }
    let mounts = || {
        let was_done = |step| recorder.was_done(step);
        mounts::of_plan(plan, &products, &was_done, &site).map_err(|error| broken(&error))
    };
    cache::put(&cache_targets, source, &mounts, client.as_ref(), paint)?;
    let mut named = names.clone();
    for name in outputs.iter().flat_map(|output| output.names(&names)) {
        if !named.contains(&name) {
            named.push(name);
        }
    }
    report::write(arguments, plan, images.first(), &named, epoch)
}

/// Brings a layer of a base image into the store, from the repository that its image came from.
fn fetch(
    store: &layercake_cache::Store,
    client: Option<&Client>,
    bases: &Bases,
    layer: &Descriptor,
) -> Result<(), registry::error::Error> {
    // Several steps may want it at once.
    let key = KeyHasher::new("layercake fetch 1").field(layer.digest.as_bytes()).finish();
    let _claim = store.claim(&key)?;
    if plain::is_at_hand(store, &layer.digest) {
        return Ok(());
    }
    let image = bases.values().find(|image| image.manifest.layers.iter().any(|known| known.digest == layer.digest));
    match (client, image.and_then(|image| image.reference.as_ref())) {
        (Some(client), Some(reference)) => client.fetch_layers(store, reference, std::slice::from_ref(layer), &ignore),
        _ => Ok(()),
    }
}

/// The failure of a step, told with the line it stands on, and with the platforms that it was for, where there are several.
pub(super) fn failed<'a>(
    error: &StepError,
    plan: &Plan,
    platforms: impl Iterator<Item = &'a Platform>,
    inputs: &Inputs,
    paint: Paint,
) -> Failure {
    let step = &plan.steps[error.step.index()];
    let message = match error.cause.as_ref() {
        // These name what failed themselves.
        Error::Run(op::run::Error::Failed { .. }) | Error::Git(_) | Error::Http(_) => error.cause.to_string(),
        cause => format!("{}: {cause}", step.origin.name),
    };
    let outdated = inputs.lock.as_ref().and_then(|lock| lock.advice(&error.cause));
    let help = outdated.or_else(|| error.cause.help());
    let line = usize::try_from(step.origin.line).unwrap_or_default();
    let source = &inputs.parsed.source;
    let place = diagnostic::render_line(&message, line, help.as_deref(), source, &inputs.file, paint);
    if let Error::Run(op::run::Error::Failed { tail, .. }) = error.cause.as_ref()
        && !tail.trim().is_empty()
    {
        let lines: Vec<&str> = tail.lines().collect();
        let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        streams::tell(&format!("{}\n{}\n\n", paint.dim("the last lines of its output:"), last.join("\n")));
    }
    streams::tell(&place);
    let platforms: Vec<String> = platforms.map(ToString::to_string).collect();
    let whose = if platforms.is_empty() { String::new() } else { format!(" for {}", platforms.join(", ")) };
    Failure::new(error.cause.fault(), format!("`{}` failed{whose}", step.origin.name))
}

/// How many lines of a failed command's output are repeated.
const TAIL_LINES: usize = 20;

/// A failure that belongs to no step.
fn broken(error: &Error) -> Failure {
    let failure = Failure::new(error.fault(), error);
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// What the arguments may say and this version cannot do.
fn not_built(arguments: &Build) -> Result<(), Failure> {
    let wanted = [
        ("--sbom", arguments.sbom.is_some()),
        ("--provenance", arguments.provenance.as_deref().is_some_and(|value| value != "false")),
        ("--timings", arguments.timings.is_some()),
        ("--on-error", arguments.on_error.is_some()),
        ("--audit", arguments.audit),
        ("--reproducible", arguments.reproducible),
        ("--read-sets", arguments.read_sets.as_deref().is_some_and(|value| value != "off")),
    ];
    match wanted.iter().find(|(_, is_wanted)| *is_wanted) {
        Some((name, _)) => Err(Failure::not_built(format!("`build {name}`"))),
        None => Ok(()),
    }
}
