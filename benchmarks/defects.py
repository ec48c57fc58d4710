"""How many real silent defects the detectors find, and how many their own edits mend.

    python benchmarks/defects.py --sources DIR --python PATH [--ruff PATH] [--torchfix PATH] [--quick] [--check]

defects.jsonl points into public fix histories. DIR holds them as bare git directories, owner+name/...; the file at the
parent of the fix is read with what it imports. Found: a finding of the right kind, in the symbol that was mended or its
class, that is gone in the mended file. Fixed: with the finding's edits the oracle, a run of the symbol in the sandbox,
says "sound". A linter finds a defect when it reports anything there, or on a line that the fix changed, and reports it
less often in the mended file: a lower bar than ours, since no rule of theirs has to be of the right kind.
Without sources nothing is measured: exit code 2. Last line on stdout: one JSON object.
"""

import argparse
import difflib
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from precision import measure
from recall.finding import Found, hits, read_neighbourhood, span_of
from recall.histories import history, python_files
from recall.linters import Report, only, ruff, torchfix
from recall.oracle_runs import Oracles
from recall.records import HERE, Defect, read_defects

from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposers.defects import Finding

QUICK_EVERY = 4
"""With --quick, every fourth defect, and no oracle: a run of one costs seconds."""
Linter = Callable[[Mapping[str, bytes]], dict[str, list[Report]]]


@dataclass
class Outcome:
    defect: Defect
    before: bytes
    after: bytes
    found: list[str] = field(default_factory=list)
    """Detectors that speak of it."""
    fixed: bool = False
    verdict: str = ""
    """Of the oracle, on the file with the edits."""
    linters: list[str] = field(default_factory=list)


def examine(defect: Defect, git_dir: Path, oracles: Oracles | None) -> Outcome:
    before = python_files(git_dir, defect.parent)
    after = python_files(git_dir, defect.fix)
    outcome = Outcome(defect, before[defect.file], after[defect.file])
    read = read_neighbourhood(defect, before)
    speaking = hits(defect, read, partial(read_neighbourhood, defect, after))
    outcome.found = sorted({one.detector for one in speaking})
    if oracles is not None and defect.oracle is not None and defect.reproduced:
        for one in speaking:
            if one.edits and not outcome.fixed:
                outcome.verdict = verdict(oracles, defect.oracle, before, read, one)
                outcome.fixed = outcome.verdict == "sound"
    return outcome


def verdict(oracles: Oracles, oracle: Path, sources: Mapping[str, bytes], read: Found, finding: Finding) -> str:
    changed = apply_edits(read.code.sources, finding.edits)
    return oracles.ask(oracle, {**sources, **changed})


def narrowed(defect: Defect, source: bytes, name: str) -> bytes:
    return only(defect.symbol, source) if name == "torchfix" else source


def lint(name: str, linter: Linter, outcomes: list[Outcome]) -> None:
    """Adds the codes reported in the symbol's class, or on a line that the fix changed, that are fewer in the mended file."""
    paths = {f"{one.defect.name}/{one.defect.file}": one for one in outcomes}
    for path, reports in linter({path: narrowed(one.defect, one.before, name) for path, one in paths.items()}).items():
        one = paths[path]
        old, new = (text.decode(errors="replace").splitlines() for text in (one.before, one.after))
        places = {*lines_changed(old, new), *(span_of(one.before, one.defect.symbol) if one.defect.symbol else ())}
        near = {(report.code, report.text) for report in reports if report.line in places}
        if near:
            mended = {one.defect.file: narrowed(one.defect, one.after, name)}
            before, after = (Counter((r.code, r.text) for r in rs) for rs in (reports, linter(mended)[one.defect.file]))
            one.linters += [
                f"{name} {code} ({text})" for code, text in sorted(near) if after[code, text] < before[code, text]
            ]


def lines_changed(old: list[str], new: list[str]) -> Iterator[int]:
    """Lines of the old text, from 1, that were replaced or removed; beside an insertion, its two neighbours."""
    for kind, start, end, _, _ in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "insert":
            yield from (start, start + 1)
        elif kind != "equal":
            yield from range(start + 1, end + 1)


