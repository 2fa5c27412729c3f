//! Strategies for [`Program`]s: small ones, in which few paths meet often.

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select, subsequence};

use super::program::{Base, Change, Context, Edit, Entry, Form, Instruction, Mount, Program, Rewrite, Source, Stage};

/// Names in a context. The first two are always there.
const NAMES: [&str; 9] = ["a", "dir/c", "b.txt", "dir/d.txt", "dir/sub/e", "z/f", "link", "dirlink", "dir/up"];

/// What `link`, `dirlink` and `dir/up` lead to.
fn target(name: &str) -> Option<&'static str> {
    match name {
        "link" => Some("a"),
        "dirlink" => Some("dir"),
        "dir/up" => Some("../z"),
        _ => None,
    }
}

/// What is taken of a context. All but the last are always there.
const CONTEXT_SOURCES: [&str; 12] =
    ["a", "dir", "dir/", "dir/c", "a dir/c", ".", "dir/*", "[ab]*", "d*", "./dir/./c", "**/c", "link"];

/// What is taken of another stage. Most are there if it has the image below it.
const STAGE_SOURCES: [&str; 9] = ["/w", "/w/", "/w", "/w/.", "/etc/passwd", "/home/ann", "/bin/l*", "/etc", "/a"];

/// Where a copy of several files goes. The image may have a link of any of these names by then.
const FOLDERS: [&str; 8] = ["/a/", "/b/", "/w/", "/b/sub/", "./", "/new/deep/", "/etc/", "sub/"];

/// Where one of a single file or folder may go as well.
const PLACES: [&str; 6] = ["/a", "/b", "/w/x", "x", "/b/y", "/home/ann/notes"];

/// What commands work on.
const PATHS: [&str; 11] =
    ["/a", "/b", "/a/x", "/b/y", "/w/x", "x", "sub", "sub/y", "/new", "/home/ann/notes", "/etc/group"];

const FLAGS: [&str; 7] =
    ["--link", "--chown=1000:50", "--chown=ann", "--chmod=0710", "--chmod=u+x,go-r", "--parents", "--exclude=**/*.txt"];

/// Instructions that any stage may have.
const PLAIN: [&str; 22] = [
    "ENV V=1",
    "ENV V=$V-2 W=w",
    "ARG A=x",
    "ARG A=$V",
    "LABEL l=$V a=$A",
    "WORKDIR /a",
    "WORKDIR sub",
    "WORKDIR /b/sub",
    "WORKDIR /new/$V",
    "USER ann",
    "USER 1000:50",
    "USER 0",
    "USER 0",
    "EXPOSE 80",
    "VOLUME /w/v",
    "CMD [\"sh\"]",
    "ENTRYPOINT $V",
    "STOPSIGNAL 9",
    "SHELL [\"/bin/sh\", \"-c\"]",
    "ONBUILD COPY a /onbuild",
    "ONBUILD RUN echo $V > /w/onbuild",
    "HEALTHCHECK NONE",
];

/// Any program.
pub(crate) fn program() -> impl Strategy<Value = Program> {
    (context(), vec(stage(), 1..5), change(), vec(any::<bool>(), 8))
        .prop_map(|(context, stages, change, passes)| Program { context, stages, change, passes })
}

fn context() -> impl Strategy<Value = Context> {
    let content = || select(&["", "1\n", "2\n", "echo 3\n"][..]).prop_map(str::to_owned);
    let file = move || {
        let mode = select(&[0o644, 0o644, 0o755, 0o600][..]);
        (content(), mode).prop_map(|(content, mode)| Entry::File { content, mode })
    };
    let ignored = select(&["*.txt\n", "dir/sub\nz\n", "*\n!a\n!dir/c\n", "**/e\n!dir/sub\n"][..]);
    let ignored = ignored.prop_map(|content| Entry::File { content: content.to_owned(), mode: 0o644 });
    let others = btree_map(select(&NAMES[2..]), file(), 0..6);
    (file(), file(), others, proptest::option::weighted(0.2, ignored)).prop_map(|(a, c, others, ignored)| {
        let others = others.into_iter().map(|(name, file)| (name, target(name).map_or(file, Entry::Link)));
        let mut context: Context = others.collect();
        context.extend([(NAMES[0], a), (NAMES[1], c)]);
        context.extend(ignored.map(|ignored| (".dockerignore", ignored)));
        context
    })
}

