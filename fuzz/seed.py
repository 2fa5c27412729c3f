#!/usr/bin/env python3
"""Fills the folders that fuzzing starts from: the recorded cases where they are there, and always the compiler's fixtures.

The cases lie in the folder that LAYERCAKE_CONFORMANCE names, as for the compiler's conformance tests.
"""

import hashlib
import json
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
SEPARATOR = "\x1e"


def put(target, text):
    data = text if isinstance(text, bytes) else text.encode()
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def dockerfile(text, surroundings=()):
    put("parse", text)
    put("compile", text + SEPARATOR + "\n".join(surroundings) if surroundings else text)


def cases(folder):
    path = folder / "cases.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.split("\n") if line]


def recorded(data):
    for name in ("parser", "instructions", "integration", "lint", "subrequests"):
        for case in cases(data / name):
            text = case.get("dockerfile", case.get("input"))
            if not isinstance(text, str):
                continue
            arguments = case.get("build_args") or {}
            surroundings = [f"a{name}={value}" for name, value in arguments.items()]
            if case.get("target"):
                surroundings.append(f"t{case['target']}")
            dockerfile(text, surroundings)
    for case in cases(data / "shell"):
        lines = [f"FROM scratch\n"] + [f"ENV {name}='{value}'\n" for name, value in (case.get("env") or {}).items()
                                       if isinstance(value, str)]
        dockerfile("".join(lines) + f"ENV x={case['input']}\nEXPOSE {case['input']}\n")
    for case in cases(data / "dockerignore"):
        patterns = case.get("ignorefile") or "\n".join(case.get("patterns") or [])
        paths = [case["path"]] if "path" in case else list(case.get("excluded") or {}) if isinstance(case.get("excluded"), dict) else []
        put("patterns", patterns + SEPARATOR + "\n".join(paths))
    for file in (data / "realworld" / "files").rglob("*"):
        if file.is_file() and file.stat().st_size < 8192:
            put("parse", file.read_bytes())
            put("compile", file.read_bytes())


def main():
    for file in (HERE.parent / "compiler/tests/fixtures").rglob("*.Dockerfile"):
        dockerfile(file.read_text())
    dockerfile("FROM base AS b\nRUN x\nFROM b\nCOPY --from=ctx . .\n",
               ["oRUN echo $A", "oCOPY a /b", "oFROM x", "oADD <<E /f\\nx\\nE", "eA=1", "w/work", "uuser:group", "fctx", "sbase=b", "hsh"])
    put("patterns", "*\n!src/**\n[a-c]?\\*\n**/x/*.rs\n!a/b" + SEPARATOR + "src/main.rs\na/b/c\nx/x/y.rs")
    if data := os.environ.get("LAYERCAKE_CONFORMANCE"):
        recorded(Path(data))
    for folder in sorted(CORPUS.iterdir()):
        print(f"{folder.name}: {sum(1 for _ in folder.iterdir())} inputs")


main()