def check(defects: list[Defect], sources: Path, oracles: Oracles) -> dict[str, Any]:
    """Every oracle on both sides of its fix: which of them tell the two apart."""
    wrong = []
    for defect in defects:
        git_dir = history(sources, defect.repo)
        if defect.oracle is None or git_dir is None:
            continue
        said = [oracles.ask(defect.oracle, python_files(git_dir, commit)) for commit in (defect.parent, defect.fix)]
        print(f"{defect.name}: {said[0]} / {said[1]}", file=sys.stderr)
        if (said == ["defect", "sound"]) != defect.reproduced:
            wrong.append(defect.name)
    return {"oracles": sum(1 for one in defects if one.oracle), "reproduced": reproduced(defects), "disagree": wrong}


def reproduced(defects: list[Defect]) -> int:
    return sum(1 for one in defects if one.reproduced)


def counts(outcomes: list[Outcome]) -> dict[str, Any]:
    return {
        "total": len(outcomes),
        "reproduced": reproduced([one.defect for one in outcomes]),
        "found": sum(1 for one in outcomes if one.found),
        "found_reproduced": sum(1 for one in outcomes if one.found and one.defect.reproduced),
        "fixed": sum(1 for one in outcomes if one.fixed),
        "linters_found": sum(1 for one in outcomes if one.linters),
    }


def run(options: argparse.Namespace, defects: list[Defect]) -> dict[str, Any]:
    oracles = None if options.quick or not options.python else Oracles(HERE / "oracles", options.python)
    outcomes = []
    for defect in defects[:: QUICK_EVERY if options.quick else 1]:
        git_dir = history(options.sources, defect.repo)
        if git_dir is None:
            print(f"{defect.name}: no history of {defect.repo} in {options.sources}", file=sys.stderr)
            continue
        started = time.process_time()
        outcomes.append(one := examine(defect, git_dir, oracles))
        told = f"{', '.join(one.found) or '-'}; oracle {one.verdict or '-'}; {time.process_time() - started:.1f} s CPU"
        print(f"{defect.half:9}{defect.number:3} {defect.name}: {told}", file=sys.stderr)
    linters = installed(options)
    for name, linter in linters.items():
        lint(name, linter, outcomes)
    for one in outcomes:
        if one.linters:
            print(f"linters on {one.defect.name}: {', '.join(one.linters)}", file=sys.stderr)
    halves = {half: counts([one for one in outcomes if one.defect.half == half]) for half in ("develop", "held_out")}
    clean = measure(options.clean, options.quick)["per_kloc"] if options.clean else None
    return {**counts(outcomes), "per_kloc_clean": clean, **halves, "linters": sorted(linters), "oracles": bool(oracles)}


def installed(options: argparse.Namespace) -> dict[str, Linter]:
    found: dict[str, Linter] = {}
    for name, command, linter in (("ruff", options.ruff, ruff), ("torchfix", options.torchfix, torchfix)):
        if not command or not shutil.which(command):
            print(f"{name} ({command!r}) is not asked", file=sys.stderr)
        else:
            found[name] = partial(linter, command)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=Path, default=Path("sources"), help="folder of bare git directories")
    parser.add_argument("--python", help="an interpreter with the packages of oracles/requirements.txt")
    parser.add_argument("--ruff", default="ruff")
    parser.add_argument("--torchfix", default="torchfix", help="in an environment of its own: it pins an old libcst")
    parser.add_argument("--clean", type=Path, help="folder of well-kept code, for findings per 1,000 lines")
    parser.add_argument("--half", choices=("develop", "held_out"))
    parser.add_argument("--quick", action="store_true", help=f"every {QUICK_EVERY}th defect, no oracles")
    parser.add_argument("--check", action="store_true", help="only run the oracles, on both sides of each fix")
    options = parser.parse_args()
    defects = [one for one in read_defects() if options.half in (None, one.half)]
    if not any(history(options.sources, one.repo) for one in defects):
        print(f"no history of any of the repositories in {options.sources}: nothing is measured", file=sys.stderr)
        return 2
    if options.check:
        print(json.dumps(check(defects, options.sources, Oracles(HERE / "oracles", options.python))))
    else:
        print(json.dumps(run(options, defects)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
