//! Dockerfiles of any length, written for measuring.

use std::fmt::Write;

/// Instructions of each stage that is written.
pub(crate) const INSTRUCTIONS: usize = 10;

/// Services as a large repository has them: each a stage of its own that takes files of the one before.
pub(crate) fn services(stages: usize) -> String {
    let mut text = "# syntax=docker/dockerfile:1\n".to_owned();
    for stage in 0..stages {
        let from = if stage == 0 { "." } else { &format!("--from=service{} /out/lib", stage - 1) };
        write!(
            text,
            r#"
# Builds service {stage}.
FROM golang:1.22-alpine AS service{stage}
ARG VERSION=1.{stage} TARGETARCH
ENV GOFLAGS="-mod=readonly -trimpath" CGO_ENABLED=0 SERVICE=service{stage}
WORKDIR /src/$SERVICE
COPY {from} ./lib/
RUN --mount=type=cache,target=/go/pkg/mod,sharing=locked \
    # The checksums are part of the repository.
    go mod download && \
    go mod verify
COPY --chown=65532:65532 cmd/ internal/ ./
RUN --mount=type=cache,target=/root/.cache/go-build \
    GOARCH=$TARGETARCH go build -ldflags "-X main.version=${{VERSION:-dev}}" -o /out/$SERVICE ./cmd/$SERVICE
EXPOSE 8080 9090/tcp
ENTRYPOINT ["/out/service{stage}", "--listen", ":8080"]
"#
        )
        .expect("a string takes all that is written to it");
    }
    text
}

/// Stages that start from one another, so that what each sets is inherited by all behind it; nothing is run.
pub(crate) fn chain(stages: usize) -> String {
    stacked(stages, |stage| format!("LABEL l{stage}=x"))
}

/// As [`chain`], and each stage runs a command, which sees the variables of all the stages below it.
pub(crate) fn environments(stages: usize) -> String {
    stacked(stages, |stage| format!("RUN step {stage}"))
}

fn stacked(stages: usize, last: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for stage in 0..stages {
        let (base, from) = match stage {
            0 => ("alpine".to_owned(), String::new()),
            _ => (format!("s{}", stage - 1), format!("--from=s{} ", stage / 2)),
        };
        let last = last(stage);
        write!(
            text,
            "FROM {base} AS s{stage}\nENV V{stage}=$PATH:/opt/tool{stage}/bin\nARG A{stage}=1\nCOPY {from}a /b{stage}\n\
             WORKDIR /w{stage}\nLABEL l=$V{stage}\nEXPOSE {stage}\nUSER u\nVOLUME /v\n{last}\n"
        )
        .expect("a string takes all that is written to it");
    }
    text
}
