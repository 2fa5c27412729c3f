//! How long the way from text to plan takes, and how that grows with the file.

#![allow(clippy::unwrap_used, reason = "what is measured has to work")]
#![allow(missing_docs, reason = "criterion's macros make functions without them")]

mod dockerfile;
mod recorded;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use layercake_compiler::platform::Platform;
use layercake_compiler::{BaseImage, Bases, Compilation, Outcome, Parsed, Request, compile, parse};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Instructions of the files whose growth is measured; a tenth of it are stages.
const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// Compiles; every base image is there and says nothing.
fn compiled(parsed: &Parsed) -> Box<Compilation> {
    let (request, mut bases) = (Request::new(Platform::new("linux", "amd64", "")), Bases::new());
    loop {
        match compile(parsed, &request, &bases).unwrap() {
            Outcome::Compiled(compilation) => return compilation,
            Outcome::NeedsBases(requests) => requests.iter().for_each(|request| {
                let (platform, config) = (request.platform.clone(), Default::default());
                bases.insert(request, BaseImage { digest: None, platform, config, author: None });
            }),
        }
    }
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let written = dockerfile::services(1_000);
    group.throughput(Throughput::Bytes(written.len() as u64));
    group.bench_function("written", |bencher| bencher.iter_with_large_drop(|| parse(&written)));
    let recorded = recorded::dockerfiles();
    if !recorded.is_empty() {
        group.throughput(Throughput::Bytes(recorded.iter().map(String::len).sum::<usize>() as u64));
        let all = || recorded.iter().map(|text| parse(text)).collect::<Vec<_>>();
        group.bench_function("recorded", |bencher| bencher.iter_with_large_drop(all));
    }
    group.finish();
}

/// Writes a Dockerfile of so many instructions.
type Writer = fn(usize) -> String;

/// Text to plan. Every target is measured with the parsing of its file and without.
fn compiling(criterion: &mut Criterion) {
    let shapes: [(&str, Writer); 3] =
        [("services", dockerfile::services), ("chain", dockerfile::chain), ("environments", dockerfile::environments)];
    for (shape, write) in shapes {
        let mut group = criterion.benchmark_group(shape);
        group.sample_size(20);
        for size in SIZES {
            let text = write(size / dockerfile::INSTRUCTIONS);
            group.throughput(Throughput::Elements(size as u64));
            let both = BenchmarkId::new("parse and compile", size);
            group.bench_function(both, |bencher| bencher.iter_with_large_drop(|| compiled(&parse(&text))));
            let parsed = parse(&text);
            let alone = BenchmarkId::new("compile", size);
            group.bench_function(alone, |bencher| bencher.iter_with_large_drop(|| compiled(&parsed)));
            let plan = compiled(&parsed).plan;
            let printing = BenchmarkId::new("print", size);
            group.bench_function(printing, |bencher| {
                bencher.iter_batched(|| (), |()| plan.to_string(), BatchSize::LargeInput);
            });
        }
        group.finish();
    }
}

/// Stages of `services` whose plan has a thousand steps.
const THOUSAND: usize = 200;

/// A plan of a thousand steps in each form.
fn writing(criterion: &mut Criterion) {
    let plan = compiled(&parse(&dockerfile::services(THOUSAND))).plan;
    assert!((1_000..1_100).contains(&plan.steps.len()), "{} steps", plan.steps.len());
    let mut group = criterion.benchmark_group(format!("plan of {} steps", plan.steps.len()));
    group.sample_size(20);
    let mut form = |name: &str, write: &dyn Fn() -> String| {
        group.bench_function(name, |bencher| bencher.iter_with_large_drop(write));
    };
    form("text", &|| plan.to_string());
    form("json", &|| serde_json::to_string_pretty(&plan).unwrap());
    form("dot", &|| plan.to_dot(None));
    form("mermaid", &|| plan.to_mermaid(None));
    form("svg", &|| plan.to_svg(None));
    form("html", &|| plan.to_html(None));
    group.finish();
}

criterion_group!(benches, parsing, compiling, writing);
criterion_main!(benches);
