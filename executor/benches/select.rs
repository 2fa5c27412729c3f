//! How long it takes to tell what a `COPY` would take: the walk over a context, with and without what is known of its files.

#![allow(clippy::unwrap_used, reason = "what is measured has to work")]
#![allow(missing_docs, reason = "criterion's macros make functions without them")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use layercake_cache::Store;
use layercake_compiler::ignore::Ignore;
use layercake_executor::select::{Memo, Owners, Root, Verdict, select_listed};
use rustix::fs::FileType;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Files of a context.
const SIZES: [usize; 2] = [1_000, 10_000];

/// An ignore file as repositories have it; nothing that is there matches.
const IGNORED: &str =
    "**/node_modules\n**/*.log\n.git\n**/__pycache__\n*.md\n!README.md\n**/.DS_Store\ndist\n.env*\ncoverage\n";

/// What is asked about each path.
type Filter<'a> = dyn Fn(&Path, FileType) -> Verdict + Sync + 'a;

/// A hundred files to a folder.
fn context(files: usize) -> tempfile::TempDir {
    let context = tempfile::tempdir().unwrap();
    for number in 0..files {
        let file = context.path().join(format!("d{:03}/f{:02}.txt", number / 100, number % 100));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{number}\n").repeat(100)).unwrap();
    }
    context
}

/// What a build asks that finds everything as it was.
fn selecting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("select");
    group.sample_size(20);
    let state = tempfile::tempdir().unwrap();
    let store = Store::open(&state.path().join("store")).unwrap();
    let contexts = SIZES.map(|files| (files, context(files)));
    // Only what has not been touched for a while is remembered.
    std::thread::sleep(Duration::from_secs(4));
    let ignore = Ignore::parse(IGNORED).unwrap();
    let all = |_: &Path, _: FileType| Verdict::Take;
    let ignoring = |path: &Path, _: FileType| match ignore.excludes(&path.to_string_lossy()) {
        true => Verdict::Skip,
        false => Verdict::Take,
    };
    let filters: [(&str, &Filter<'_>); 2] = [("known", &all), ("known, with an ignore file", &ignoring)];
    for (files, context) in &contexts {
        let root = Root::open(context.path()).unwrap();
        let whole = [PathBuf::new()];
        let selected =
            |filter, memo: Option<&Memo<'_>>| select_listed(&root, &whole, Owners::Ignored, filter, memo).unwrap().0.id;
        group.throughput(Throughput::Elements(*files as u64));
        group.bench_function(BenchmarkId::new("new", files), |bencher| bencher.iter(|| selected(&all, None)));
        for (name, filter) in filters {
            group.bench_function(BenchmarkId::new(name, files), |bencher| {
                bencher.iter(|| {
                    let memo = Memo::load(&store, context.path()).unwrap();
                    let id = selected(filter, Some(&memo));
                    memo.save().unwrap();
                    id
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, selecting);
criterion_main!(benches);
