# For people who like it; nothing needs it.

# Builds, runs and shows the Flask example.
demo *ARGS:
    examples/flask/demo.sh {{ARGS}}

test:
    cargo test --workspace

# Everything that CI does.
ci:
    .ci/run

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Takes the new snapshots; read every line of the difference before you commit.
bless:
    INSTA_UPDATE=always cargo test --workspace

# Fuzzes the compiler for MINUTES on each target. Needs a nightly compiler and `cargo install cargo-fuzz`.
fuzz MINUTES="5":
    fuzz/seed.py
    for target in parse compile patterns; do \
        cargo +nightly fuzz run --sanitizer none $target -- -dict=fuzz/dockerfile.dict -max_len=8192 \
            -rss_limit_mb=2048 -timeout=10 -max_total_time=$(({{MINUTES}} * 60)) || exit; \
    done

# Measures the parts, with criterion; `docs/performance.md` says what the figures mean.
bench *ARGS:
    cargo bench --workspace --benches -- {{ARGS}}

# Measures the whole beside other builders, as root, with the runner in the folder RUNNER (`peers.sh` starts the others, `bench.py`
# measures), and holds it against the table that is kept; `benches/side-by-side.py --keep` keeps the new one.
bench-whole RUNNER *ARGS:
    cargo build --release
    {{RUNNER}}/peers.sh up
    {{RUNNER}}/bench.py --layercake target/release/layercake --json target/side-by-side.json {{ARGS}}
    {{RUNNER}}/peers.sh down
    benches/side-by-side.py target/side-by-side.json

# Counts instructions and system calls of fixed work, and holds them against `benches/instructions.toml`; `--keep` renews that.
instructions *ARGS:
    cargo build --release
    benches/instructions.py {{ARGS}}

# Tries the laws of builds on NUMBER generated Dockerfiles; CI tries 300.
laws NUMBER="5000":
    LAYERCAKE_LAWS={{NUMBER}} cargo test --test laws -- --nocapture

# Pulls and pushes NUMBER times through a proxy that does everything wrong; CI does 40.
faults NUMBER="200":
    LAYERCAKE_FAULTS={{NUMBER}} cargo test --test registry -- --nocapture every_pull_and_push

# Replays the histories of projects at full length, and prints the table of `docs/replay.md`; CI replays their beginnings.
replay:
    LAYERCAKE_REPLAY=all cargo test --release --test replay -- --nocapture
