#!/usr/bin/env python3
"""Keeps the table of layercake beside other builders: docs/side-by-side.md, made of benches/side-by-side.json.

    side-by-side.py MEASURED.json...            compare with what is kept; 1 if a row became worse beyond its range
    side-by-side.py --keep MEASURED.json...     keep these figures, and write the table anew

Each file holds {"about": ..., "records": [...]}: one record for each repetition of each part of a workload by each engine,
in seconds and bytes; the engine "floor" is the least that the work can cost on that machine. What counts are ratios within a
repetition: the machine is not part of them.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT, TABLE = HERE / "side-by-side.json", HERE.parent / "docs" / "side-by-side.md"
OURS = "layercake"

# How many times as fast as the best of the others each row is meant to be. None: the floor is what counts.
AIMS = {
    "noop1k": 8, "noop10k": 10, "noop100k": 12, "change10k": 5, "steps50": 10, "stages-sleep": None, "stages-cpu": None,
    "copy500 build + export oci gzip": 2.5, "copy500 build + export oci zstd": 4, "copy500 build + push gzip": 2,
    "pull300 both": 3,
}
# Parts that a user waits for one after the other. Those that pack while they build are compared in the sum.
SUMS = {"copy500": [("build", "export oci gzip"), ("build", "export oci zstd"), ("build", "push gzip"), ("rebuild", "push again")]}


def measured(paths):
    """{row: {engine: {repetition: cost}}} in the order measured, what the floors are, and under which conditions."""
    rows, floors, conditions = {}, {}, []
    for number, path in enumerate(paths):
        document = json.loads(Path(path).read_text())
        conditions.append(document["about"])
        costs = {}
        for record in document["records"]:
            workload, part, engine = record["workload"], record["part"], record["engine"]
            if record["cost"]:
                at = (number, record["repetition"])
                costs.setdefault(workload, {}).setdefault(part, {}).setdefault(engine, {})[at] = record["cost"]
            if engine == "floor":
                floors[f"{workload} {part}".strip()] = record["note"]
        for workload, parts in costs.items():
            for part, engines in parts.items():
                merge(rows, f"{workload} {part}".strip(), engines)
            for summands in SUMS.get(workload, ()):
                if all(part in parts for part in summands):
                    merge(rows, f"{workload} {' + '.join(summands)}", summed([parts[part] for part in summands]))
    return rows, floors, conditions


def merge(rows, row, engines):
    for engine, costs in engines.items():
        rows.setdefault(row, {}).setdefault(engine, {}).update(costs)


def summed(parts):
    """The engines that have all parts; a floor of a sum would be nobody's."""
    engines = [engine for engine in parts[0] if engine != "floor" and all(engine in part for part in parts)]
    total = lambda engine, at: {"wall": sum(part[engine][at]["wall"] for part in parts),
                                "memory": max(part[engine][at]["memory"] for part in parts)}
    return {engine: {at: total(engine, at) for at in parts[0][engine] if all(at in part[engine] for part in parts)}
            for engine in engines}


def spread(values):
    values = list(values)
    return {"median": statistics.median(values), "least": min(values), "most": max(values)} if values else None


def summary(rows):
    """Each row's figures: seconds by engine, memory, and the ratios of the same repetition."""
    result = {}
    for row, engines in rows.items():
        ours = engines.get(OURS)
        if not ours:
            continue
        others = {name: costs for name, costs in engines.items() if name not in (OURS, "floor")}
        best = [min(costs[at]["wall"] for costs in others.values() if at in costs) / cost["wall"]
                for at, cost in ours.items() if any(at in costs for costs in others.values())]
        floor = engines.get("floor", {})
        result[row] = {
            "runs": len(ours),
            "seconds": {name: spread(cost["wall"] for cost in costs.values()) for name, costs in engines.items()},
            "times_best": spread(best),
            "times_floor": spread(cost["wall"] / floor[at]["wall"] for at, cost in ours.items() if at in floor),
            "peak_mb": max(cost["memory"] for cost in ours.values()) / 1e6,
        }
    return result


def number(value):
    return f"{value:.0f}" if value >= 99.5 else f"{value:.3g}"


def shown(spread, sign=""):
    if not spread:
        return "-"
    return f"{number(spread['median'])}{sign} [{number(spread['least'])}-{number(spread['most'])}]"


def table(kept):
    engines = list(dict.fromkeys(name for row in kept["rows"].values() for name in row["seconds"] if name not in (OURS, "floor")))
    titles = ["workload", "runs", OURS, *engines, "× best other", "aim", "× floor", "peak MB"]
    lines = ["| " + " | ".join(titles) + " |", "|---|" + "--:|" * (len(titles) - 1)]
    for name, row in kept["rows"].items():
        aim = AIMS.get(name)
        cells = [name, str(row["runs"]), *(shown(row["seconds"].get(engine)) for engine in [OURS, *engines]),
                 shown(row["times_best"], "×"), f"{aim}×" if aim else "", shown(row["times_floor"], "×"), number(row["peak_mb"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(kept):
    about = kept["about"]
    engines = ", ".join(version.strip().replace("\n", ", ") for version in about["engines"].values())
    floors = "\n".join(f"- {name}: {what}" for name, what in kept["floors"].items())
    return f"""# layercake beside other builders

Written by `benches/side-by-side.py`; what the figures mean, and why they are what they are, is in [performance](performance.md).
Seconds of wall time: median [least-most]. Ratios are taken within a repetition, in which every engine has its turn.
{about['cores']} cores, Linux {about['kernel']}, {about['time'][:10]}; {engines}.

{table(kept)}

## The floors

{floors}
"""


def worse(kept, now):
    """The rows whose ratio to the best other fell out of the range that it had."""
    for name, row in now.items():
        old = kept["rows"].get(name, {}).get("times_best")
        new = row["times_best"]
        if old and new:
            verdict = "WORSE" if new["most"] < old["least"] else "better" if new["least"] > old["most"] else ""
            yield name, old, new, verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("measured", nargs="+")
    arguments = parser.parse_args()
    rows, floors, conditions = measured(arguments.measured)
    now = summary(rows)
    if arguments.keep:
        kept = {"about": conditions[-1], "floors": floors, "rows": now}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
        TABLE.write_text(page(kept))
        return 0
    comparison = list(worse(json.loads(KEPT.read_text()), now))
    for name, old, new, verdict in comparison:
        print(f"{name:<40}{shown(old, '×'):<24}{shown(new, '×'):<24}{verdict}")
    return int(any(verdict == "WORSE" for *_, verdict in comparison))


if __name__ == "__main__":
    sys.exit(main())
