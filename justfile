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
