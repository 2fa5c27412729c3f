#!/usr/bin/env python3
"""Counts what the program does, and holds it against the table that is kept: a gate for speed that no other load disturbs.

Instructions are counted by valgrind, system calls by strace; both of the whole program, in an empty environment, on inputs that
are made here. A count is too high when it is above the kept one by more than MOST; one that is as much below is told, so that
the table is renewed. `--keep` renews it: look at the difference before you commit it.

    benches/instructions.py [--keep] [PROGRAM]      PROGRAM is target/release/layercake unless it is said
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TABLE = Path(__file__).with_suffix(".toml")
MOST = 0.03  # Of runs and builds of the same sources, counts differ by less than a hundredth.
FILES = 1_000
# What threads do to wait for one another depends on the moment.
WAITS = {"futex", "sched_yield", "restart_syscall", "madvise", "munmap"}
HEADER = """\
# What the program takes for fixed work: instructions in a whole run, or system calls. `just instructions --keep` writes this,
# from a release build.
"""


def environment(folder):
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LAYERCAKE_HOME": str(folder / "store"), "RAYON_NUM_THREADS": "1"}


def run(folder, *command):
    done = subprocess.run(command, env=environment(folder), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"`{' '.join(map(str, command))}` failed:\n{done.stderr}")
    return done


def instructions(folder, *command):
    done = run(folder, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command)
    return int(next(line for line in done.stderr.splitlines() if "Collected" in line).split()[-1])


def calls(folder, *command):
    out = folder / "calls"
    run(folder, "strace", "-f", "-c", "-U", "calls,name", "-o", out, *command)
    rows = [line.split() for line in out.read_text().splitlines()]
    return sum(int(row[0]) for row in rows if len(row) == 2 and row[0].isdigit() and row[1] not in WAITS | {"total"})


def services(count):
    """A Dockerfile of so many stages, ten instructions in each, joined by the last."""
    lines = []
    for stage in range(count):
        lines += [f"FROM scratch AS s{stage}", "ARG MODE=release", f"ENV NAME=service-{stage} MODE=$MODE", "WORKDIR /srv/$NAME",
                  f"COPY --chown=10:10 services/{stage} ./", "COPY lib /lib",
                  "RUN --mount=type=cache,target=/root/.cache --mount=type=bind,source=tools,target=/tools \\",
                  "    /tools/build --mode=$MODE && \\", "    /tools/check  # all of it", f"LABEL stage={stage}", 'CMD ["./run"]']
    return "\n".join([*lines, "FROM scratch", *(f"COPY --from=s{stage} /srv /s{stage}" for stage in range(count))]) + "\n"


def counts(program, folder):
    """Yields the name and the count of each kind of work."""
    context = folder / "context"
    for number in range(FILES):
        file = context / f"d{number // 100}/f{number % 100}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"file {number}\n")
    written = time.monotonic()
    dockerfile = folder / "Dockerfile"

    yield "start", instructions(folder, program, "version")

    dockerfile.write_text(services(100))
    yield "compile", instructions(folder, program, "compile", "--format", "json", "-f", dockerfile, context)

    dockerfile.write_text("FROM scratch\n" + "".join(f"WORKDIR /a{step}\nENV A{step}=$PATH:/a{step}\n" for step in range(50)))
    build = (program, "build", "--jobs", "1", "-f", dockerfile, context)
    # The second still notes what it learned, in folders of which it tries some. From the third on nothing is written.
    run(folder, *build)
    run(folder, *build)
    yield "hits", instructions(folder, *build)

    # What it knows of files it keeps only of those that have not been touched for a while.
    time.sleep(max(0, written + 4 - time.monotonic()))
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    run(folder, *build)
    run(folder, *build)
    yield "calls_for_files", calls(folder, *build)


def main():
    arguments = sys.argv[1:]
    keeps = "--keep" in arguments
    programs = [argument for argument in arguments if argument != "--keep"]
    program = Path(programs[0] if programs else "target/release/layercake").resolve()
    rows = (line.split(" = ") for line in TABLE.read_text().splitlines() if " = " in line) if TABLE.exists() else ()
    kept = {name: int(count) for name, count in rows}
    with tempfile.TemporaryDirectory() as folder:
        found = dict(counts(program, Path(folder)))
    if keeps:
        TABLE.write_text(HEADER + "".join(f"{name} = {count}\n" for name, count in found.items()))
    too_high = False
    for name, count in found.items():
        before = kept.get(name)
        growth = count / before - 1 if before else None
        word = "new" if growth is None else "TOO HIGH" if growth > MOST else "better: keep it" if growth < -MOST else ""
        print(f"{name:16}{count:>14,}{before or 0:>14,}{growth or 0:>+9.2%}  {word}".rstrip())
        too_high |= word in ("new", "TOO HIGH")
    if too_high and not keeps:
        sys.exit("where this is meant to be, `just instructions --keep` makes it the measure")


main()