fn change() -> impl Strategy<Value = Change> {
    let edit = prop_oneof![
        4 => Just(Edit::Content("changed\n")),
        2 => select(&[0o700, 0o644][..]).prop_map(Edit::Mode),
        1 => Just(Edit::Remove),
    ];
    let rewrite =
        prop_oneof![Just(Rewrite::LeaveOut), Just(Rewrite::Bare), select(&FOLDERS[..]).prop_map(Rewrite::Elsewhere),];
    prop_oneof![
        (any::<Index>(), edit).prop_map(|(which, edit)| Change::Context(which, edit)),
        (any::<Index>(), any::<Index>(), rewrite)
            .prop_map(|(stage, place, rewrite)| Change::Dockerfile(stage, place, rewrite)),
    ]
}

fn stage() -> impl Strategy<Value = Stage> {
    let base = prop_oneof![
        2 => Just(Base::Image),
        1 => Just(Base::Scratch),
        2 => any::<Index>().prop_map(Base::Stage),
    ];
    prop_oneof![
        6 => (base, vec(instruction(), 0..5)).prop_map(|(base, instructions)| Stage::Of { base, instructions }),
        1 => any::<Index>().prop_map(Stage::Again),
    ]
}

fn instruction() -> impl Strategy<Value = Instruction> {
    prop_oneof![
        2 => select(&PLAIN[..]).prop_map(|line| Instruction::Plain(line.to_owned())),
        4 => copy(),
        4 => run(),
    ]
}

fn copy() -> impl Strategy<Value = Instruction> {
    let from = prop_oneof![
        3 => select(&CONTEXT_SOURCES[..]).prop_map(Source::Context),
        3 => (any::<Index>(), select(&STAGE_SOURCES[..])).prop_map(|(stage, path)| Source::Stage(stage, path)),
        1 => select(&["", "text", "two\nlines"][..]).prop_map(Source::Inline),
    ];
    let flags = prop_oneof![2 => Just(Vec::new()), 1 => subsequence(FLAGS.to_vec(), 1..3)];
    let flags = flags.prop_map(|mut flags| {
        // A flag can be given once.
        flags.dedup_by_key(|flag| flag.split('=').next().unwrap());
        flags
    });
    (from, flags, select(&FOLDERS[..]), proptest::option::of(select(&PLACES[..]))).prop_map(
        |(from, flags, folder, place)| {
            let path = match from {
                Source::Context(path) | Source::Stage(_, path) => path,
                Source::Inline(_) => "",
            };
            let is_one = !path.contains(['*', '[', ' ']);
            let destination = place.filter(|_| is_one).unwrap_or(folder);
            Instruction::Copy { from, flags, destination }
        },
    )
}

fn run() -> impl Strategy<Value = Instruction> {
    let mount = prop_oneof![
        Just(Mount::Plain("type=cache,target=/c")),
        Just(Mount::Plain("target=/m")),
        Just(Mount::Plain("target=/m,rw,source=dir")),
        Just(Mount::Plain("type=tmpfs,target=/w/t")),
        any::<Index>().prop_map(Mount::Stage),
    ];
    // Two at one place would be one.
    let mounts = prop_oneof![2 => Just(Vec::new()), 1 => mount.prop_map(|mount| vec![mount])];
    let form = prop_oneof![5 => Just(Form::Line), 1 => Just(Form::Heredoc)];
    (mounts, form, vec(command(), 1..4)).prop_map(|(mounts, form, commands)| Instruction::Run {
        mounts,
        form,
        commands,
    })
}

/// A command whose result depends on the tree, the variables and the mounts alone: it may not read what it writes
/// meanwhile. Nothing else names the pipe: who opens it would wait for ever.
fn command() -> impl Strategy<Value = String> {
    const COMMANDS: [&str; 26] = [
        "mkdir -p P",
        "mkdir -p P",
        "mkdir -p -m 2775 P",
        "mkdir -p P; touch -d @1000000000 P",
        "ln -sfn . P",
        "ln -sfn /w P",
        "echo 1 > P",
        "echo $V$A >> P",
        "rm -rf P",
        "rm -rf P; mkdir P",
        "mv P Q",
        "mv P Q",
        "ln -sfn P Q",
        "ln -s P Q",
        "ln P Q",
        "chmod 700 P",
        "chmod 6755 P",
        "chown 1000:50 P",
        "cp -a P Q",
        "echo $(id -u):$(id -g) $(pwd) > P",
        "all=$(find /w /a /b /new | sort); echo \"$all\" > P",
        "all=$(cat P P/*); echo \"$all\" > Q",
        "cp -r /m/. P",
        "ls /m > P; echo 1 > /m/x",
        "mkdir -p /c/1; mkdir -p /w/t/1; ls /w/t > P",
        "mkfifo /pipe",
    ];
    (select(&COMMANDS[..]), select(&PATHS[..]), select(&PATHS[..]))
        .prop_map(|(command, one, other)| command.replace('P', one).replace('Q', other))
}
